import type { CurveLook, GrownDetector, Progress } from '../../../workers/wire';
import { describeError, StudioError } from '../../numerics';
import type { Detection } from '../../pipeline';
import { GrowWorker, JobSwitches } from '../bridge';
import { secondsLeft } from '../training/curves';

/** A detector that grows from random weights. */
export class GrowState {
  readonly #worker = new GrowWorker();
  #abort: AbortController | null = null;
  #job: JobSwitches | null = null;
  #pace: { readonly done: number; readonly at: number } | null = null;

  looks = $state.raw<readonly CurveLook[]>([]);
  pictures = $state.raw<readonly ImageBitmap[]>([]);
  /** What the detector finds in each picture now. */
  found = $state.raw<readonly (readonly Detection[])[]>([]);
  classNames = $state.raw<readonly string[]>([]);
  progress = $state.raw<Progress | null>(null);
  running = $state(false);
  paused = $state(false);
  stopping = $state(false);
  grown = $state.raw<GrownDetector | null>(null);
  /** What kept the last run from ending, as a sentence; '' when nothing did. */
  trouble = $state('');

  async start(): Promise<void> {
    if (this.running) return;
    this.reset();
    this.running = true;
    const abort = (this.#abort = new AbortController());
    const job = (this.#job = new JobSwitches());
    const mine = () => this.#abort === abort;
    try {
      const on = {
        scenes: (pictures: readonly ImageBitmap[]) => {
          if (mine()) this.pictures = pictures;
          else for (const picture of pictures) picture.close();
        },
        progress: (p: Progress) => {
          if (mine()) this.#note(p);
        },
        look: (look: CurveLook, found: readonly (readonly Detection[])[], classNames: readonly string[]) => {
          if (!mine()) return;
          this.looks = [...this.looks, look];
          this.found = found;
          this.classNames = classNames;
        },
      };
      const grown = await this.#worker.grow(on, abort.signal, job);
      if (mine()) this.grown = grown;
    } catch (error) {
      if (mine() && !(error instanceof StudioError && error.code === 'cancelled')) this.trouble = describeError(error);
    } finally {
      if (mine()) this.#ended();
    }
  }

  #note(p: Progress): void {
    const now = { done: p.done, at: performance.now() };
    this.#pace ??= now;
    const left = secondsLeft(this.#pace, now, p.total);
    this.progress = { ...p, secondsLeft: left === undefined ? undefined : left / 1000 };
  }

  #ended(): void {
    this.running = this.paused = this.stopping = false;
    this.progress = null;
    this.#job = null;
  }

  pause(on: boolean): void {
    this.paused = on;
    this.#pace = null;
    this.#job?.turn('pause', on);
  }

  /** Ends with the best so far. */
  stop(): void {
    this.stopping = true;
    this.#job?.turn('stop', true);
    if (this.paused) this.pause(false);
  }

  /** Ends without a detector, and forgets what there is. */
  reset(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#pace = null;
    this.#ended();
    for (const picture of this.pictures) picture.close();
    this.pictures = [];
    this.found = [];
    this.looks = [];
    this.grown = null;
    this.trouble = '';
  }
}
