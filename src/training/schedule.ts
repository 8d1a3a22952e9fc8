/** How rates and averages change over a run. `step` counts from 0. */

export interface Schedule {
  /** Part of the run in which the rate rises from 0, 0…1. */
  readonly warmup: number;
  /** Part of the rate that is left at the end, 0…1. */
  readonly floor: number;
  /** Steps after which the schedule begins again, with half the rate; absent: never. */
  readonly cycle?: number;
}

/** The first tenth warms up, a cosine ends at 2 %. */
export const SCHEDULE: Schedule = { warmup: 0.1, floor: 0.02 };

/** Factor on every rate: linear warm-up times a cosine from 1 to `floor`, with restarts (SGDR, Loshchilov & Hutter 2017). */
export function rateFactor(step: number, steps: number, { warmup, floor, cycle = steps }: Schedule): number {
  const round = Math.floor(step / cycle);
  const at = step - round * cycle;
  const rise = warmup > 0 ? Math.min(1, (at + 1) / (warmup * cycle)) : 1;
  return 0.5 ** round * rise * (floor + (1 - floor) * 0.5 * (1 + Math.cos((Math.PI * at) / cycle)));
}

/** Decay of the moving average: short at first, so that the start values are forgotten, at most `most` later. */
export function averageDecay(step: number, most: number): number {
  return Math.min(most, (step + 1) / (step + 10));
}
