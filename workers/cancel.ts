import { cancelled } from '../src/numerics';
import type { CancelToken } from '../src/steps';

/** Raised by the page: shared memory where the page is isolated, so that it is seen in the middle of a loop. */
export type CancelFlag = Int32Array | null;

export interface Cancel extends CancelToken {
  /** For pages without shared memory: a message, seen when the loop lets the worker breathe. */
  raise(): void;
}

export function cancelToken(flag: CancelFlag): Cancel {
  let raised = false;
  const aborted = () => raised || (flag !== null && Atomics.load(flag, 0) !== 0);
  return {
    get aborted() {
      return aborted();
    },
    throwIfAborted() {
      if (aborted()) throw cancelled();
    },
    raise() {
      raised = true;
    },
  };
}
