import type { Progress, SensitivityReport } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import type { Studio } from './studio.svelte';

/** What each group of channels is worth to the open network. */
export class SensitivityState {
  #abort: AbortController | null = null;

  report = $state.raw<SensitivityReport | null>(null);
  running = $state(false);
  progress = $state.raw<Progress | null>(null);
  /** What kept the last scan from ending, null when nothing did. */
  trouble = $state.raw<unknown>(null);

  constructor(private readonly studio: Studio) {}

  /** Another network: nothing of this holds for it. */
  reset(): void {
    this.cancel();
    this.report = null;
    this.trouble = null;
  }

  async scan(): Promise<void> {
    if (this.studio.busy) return;
    this.running = true;
    this.progress = null;
    this.trouble = null;
    this.#abort = new AbortController();
    try {
      this.report = await this.studio.scanSensitivity((progress) => {
        this.progress = progress;
      }, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof StudioError && error.code === 'cancelled')) this.trouble = error;
    } finally {
      this.running = false;
      this.progress = null;
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }
}
