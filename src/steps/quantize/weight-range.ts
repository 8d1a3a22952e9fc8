/** Clipping weights: the bound per scale at which rounding inside and cutting off outside cost least together. */
import { type NumericTensor, roundHalfEven } from '../../numerics';

/** Fractions of the largest weight that are tried, 1 first, down to 1/4 in geometric steps. */
const FRACTIONS = Array.from({ length: 33 }, (_, i) => 2 ** (-i / 16));

/**
 * Bounds of least squared error Σ (w − Q(w))² on a symmetric grid of ±`levels` steps.
 * @param largest max |w| per slice along `axis` (null: one for the tensor); slices of zeros keep theirs
 */
export function leastErrorBounds(weight: NumericTensor, axis: number | null, largest: Float64Array, levels: number): Float64Array {
  const { dims, data } = weight;
  const inner = axis === null ? data.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = largest.length;
  const bounds = largest.slice();
  for (let slice = 0; slice < size; slice++) {
    let best = Number.POSITIVE_INFINITY;
    if (largest[slice] === 0) continue;
    for (const fraction of FRACTIONS) {
      const bound = largest[slice]! * fraction;
      const step = bound / levels;
      let error = 0;
      for (let from = slice * inner; from < data.length && error < best; from += inner * size)
        for (let i = from; i < from + inner; i++) {
          const q = Math.min(Math.max(roundHalfEven(data[i]! / step), -levels), levels);
          error += (data[i]! - q * step) ** 2;
        }
      if (error < best) [best, bounds[slice]] = [error, bound];
    }
  }
  return bounds;
}
