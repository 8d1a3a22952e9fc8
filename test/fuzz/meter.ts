/** Processor time of the steps of one case: opening, pruning and each export may take what the page lets each of them take. */
let began = process.cpuUsage();
let longest = 0;

const seconds = () => {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
};

/** A case begins. */
export function beginCase(): void {
  longest = 0;
  began = process.cpuUsage();
}

/** A step of the case has ended; the next one begins. */
export function endStep(): void {
  longest = Math.max(longest, seconds());
  began = process.cpuUsage();
}

/** Seconds of the longest step, the one that runs included. */
export function longestStep(): number {
  return Math.max(longest, seconds());
}
