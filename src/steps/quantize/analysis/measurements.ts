/** Measured numbers by key: what an analysis has found out so far, so that it can stop at any point and go on later. */
import { StudioError } from '../../../numerics';
import type { CancelToken } from '../../types';

/** Plain data; grows while an analysis runs, and stays valid when it is cancelled. */
export interface AnalysisState {
  readonly measured: Record<string, readonly number[]>;
  /** Spent so far. */
  seconds: number;
}

export function newAnalysisState(): AnalysisState {
  return { measured: {}, seconds: 0 };
}

/** Lets messages through: the engine may block the thread while it runs. */
const PAUSE_MS = 50;

export class Measurements {
  readonly #start = performance.now();
  readonly #before: number;
  #paused = performance.now();
  /** Something was left out for want of time. */
  incomplete = false;

  constructor(
    readonly state: AnalysisState,
    /** For this call. */
    readonly budgetSeconds: number,
    readonly cancel: CancelToken,
    /** Called after each measurement. */
    readonly onMeasured: () => void,
  ) {
    this.#before = state.seconds;
  }

  get elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }

  has(key: string): boolean {
    return key in this.state.measured;
  }

  get(key: string): readonly number[] | null {
    return this.state.measured[key] ?? null;
  }

  /** Measures whatever the budget says. */
  async always(key: string, work: () => Promise<readonly number[]>): Promise<readonly number[]> {
    const known = this.get(key);
    if (known) return known;
    this.cancel.throwIfAborted();
    const value = await work();
    this.state.measured[key] = value;
    this.state.seconds = this.#before + this.elapsed;
    this.onMeasured();
    if (performance.now() - this.#paused > PAUSE_MS) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#paused = performance.now();
    }
    return value;
  }

  /** Measures while the budget lasts; null once it doesn't. @param share of the budget that may be spent already */
  async ifTime(key: string, work: () => Promise<readonly number[]>, share = 1): Promise<readonly number[] | null> {
    if (this.has(key)) return this.get(key);
    if (this.elapsed >= this.budgetSeconds * share) {
      this.incomplete = true;
      return null;
    }
    return this.always(key, work);
  }
}

/** @throws StudioError 'bad-option' */
export function checkBudget(seconds: number, images: number): void {
  if (!(seconds > 0)) throw new StudioError('bad-option', `The analysis was given ${seconds} seconds.`, 'Give it more than 0.');
  if (!Number.isInteger(images) || images < 1)
    throw new StudioError('bad-option', `The analysis was given ${images} images.`, 'It needs a whole number from 1.');
}
