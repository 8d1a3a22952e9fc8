/** The page's hand on a job that runs in a worker: cancel it, pause its training, end its training early. */
import { cancelled } from '../src/numerics';
import type { CancelToken, TrainingControl } from '../src/steps';

export const SWITCHES = ['cancel', 'pause', 'stop'] as const;
export type SwitchName = (typeof SWITCHES)[number];

/** One entry a switch, 0 = off: shared memory where the page is isolated, so that it is seen in the middle of a loop. */
export type SwitchFlags = Int32Array | null;

export interface Switches {
  readonly cancel: CancelToken;
  readonly control: TrainingControl;
  /** For pages without shared memory: a message, seen when the loop lets the worker breathe. */
  turn(name: SwitchName, on: boolean): void;
}

/** A paused run looks this often whether it may go on. */
const GLANCE_MS = 40;

export function openSwitches(flags: SwitchFlags): Switches {
  const raised = new Set<SwitchName>();
  const at = (name: SwitchName) => SWITCHES.indexOf(name);
  const isOn = (name: SwitchName) => raised.has(name) || (flags !== null && Atomics.load(flags, at(name)) !== 0);
  const turn = (name: SwitchName, on: boolean) => {
    if (on) raised.add(name);
    else raised.delete(name);
  };
  const cancel: CancelToken = {
    get aborted() {
      return isOn('cancel');
    },
    throwIfAborted() {
      if (isOn('cancel')) throw cancelled();
    },
  };
  const control: TrainingControl = {
    async paused() {
      while (isOn('pause') && !isOn('stop')) {
        cancel.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, GLANCE_MS));
      }
    },
    // Said once: it ends the training run that goes on, not those after it.
    stopped() {
      if (!isOn('stop')) return false;
      raised.delete('stop');
      if (flags) Atomics.store(flags, at('stop'), 0);
      return true;
    },
  };
  return { cancel, control, turn };
}
