import { describe, expect, it } from 'vitest';
import { BINS, exponentOf, gramCpu, gridFor, histogramCpu, momentsCpu, planesOf, rangeCpu, regrid } from '../../src/kernels';
import { createRandom } from '../../src/numerics';

describe('the histogram grid', () => {
  it('is the narrowest power of two that fits', () => {
    expect([exponentOf(1), exponentOf(-0.75), exponentOf(6), exponentOf(0)]).toEqual([0, -1, 2, -127]);
    // 2048 bins of 2^-9 cover 4 exactly; from −2 to just below 2.
    expect(gridFor(-2, 1.9999)).toEqual({ exponent: -9, first: -1024 });
    expect(gridFor(-2, 2)).toEqual({ exponent: -8, first: -512 });
    expect(gridFor(0, 255)).toEqual({ exponent: -3, first: 0 });
    expect(gridFor(5, 5)).toEqual({ exponent: -20, first: 5 * 2 ** 20 });
    expect(gridFor(0, 0).first).toBe(0);
  });

  it('gives one result whatever the order in which the range grows', () => {
    const random = createRandom(3);
    const batches = [0.01, 3, 0.5, 40].map((size) => Float32Array.from({ length: 500 }, () => (random.next() - 0.3) * size));
    const all = batches.flatMap((b) => [...b]);
    const extremes = (v: readonly number[]) => [Math.min(...v), Math.max(...v)] as const;
    const total = gridFor(...extremes(all));
    const whole = histogramCpu(all, total);
    expect(whole.reduce((a, b) => a + b)).toBe(2000);
    for (const order of [
      [0, 1, 2, 3],
      [3, 1, 0, 2],
    ]) {
      let seen: number[] = [];
      let grid = gridFor(...extremes([...batches[order[0]!]!]));
      let counts = new Uint32Array(BINS);
      for (const k of order) {
        seen = [...seen, ...batches[k]!];
        const wider = gridFor(...extremes(seen));
        counts = new Uint32Array(regrid(counts, grid, wider));
        histogramCpu(batches[k]!, wider, counts);
        grid = wider;
      }
      expect(grid).toEqual(total);
      expect(counts).toEqual(whole);
    }
  });
});

describe('the CPU twins', () => {
  it('give hand-worked values', () => {
    const x = [1, -2, 3, 4, 0.5, 0, -1, 7];
    const planes = planesOf([2, 2, 2]);
    expect(planes).toEqual({ outer: 2, channels: 2, inner: 2 });
    expect(rangeCpu(x, planes)).toEqual({ min: new Float32Array([-2, -1]), max: new Float32Array([1, 7]) });
    expect(momentsCpu(x)).toEqual({ sum: 12.5, sumSquares: 80.25 });
    expect([...gramCpu(x, planes)]).toEqual([5.25, -5.5, -5.5, 75]);
    expect(() => planesOf([1, 0, 3])).toThrow("A kernel can't read the shape [1, 0, 3].");
  });
});
