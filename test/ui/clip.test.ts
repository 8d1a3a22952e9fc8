import { describe, expect, it } from 'vitest';
import { clipCost } from '../../src/ui/layers/clip';

/** Bins of width 1 over [-2, 6): one value each in the bins around −1.5 … 4.5, eight at 5.5. */
const stats = { histogram: Uint32Array.from([1, 1, 1, 1, 1, 1, 1, 8]), histogramMin: -2, histogramMax: 6, min: -1.6, max: 5.6 };

describe('the cost of a clip range', () => {
  it('is rounding alone where nothing is clipped', () => {
    const { clipped, step, sqnr } = clipCost(stats, -2, 6, 256);
    expect(clipped).toBe(0);
    expect(step).toBeCloseTo(8 / 255, 12);
    const signal = 1.5 ** 2 + 0.5 ** 2 + 0.5 ** 2 + 1.5 ** 2 + 2.5 ** 2 + 3.5 ** 2 + 4.5 ** 2 + 8 * 5.5 ** 2;
    expect(sqnr).toBeCloseTo(10 * Math.log10(signal / ((15 * (8 / 255) ** 2) / 12)), 9);
  });

  it('counts what lies beyond either end', () => {
    const { clipped, sqnr } = clipCost(stats, -1, 5, 256);
    expect(clipped).toBeCloseTo(9 / 15, 12);
    const noise = 0.5 ** 2 + 8 * 0.5 ** 2 + (6 * (6 / 255) ** 2) / 12;
    expect(10 ** (sqnr / 10)).toBeCloseTo(
      (1.5 ** 2 + 0.5 ** 2 + 0.5 ** 2 + 1.5 ** 2 + 2.5 ** 2 + 3.5 ** 2 + 4.5 ** 2 + 8 * 5.5 ** 2) / noise,
      6,
    );
  });

  it('is least somewhere between everything and too little', () => {
    const wide = Uint32Array.from({ length: 100 }, (_, i) => (i < 20 ? 1000 : i === 99 ? 1 : 0));
    const tail = { histogram: wide, histogramMin: 0, histogramMax: 100, min: 0.2, max: 99.8 };
    const at = (high: number) => clipCost(tail, 0, high, 16).sqnr;
    expect(at(20)).toBeGreaterThan(at(100));
    expect(at(20)).toBeGreaterThan(at(8));
  });

  it('clips nothing where a bin reaches beyond the largest value', () => {
    const edge = { histogram: Uint32Array.from([4, 4]), histogramMin: 0, histogramMax: 4, min: 1, max: 2.5 };
    expect(clipCost(edge, 0, 2.5, 256).clipped).toBe(0);
  });

  it('is no noise for no values', () => {
    expect(clipCost({ ...stats, histogram: new Uint32Array(8) }, -1, 1, 256)).toMatchObject({ clipped: 0, sqnr: Number.POSITIVE_INFINITY });
  });
});
