import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/numerics';
import { type Objective, TRAIN_SETTINGS, type TrainCheckpoint, train, type Values, type Variable } from '../../src/training';

const never = { cancel: { throwIfAborted() {} } };
const target = [3, -2, 40];

const variables: readonly Variable[] = [
  { name: 'a', dims: [2], data: Float32Array.of(0, 0), unit: Float32Array.of(1), rate: 0.1 },
  { name: 'b', dims: [1], data: Float32Array.of(0), unit: Float32Array.of(10), rate: 0.1 },
];

const flat = (values: Values): number[] => [...values.a!, ...values.b!];

/** Σ (x − target)²; every step sees it with another, repeatable disturbance of the gradient. */
function quadratic(noise = 0): Objective {
  return {
    async gradients(values, step) {
      const d = flat(values).map((x, i) => x - target[i]!);
      const g = d.map((x, i) => 2 * x + noise * Math.sin(37 * step + i));
      return {
        loss: d.reduce((sum, x) => sum + x * x, 0),
        gradients: { a: Float32Array.from(g.slice(0, 2)), b: Float32Array.from(g.slice(2)) },
      };
    },
    judge: async (values) => flat(values).reduce((sum, x, i) => sum + (x - target[i]!) ** 2, 0),
  };
}

const settings = { ...TRAIN_SETTINGS, steps: 200, judgeEvery: 20 };

describe('training', () => {
  it('finds the minimum of a quadratic in units of each variable', async () => {
    const { values, best, curve, rollbacks } = await train(quadratic(), variables, settings, never);
    flat(values).forEach((x, i) => {
      expect(Math.abs(x - target[i]!)).toBeLessThan(0.2);
    });
    expect(best.unseen).toBeLessThan(0.1);
    expect(curve.map(({ step }) => step)).toEqual([0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
    expect(curve[0]).toEqual({ step: 0, loss: null, unseen: 9 + 4 + 1600 });
    expect(rollbacks).toBe(0);
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const whole = await train(quadratic(5), variables, settings, never);
    const checkpoints: TrainCheckpoint[] = [];
    await train(quadratic(5), variables, settings, { ...never, onCheckpoint: (c) => void checkpoints.push(c) });
    const stored = structuredClone(checkpoints[3]!);
    expect(stored.state.step).toBe(80);
    const rest = await train(quadratic(5), variables, settings, never, stored);
    expect(rest.values).toEqual(whole.values);
    expect(rest.state).toEqual(whole.state);
  });

  it('returns the best on unseen data, not the last', async () => {
    // Unseen data want a = 1 on the way to 3.
    const objective = { ...quadratic(), judge: async (values: Values) => (values.a![0]! - 1) ** 2 };
    const { values, best, state } = await train(objective, variables, settings, never);
    expect(best.step).toBeGreaterThan(0);
    expect(best.step).toBeLessThan(200);
    expect(Math.abs(values.a![0]! - 1)).toBeLessThan(Math.abs(state.average.a![0]! - 1));
  });

  it('stops when unseen data stop getting better', async () => {
    const objective = { ...quadratic(), judge: async () => 1 };
    const { curve, values } = await train(objective, variables, { ...settings, patience: 2 }, never);
    expect(curve.map(({ step }) => step)).toEqual([0, 20, 40]);
    expect(flat(values)).toEqual([0, 0, 0]);
  });

  it('goes back with half the rate when the loss is no number, and reports it', async () => {
    const quad = quadratic();
    const rates: number[] = [];
    const objective: Objective = {
      ...quad,
      async gradients(values, step) {
        // Breaks only at full rate: past 5 on the way to 40 before step 30.
        const all = await quad.gradients(values, step);
        return step < 30 && values.b![0]! > 12 ? { ...all, loss: Number.NaN } : all;
      },
    };
    const result = await train(objective, variables, settings, { ...never, onStep: ({ factor }) => rates.push(factor) });
    expect(result.rollbacks).toBeGreaterThanOrEqual(1);
    expect(result.best.unseen).toBeLessThan(1613);
    expect(Math.max(...rates)).toBeGreaterThan(2 * rates.at(-1)!);
    expect(result.values.b!.every(Number.isFinite)).toBe(true);
  });

  it('treats a sudden explosion and an infinite gradient as divergence, and gives up after several', async () => {
    const quad = quadratic();
    const explode = (broken: Partial<Awaited<ReturnType<Objective['gradients']>>>): Objective => ({
      ...quad,
      gradients: async (values, step) => ({ ...(await quad.gradients(values, step)), ...(step === 10 ? broken : {}) }),
    });
    for (const broken of [{ loss: 1e9 }, { gradients: { a: Float32Array.of(Number.POSITIVE_INFINITY, 0), b: Float32Array.of(0) } }]) {
      const { rollbacks, values } = await train(explode(broken), variables, settings, never);
      expect(rollbacks).toBe(6);
      expect(flat(values)).toEqual([0, 0, 0]);
    }
  });

  it('stops between steps when it is cancelled', async () => {
    let steps = 0;
    const cancel = {
      throwIfAborted() {
        if (steps >= 7) throw new StudioError('cancelled', 'Cancelled.', '');
      },
    };
    await expect(train(quadratic(), variables, settings, { cancel, onStep: () => steps++ })).rejects.toThrow('Cancelled.');
    expect(steps).toBe(7);
  });

  it('refuses to start from a loss that is no number', async () => {
    const objective = { ...quadratic(), judge: async () => Number.NaN };
    await expect(train(objective, variables, settings, never)).rejects.toThrow('not a number before the first training step');
  });
});
