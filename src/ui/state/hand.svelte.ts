import type { Progress } from '../../../workers/wire';
import type { JobSwitches } from '../bridge';
import { secondsLeft } from '../training/curves';

/** The user's hand on a training run that goes on in a worker, and its pace. */
export class Hand {
  protected job: JobSwitches | null = null;
  /** Where the pace is measured from: the first step after a start or a pause. */
  #pace: { readonly label: string; readonly done: number; readonly at: number } | null = null;

  paused = $state(false);
  /** "Stop and keep the best" was pressed, the last look is on its way. */
  stopping = $state(false);

  pause(on: boolean): void {
    this.paused = on;
    this.#pace = null;
    this.job?.turn('pause', on);
  }

  /** Ends the training run that goes on with the best so far. */
  stop(): void {
    this.stopping = true;
    this.job?.turn('stop', true);
    if (this.paused) this.pause(false);
  }

  /** Takes another run, or none, in hand. */
  protected take(job: JobSwitches | null): void {
    this.job = job;
    this.#pace = null;
    this.paused = this.stopping = false;
  }

  /** With the time left by the pace of steps, pauses and resumed ones left out. */
  protected timed(p: Progress): Progress {
    const now = { label: p.label, done: p.done, at: performance.now() };
    if (this.#pace?.label !== p.label || this.#pace.done > p.done) this.#pace = now;
    const left = secondsLeft(this.#pace, now, p.total);
    return { ...p, secondsLeft: left === undefined ? undefined : left / 1000 };
  }
}
