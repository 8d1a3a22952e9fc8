/** The process that examines cases: its parent kills it when it hangs, and counts it as a failure when it dies. */
import { type Case, examineCase } from './cases';
import { beginCase, longestStep } from './meter';
import type { Outcome } from './outcome';

export interface Answer {
  readonly outcome: Outcome;
  /** Processor seconds of the longest step, and wall seconds of all. */
  readonly cpu: number;
  readonly wall: number;
}

/** Bytes on the heap and in array buffers after a collection. */
export interface Memory {
  readonly memory: number;
}

export type Request = { readonly case: Case } | { readonly measure: true };

function memory(): Memory {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  collect?.();
  const { heapUsed, external } = process.memoryUsage();
  return { memory: heapUsed + external };
}

let rejected: unknown = null;
process.on('unhandledRejection', (reason) => {
  rejected = reason ?? 'undefined';
});

process.on('message', async (request: Request) => {
  if ('measure' in request) return process.send!(memory());
  const wall = performance.now();
  beginCase();
  const outcome = await examineCase(request.case);
  await new Promise((resolve) => setImmediate(resolve));
  const cpu = longestStep();
  const answer: Answer = {
    outcome: rejected === null ? outcome : { kind: 'failure', text: `unhandled rejection: ${(rejected as Error).stack ?? rejected}` },
    cpu,
    wall: (performance.now() - wall) / 1000,
  };
  rejected = null;
  process.send!(answer);
});
process.send!('ready');
