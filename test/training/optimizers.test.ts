import { describe, expect, it } from 'vitest';
import { applyStep, emptySlots, inUnits, type OptimizerId, type Variable } from '../../src/training/optimizers';
import { averageDecay, rateFactor, SCHEDULE } from '../../src/training/schedule';

const variable = (data: readonly number[], unit: readonly number[], more: Partial<Variable> = {}): Variable => ({
  name: 'v',
  dims: [data.length],
  data: Float32Array.from(data),
  unit: Float32Array.from(unit),
  rate: 0.1,
  ...more,
});

function step(id: OptimizerId, v: Variable, gradients: readonly (readonly number[])[], factor = 1): number[] {
  const data = v.data.slice();
  const slots = emptySlots(id, v);
  for (const [i, g] of gradients.entries()) applyStep(id, v, data, slots, inUnits(v, g), factor, i + 1);
  return [...data];
}

describe('schedule', () => {
  it('rises over the first tenth and falls along a cosine to 2 %', () => {
    expect(rateFactor(0, 100, SCHEDULE)).toBeCloseTo(0.1, 6);
    expect(rateFactor(9, 100, SCHEDULE)).toBeCloseTo(0.02 + 0.49 * (1 + Math.cos(Math.PI * 0.09)), 6);
    expect(rateFactor(50, 100, SCHEDULE)).toBeCloseTo(0.51, 6);
    expect(rateFactor(99, 100, SCHEDULE)).toBeLessThan(0.021);
    for (const step of [0, 9, 50, 99])
      expect(rateFactor(200 + step, 400, { ...SCHEDULE, cycle: 100 })).toBeCloseTo(rateFactor(step, 100, SCHEDULE) / 4, 12);
  });

  it('averages over few steps at first', () => {
    expect([0, 9, 990, 10000].map((s) => averageDecay(s, 0.98))).toEqual([0.1, 10 / 19, 0.98, 0.98]);
  });
});

describe('optimizers', () => {
  it('Adam moves each value by rate · its unit at first, against its gradient, whatever that one’s size', () => {
    const moved = step('adam', variable([0, 0, 0, 0], [1, 100]), [[5, -1e-6, 3, -2e4]]);
    expect(moved[0]).toBeCloseTo(-0.1, 5);
    expect(moved[1]).toBeCloseTo(0.1, 3);
    expect(moved[2]).toBeCloseTo(-10, 3);
    expect(moved[3]).toBeCloseTo(10, 3);
  });

  it('Adam follows the moments by hand', () => {
    // Gradients 1 then −1: m = −0.01 / 0.19, v = 0.0199 / 0.0199, so the second step is +0.1 · 0.01 / 0.19.
    const [x] = step('adam', variable([0], [1]), [[1], [-1]]) as [number];
    expect(x).toBeCloseTo(-0.1 + (0.1 * 0.01) / 0.19, 5);
  });

  it('AdamW decays a value that has no gradient', () => {
    expect(step('adamw', variable([2], [1]), [[0]])[0]).toBeCloseTo(2 - 0.1 * 0.01 * 2, 6);
    expect(step('adam', variable([2], [1]), [[0]])[0]).toBe(2);
  });

  it('SGD scales every channel’s gradient to an rms of 1', () => {
    const small = step('sgd', variable([0, 0, 0, 0], [1, 1]), [[3e-5, 4e-5, 3e5, 4e5]]);
    expect(small[2]).toBeCloseTo(small[0]!, 6);
    // A tenth of the momentum: 0.1 · 0.1 · 3 / √12.5.
    expect(small[0]).toBeCloseTo((-0.01 * 3) / Math.sqrt(12.5), 6);
  });

  it('keeps values in their bounds and honours the schedule’s factor', () => {
    expect(step('adam', variable([0.02], [1], { min: 0 }), [[1]])).toEqual([0]);
    expect(step('adam', variable([254], [80], { max: 255 }), [[-1]])).toEqual([255]);
    expect(step('adam', variable([0], [1]), [[1]], 0.5)[0]).toBeCloseTo(-0.05, 6);
  });

  it('refuses a gradient of another size', () => {
    expect(() => inUnits(variable([1, 2], [1]), [1])).toThrow('The gradient of "v" has 1 values for 2');
  });
});
