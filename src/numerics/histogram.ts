/** Choosing a range [lo, hi] from a histogram of values: the mathematics behind the calibrators. */
import { type QParams, qparamsFromRange, type RangeScheme } from './qparams';

/** `counts` are equal-width bins over [histogramMin, histogramMax]; min and max are the true extremes. */
export interface HistogramLike {
  readonly min: number;
  readonly max: number;
  readonly histogram: ArrayLike<number>;
  readonly histogramMin: number;
  readonly histogramMax: number;
}

function total(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i]!;
  return sum;
}

/**
 * The value below which `fraction` of the histogram's mass lies, linear within a bin, never outside [min, max].
 * 0 and 1 give the true extremes; an empty histogram gives the nearer extreme.
 */
export function histogramQuantile(h: HistogramLike, fraction: number): number {
  if (fraction <= 0) return h.min;
  if (fraction >= 1) return h.max;
  const mass = total(h.histogram);
  if (mass === 0) return fraction < 0.5 ? h.min : h.max;
  const wanted = fraction * mass;
  const width = (h.histogramMax - h.histogramMin) / h.histogram.length;
  let below = 0;
  for (let i = 0; i < h.histogram.length; i++) {
    const count = h.histogram[i]!;
    if (count > 0 && below + count >= wanted) {
      const value = h.histogramMin + (i + (wanted - below) / count) * width;
      return Math.min(Math.max(value, h.min), h.max);
    }
    below += count;
  }
  return h.max;
}

/** [lo, hi] that leaves out (100 − percentile) % of the values at either end; percentile 100 is min-max. */
export function percentileRange(h: HistogramLike, percentile: number): readonly [number, number] {
  return [histogramQuantile(h, 1 - percentile / 100), histogramQuantile(h, percentile / 100)];
}

/** ∫₀ᵘ (t − round(t))² dt: squared rounding error of a uniform density, in steps. */
function roundingIntegral(u: number): number {
  const n = Math.round(u);
  const f = u - n;
  return n / 12 + (f * f * f) / 3;
}

/** ∫ₐᵇ (x − c)² dx / (b − a). */
function meanSquareDistance(a: number, b: number, c: number): number {
  const p = a - c;
  const q = b - c;
  return (p * p + p * q + q * q) / 3;
}

/**
 * Mean squared error of quantizing the histogram's values with `params`, each bin taken as uniform: rounding inside the
 * grid, distance to its end outside. Exact for that density, however wide the bins are beside a step.
 */
export function histogramError(h: HistogramLike, params: QParams): number {
  const scale = params.scale[0]!;
  const low = (params.qmin - params.zeroPoint[0]!) * scale;
  const high = (params.qmax - params.zeroPoint[0]!) * scale;
  const bins = h.histogram.length;
  const width = (h.histogramMax - h.histogramMin) / bins;
  let sum = 0;
  let mass = 0;
  for (let i = 0; i < bins; i++) {
    const count = h.histogram[i]!;
    if (count === 0) continue;
    mass += count;
    const a = h.histogramMin + i * width;
    const b = a + width;
    if (width === 0) {
      const clipped = Math.min(Math.max(Math.round(a / scale) * scale, low), high);
      sum += count * (a - clipped) ** 2;
    } else if (b <= low) sum += count * meanSquareDistance(a, b, low);
    else if (a >= high) sum += count * meanSquareDistance(a, b, high);
    else {
      const from = Math.max(a, low);
      const to = Math.min(b, high);
      let bin = (roundingIntegral(to / scale) - roundingIntegral(from / scale)) * scale ** 3;
      if (a < low) bin += meanSquareDistance(a, low, low) * (low - a);
      if (b > high) bin += meanSquareDistance(high, b, high) * (b - high);
      sum += (count * bin) / width;
    }
  }
  return mass === 0 ? 0 : sum / mass;
}

/** Fractions of the full bound that the search tries, 1 first, down to 1/64 in geometric steps. */
const FRACTIONS = Array.from({ length: 73 }, (_, i) => 2 ** (-i / 12));

/** [lo, hi] of least {@link histogramError}: each bound in turn is searched with the other held, twice. */
export function leastErrorRange(h: HistogramLike, scheme: RangeScheme): readonly [number, number] {
  let lo = Math.min(h.min, 0);
  let hi = Math.max(h.max, 0);
  if (lo === hi) return [lo, hi];
  let best = histogramError(h, qparamsFromRange(lo, hi, scheme));
  for (let round = 0; round < 2; round++) {
    for (const side of ['hi', 'lo'] as const) {
      const full = side === 'hi' ? Math.max(h.max, 0) : Math.min(h.min, 0);
      if (full === 0) continue;
      for (const fraction of FRACTIONS) {
        const a = side === 'lo' ? full * fraction : lo;
        const b = side === 'hi' ? full * fraction : hi;
        const error = histogramError(h, qparamsFromRange(a, b, scheme));
        if (error < best) [best, lo, hi] = [error, a, b];
      }
    }
  }
  return [lo, hi];
}
