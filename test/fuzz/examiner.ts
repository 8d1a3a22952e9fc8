/** A child process that examines one case at a time, replaced when it hangs or dies. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Case } from './cases';
import type { Answer, Memory, Request } from './child';

/** Processor seconds that a step of a case may take. */
export const MAX_SECONDS = 2;
/** Seconds after which a case counts as hung: of processor time where the system tells it, for the machine may be busy. */
const WATCHDOG_SECONDS = 12;
/** Wall seconds after which it counts as hung whatever it does: a promise that nobody keeps uses no processor. */
const PATIENCE_SECONDS = 90;
/** Seconds between looks at a case that gives no answer. */
const LOOK_SECONDS = 2;
/** Enough for the largest base, too little for a runaway. */
const HEAP_MB = 768;

export interface Examiner {
  /** Hangs, crashes and slow cases come back as failures. */
  examine(one: Case): Promise<Answer>;
  /** Bytes after a collection. */
  memory(): Promise<number>;
  /** How many child processes there have been: 1 unless one hung or died. */
  readonly processes: number;
  close(): void;
}

function start(): ChildProcess {
  return fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], {
    execArgv: ['--import', 'tsx', '--expose-gc', `--max-old-space-size=${HEAP_MB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** Processor seconds that a process has used so far; null where /proc doesn't say. */
function processorSeconds(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

export function createExaminer(): Examiner {
  let child: ChildProcess | null = null;
  let processes = 0;
  let said = '';

  const ready = (): Promise<ChildProcess> => {
    if (child) return Promise.resolve(child);
    const started = start();
    processes++;
    said = '';
    started.stderr!.on('data', (text) => {
      said = `${said}${text}`.slice(-2000);
    });
    return new Promise((resolve, reject) => {
      started.once('message', () => {
        child = started;
        resolve(started);
      });
      started.once('exit', (code) => reject(new Error(`The examining process ended before it began (${code}): ${said}`)));
    });
  };
  const ask = async <T>(request: Request, dead: (why: string) => T): Promise<T> => {
    const to = await ready();
    return new Promise((resolve) => {
      const done = (answer: T) => {
        clearInterval(timer);
        to.removeAllListeners('message').removeAllListeners('exit');
        resolve(answer);
      };
      const lost = (why: string) => {
        child = null;
        done(dead(why));
      };
      const used = () => processorSeconds(to.pid!) ?? performance.now() / 1000;
      const start = used();
      const asked = performance.now();
      const timer = setInterval(() => {
        if (used() - start < WATCHDOG_SECONDS && performance.now() - asked < PATIENCE_SECONDS * 1000) return;
        to.kill('SIGKILL');
        lost(`no answer after ${WATCHDOG_SECONDS} s`);
      }, LOOK_SECONDS * 1000);
      to.once('message', (answer) => done(answer as T));
      to.once('exit', (code, signal) => lost(`the process died (${code ?? signal}): ${said}`));
      to.send(request);
    });
  };

  // A search that runs out of time leaves its last case behind: the next one waits for the answer to that.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
  const stop = () => {
    child?.removeAllListeners('exit').kill('SIGKILL');
    child = null;
  };

  return {
    get processes() {
      return processes;
    },
    examine: (one) =>
      inTurn(async () => {
        const answer = await ask<Answer>({ case: one }, (text) => ({ outcome: { kind: 'failure', text }, cpu: 0, wall: WATCHDOG_SECONDS }));
        const slow = answer.outcome.kind !== 'failure' && answer.cpu > MAX_SECONDS;
        const outcome = slow ? ({ kind: 'failure', text: `it took ${answer.cpu.toFixed(1)} s` } as const) : answer.outcome;
        // What a failure left behind must not fail the next case.
        if (outcome.kind === 'failure') stop();
        return { ...answer, outcome };
      }),
    memory: () => inTurn(async () => (await ask<Memory>({ measure: true }, () => ({ memory: Number.NaN }))).memory),
    close: stop,
  };
}
