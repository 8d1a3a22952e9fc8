/**
 * Histogram bins on a grid that never has to be known in advance: widths are powers of two and edges are multiples of
 * the width, so that bins merge exactly when the range grows, and the result doesn't depend on the order of images.
 */

/** Bins of every histogram. */
export const BINS = 2048;

/** Bin i covers [(first + i) · 2^exponent, (first + i + 1) · 2^exponent). */
export interface Grid {
  readonly exponent: number;
  readonly first: number;
}

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

/** Exponent of |x| as float32: floor(log2 |x|) for normal numbers, −127 for 0 and subnormal ones. */
export function exponentOf(x: number): number {
  real[0] = x;
  return ((word[0]! >>> 23) & 255) - 127;
}

/** The narrowest grid on which all of [min, max] falls into {@link BINS} bins. Both float32 and finite, min ≤ max. */
export function gridFor(min: number, max: number): Grid {
  // Not so narrow that a bin's number exceeds float32's 24 bits, nor that the width underflows.
  const floor = Math.max(-126, exponentOf(Math.max(Math.abs(min), Math.abs(max))) - 22);
  let exponent = Math.max(floor, exponentOf(Math.fround(max - min)) - 12);
  while (Math.floor(max / 2 ** exponent) - Math.floor(min / 2 ** exponent) >= BINS && exponent < 126) exponent++;
  return { exponent, first: Math.floor(min / 2 ** exponent) };
}

/** The same counts on a wider grid that covers the first. Saturates at 2^32 − 1. */
export function regrid(counts: Uint32Array, from: Grid, to: Grid, into: Uint32Array = new Uint32Array(BINS)): Uint32Array {
  const ratio = 2 ** (to.exponent - from.exponent);
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    const bin = Math.floor((from.first + i) / ratio) - to.first;
    into[bin] = Math.min(0xffffffff, into[bin]! + count);
  }
  return into;
}

/** CPU twin of the histogram kernel: adds values inside the grid's range to `into`; values outside count at its ends. */
export function histogramCpu(values: ArrayLike<number>, grid: Grid, into: Uint32Array = new Uint32Array(BINS)): Uint32Array {
  const scale = 2 ** -grid.exponent;
  for (let i = 0; i < values.length; i++) {
    // Exact in float64, and cutting off is rounding down from 0 on.
    const bin = (values[i]! * scale - grid.first) | 0;
    const index = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
    into[index] = into[index]! + 1;
  }
  return into;
}
