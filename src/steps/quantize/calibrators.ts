/** Calibrators: statistics of a tensor → the range [lo, hi] that its 8 bits shall cover. One table entry each. */
import { leastDivergenceRange, leastErrorRange, percentileRange, type RangeScheme } from '../../numerics';
import type { TensorStats } from '../types';

export interface CalibratorSettings {
  /** 90–100; used by 'percentile'. */
  readonly percentile: number;
  /** The grid the range will get; used by 'mse' and 'entropy'. */
  readonly scheme: RangeScheme;
}

export type Calibrator = (stats: TensorStats, settings: CalibratorSettings) => readonly [number, number];

export type CalibratorId = 'minmax' | 'percentile' | 'mse' | 'entropy';

export const CALIBRATORS: Readonly<Record<CalibratorId, Calibrator>> = {
  /** Every value seen is representable; one outlier widens the step of all others. */
  minmax: ({ min, max }) => [min, max],
  /** The same share of values is cut off at either end. */
  percentile: (stats, { percentile }) => percentileRange(stats, percentile),
  /** The range of least squared error: rounding inside against clipping outside. */
  mse: (stats, { scheme }) => leastErrorRange(stats, scheme),
  /** The range that keeps the distribution of the values (least KL divergence). */
  entropy: (stats, { scheme }) => leastDivergenceRange(stats, scheme),
};
