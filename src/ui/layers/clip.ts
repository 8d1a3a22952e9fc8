/** What a clip range would cost a tensor, from its histogram alone. */
import { integerLimits } from '../../numerics';
import type { Evidence, TensorQuant, TensorStats } from '../../pipeline';

/** Integers that a tensor's grid has: 256 for 8 bits. */
export function levelsOf({ dtype }: Pick<TensorQuant, 'dtype'>): number {
  const [low, high] = integerLimits(dtype);
  return high - low + 1;
}

/** What the integers can say; null without a quantizer, or with one scale a channel. */
export function gridOf(quant: TensorQuant | null): Evidence['grid'] {
  if (!quant || quant.axis !== null) return null;
  const [low, high] = integerLimits(quant.dtype);
  const [scale, zero] = [quant.scale[0]!, quant.zeroPoint[0]!];
  return { lo: (low - zero) * scale, hi: (high - zero) * scale, scale, zeroPoint: zero, qmin: low, qmax: high };
}

export interface ClipCost {
  /** Share of the values that are clipped, 0…1. */
  readonly clipped: number;
  /** Distance of two neighbouring integers. */
  readonly step: number;
  /** Signal to noise of rounding and clipping together, dB. */
  readonly sqnr: number;
}

type Histogram = Pick<TensorStats, 'histogram' | 'histogramMin' | 'histogramMax' | 'min' | 'max'>;

/**
 * Values are taken at the middle of their bin, or at the extreme if that lies before it; rounding noise is step² / 12 (uniform). An estimate: the repairs judge by
 * the network's outputs, not by one tensor.
 * @param levels integers of the grid, 256 for 8 bits
 */
export function clipCost(
  { histogram, histogramMin, histogramMax, min, max }: Histogram,
  low: number,
  high: number,
  levels: number,
): ClipCost {
  const width = (histogramMax - histogramMin) / histogram.length;
  const step = (high - low) / (levels - 1);
  let [count, clipped, signal, noise] = [0, 0, 0, 0];
  for (const [i, n] of histogram.entries()) {
    if (n === 0) continue;
    const x = Math.min(max, Math.max(min, histogramMin + (i + 0.5) * width));
    count += n;
    signal += n * x * x;
    const beyond = x < low ? low - x : x > high ? x - high : 0;
    if (beyond > 0) clipped += n;
    noise += n * (beyond > 0 ? beyond * beyond : (step * step) / 12);
  }
  return { clipped: count ? clipped / count : 0, step, sqnr: noise > 0 ? 10 * Math.log10(signal / noise) : Number.POSITIVE_INFINITY };
}
