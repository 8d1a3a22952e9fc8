import type { CurveLook, GrownDetector, Progress } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import type { Detection } from '../../pipeline';
import { GrowWorker, JobSwitches } from '../bridge';
import { Hand } from './hand.svelte';

/** A detector that grows from random weights. */
export class GrowState extends Hand {
  readonly #worker = new GrowWorker();
  #abort: AbortController | null = null;

  looks = $state.raw<readonly CurveLook[]>([]);
  pictures = $state.raw<readonly ImageBitmap[]>([]);
  /** What the detector finds in each picture now. */
  found = $state.raw<readonly (readonly Detection[])[]>([]);
  classNames = $state.raw<readonly string[]>([]);
  progress = $state.raw<Progress | null>(null);
  running = $state(false);
  grown = $state.raw<GrownDetector | null>(null);
  /** What kept the last run from ending, null when nothing did. */
  trouble = $state.raw<unknown>(null);

  async start(): Promise<void> {
    if (this.running) return;
    this.reset();
    this.running = true;
    const abort = (this.#abort = new AbortController());
    const job = new JobSwitches();
    this.take(job);
    const mine = () => this.#abort === abort;
    try {
      const on = {
        scenes: (pictures: readonly ImageBitmap[]) => {
          if (mine()) this.pictures = pictures;
          else for (const picture of pictures) picture.close();
        },
        progress: (p: Progress) => {
          if (mine()) this.progress = this.timed(p);
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
      if (mine() && !(error instanceof StudioError && error.code === 'cancelled')) this.trouble = error;
    } finally {
      if (mine()) this.#ended();
    }
  }

  #ended(): void {
    this.running = false;
    this.progress = null;
    this.take(null);
  }

  /** Ends without a detector, and forgets what there is. */
  reset(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#ended();
    for (const picture of this.pictures) picture.close();
    this.pictures = [];
    this.found = [];
    this.looks = [];
    this.grown = null;
    this.trouble = null;
  }
}
