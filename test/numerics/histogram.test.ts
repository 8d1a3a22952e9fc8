import { describe, expect, it } from 'vitest';
import {
  createRandom,
  fakeQuant,
  type HistogramLike,
  histogramError,
  histogramQuantile,
  leastErrorRange,
  percentileRange,
  qparamsFromRange,
} from '../../src/numerics';

const UINT8 = { bits: 8, signed: false, symmetric: false } as const;

function histogramOf(data: Float32Array, bins: number): HistogramLike {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const x of data) {
    min = Math.min(min, x);
    max = Math.max(max, x);
  }
  const histogram = new Uint32Array(bins);
  for (const x of data) histogram[Math.min(bins - 1, Math.floor(((x - min) / (max - min)) * bins))]!++;
  return { min, max, histogram, histogramMin: min, histogramMax: max };
}

describe('histogramQuantile', () => {
  const h = { min: 0.5, max: 10, histogram: [10, 0, 80, 10], histogramMin: 0, histogramMax: 10 };

  it('interpolates within a bin and skips empty ones', () => {
    expect(histogramQuantile(h, 0.5)).toBeCloseTo(5 + (40 / 80) * 2.5, 12);
    expect(histogramQuantile(h, 0.1)).toBeCloseTo(2.5, 12);
    expect(histogramQuantile(h, 0.95)).toBeCloseTo(8.75, 12);
  });

  it('stays within the true extremes', () => {
    expect(histogramQuantile(h, 0)).toBe(0.5);
    expect(histogramQuantile(h, 0.001)).toBe(0.5);
    expect(histogramQuantile(h, 1)).toBe(10);
  });

  it('an empty histogram falls back to the extremes', () => {
    expect(percentileRange({ ...h, histogram: [0, 0] }, 99)).toEqual([0.5, 10]);
  });
});

describe('percentileRange', () => {
  it('leaves out one value in a thousand on each side of a uniform density', () => {
    const uniform = { min: 0, max: 1000, histogram: new Uint32Array(1000).fill(7), histogramMin: 0, histogramMax: 1000 };
    const [lo, hi] = percentileRange(uniform, 99.9);
    expect(lo).toBeCloseTo(1, 6);
    expect(hi).toBeCloseTo(999, 6);
    expect(percentileRange(uniform, 100)).toEqual([0, 1000]);
  });
});

describe('histogramError', () => {
  it.each([2048, 64])('equals the error measured on the values themselves (%d bins)', (bins) => {
    const random = createRandom(11);
    const data = Float32Array.from({ length: 200_000 }, () => random.normal());
    const params = qparamsFromRange(-2, 2.5, UINT8);
    const back = fakeQuant({ dims: [data.length], data }, params);
    const measured = back.reduce((sum, y, i) => sum + (y - data[i]!) ** 2, 0) / data.length;
    expect(histogramError(histogramOf(data, bins), params) / measured).toBeCloseTo(1, 1);
  });

  it('is step²/12 inside the grid and the distance outside', () => {
    const step = Math.fround(1 / 255);
    const inside = { min: 0, max: 1, histogram: [100], histogramMin: 0, histogramMax: 1 };
    expect(histogramError(inside, qparamsFromRange(0, 1, UINT8))).toBeCloseTo(step ** 2 / 12, 9);
    const outside = { min: 3, max: 3, histogram: [5], histogramMin: 3, histogramMax: 3 };
    expect(histogramError(outside, qparamsFromRange(0, 1, UINT8))).toBeCloseTo(4, 5);
  });
});

describe('leastErrorRange', () => {
  it('keeps the full range of a uniform density', () => {
    const uniform = { min: -1, max: 3, histogram: new Uint32Array(512).fill(50), histogramMin: -1, histogramMax: 3 };
    expect(leastErrorRange(uniform, UINT8)).toEqual([-1, 3]);
  });

  it('finds the clip that a brute-force search on the values themselves finds', () => {
    const random = createRandom(2);
    const data = Float32Array.from({ length: 200_000 }, () => Math.abs(random.normal()));
    data[77] = 10;
    const h = histogramOf(data, 4096);
    const error = (top: number) => {
      const back = fakeQuant({ dims: [data.length], data }, qparamsFromRange(0, top, UINT8));
      return back.reduce((sum, y, i) => sum + (y - data[i]!) ** 2, 0);
    };
    const tops = Array.from({ length: 30 }, (_, i) => h.max * 0.97 ** i);
    const best = Math.min(...tops.map(error));
    const [lo, hi] = leastErrorRange(h, UINT8);
    expect(lo).toBe(0);
    expect(best).toBeLessThan(error(h.max) * 0.9);
    expect(error(hi)).toBeLessThan(best * 1.02);
  });

  it('handles all-zero tensors', () => {
    expect(leastErrorRange({ min: 0, max: 0, histogram: [9], histogramMin: 0, histogramMax: 0 }, UINT8)).toEqual([0, 0]);
  });
});
