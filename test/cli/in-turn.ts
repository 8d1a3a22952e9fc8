/** Runs `bonsai` once for each list of arguments in the JSON given; a JSON list of what each said is the output. */
import type { Outcome } from './process';

const calls = JSON.parse(process.argv[2]!) as string[][];
const outcomes: Outcome[] = [];
const streams = { stdout: process.stdout, stderr: process.stderr };
const writeStdout = process.stdout.write.bind(process.stdout);
for (const [i, args] of calls.entries()) {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    streams[name].write = ((chunk: string | Uint8Array) => {
      said[name] += chunk;
      return true;
    }) as typeof process.stdout.write;
  process.argv.splice(2, process.argv.length, ...args);
  process.exitCode = 0;
  // The module is the program: it runs to its end while it is imported, anew under each name.
  await import(`../../src/cli/bonsai.ts?call=${i}`);
  outcomes.push({ code: Number(process.exitCode), ...said });
}
process.exitCode = 0;
writeStdout(JSON.stringify(outcomes));
