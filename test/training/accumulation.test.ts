import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/numerics';
import { type Model, makeModel, node, tensor, valueInfo } from '../../src/onnx';
import type { RunTensor } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { type Batch, openObjective, type TargetSource, type Variable } from '../../src/training';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

const PIXELS = 3 * 5 * 5;

/** Two layers on `count` images; loss = Σ (y − target)² / mass. */
function student(count: number, variables: readonly Variable[]): Model {
  return makeModel({
    inputs: [
      valueInfo('x', 'float32', [count, 3, 5, 5]),
      valueInfo('target', 'float32', [count, 2, 5, 5]),
      valueInfo('mass', 'float32', []),
    ],
    outputs: [valueInfo('loss', 'float32', [])],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Sigmoid', ['c'], ['s']),
      node('Mul', ['c', 's'], ['a']),
      node('Conv', ['a', 'w2', 'b2'], ['y']),
      node('Sub', ['y', 'target'], ['difference']),
      node('Mul', ['difference', 'difference'], ['square']),
      node('ReduceSum', ['square'], ['total'], { keepdims: 0 }),
      node('Div', ['total', 'mass'], ['loss']),
    ],
    initializers: variables.map(({ name, dims, data }) => tensor(name, 'float32', dims, data)),
  });
}

const floats = (dims: readonly number[], data: Float32Array): RunTensor => ({ dtype: 'float32', dims, data });

/** Targets and mass that follow from the images alone. */
const source: TargetSource = {
  async targets({ images }) {
    const { data, dims } = images.x!;
    const x = data as Float32Array;
    const count = dims[0]!;
    const target = Float32Array.from({ length: count * 50 }, (_, i) => x[Math.floor(i / 50) * PIXELS + (i % 50)]! ** 2);
    const mass = x.reduce((sum, v) => sum + Math.abs(v), 0);
    return { feeds: { target: floats([count, 2, 5, 5], target), mass: floats([], Float32Array.of(mass)) }, mass };
  },
  async release() {},
};

describe('gradient accumulation', () => {
  it('makes N micro-batches of one batch, whatever their masses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 999 }), async (count, seed) => {
        const random = createRandom(seed);
        const normal = (n: number, spread: number) => Float32Array.from({ length: n }, () => spread * random.normal());
        const variable = (name: string, dims: readonly number[]): Variable => ({
          ...{ name, dims, rate: 1, unit: Float32Array.of(1) },
          data: normal(
            dims.reduce((a, b) => a * b, 1),
            0.4,
          ),
        });
        const variables = [variable('w1', [4, 3, 3, 3]), variable('b1', [4]), variable('w2', [2, 4, 1, 1]), variable('b2', [2])];
        // Images of very different brightness: masses differ up to thirtyfold.
        const images = Array.from({ length: count }, (_, i) => normal(PIXELS, 0.03 * 3 ** (4 * (i / count))));
        const joined = new Float32Array(count * PIXELS);
        for (const [i, image] of images.entries()) joined.set(image, i * PIXELS);
        const single = images.map((image): Batch => ({ images: { x: floats([1, 3, 5, 5], image) } }));
        const whole: Batch = { images: { x: floats([count, 3, 5, 5], joined) } };
        const answer = async (size: number, batches: readonly Batch[]) => {
          const objective = await openObjective({
            ...{ engine, teacher: source, student: { model: student(size, variables), loss: 'loss' }, variables },
            batches: async () => batches,
            unseen: { count: 1, at: async () => batches[0]! },
          });
          const values = Object.fromEntries(variables.map(({ name, data }) => [name, data]));
          const made = await objective.gradients(values, 0);
          await objective.release();
          return made;
        };
        const parts = await answer(1, single);
        const all = await answer(count, [whole]);
        expect(parts.loss / all.loss).toBeCloseTo(1, 5);
        for (const { name } of variables) {
          const [a, b] = [parts.gradients[name]!, all.gradients[name]!];
          const scale = b.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
          expect(scale, name).toBeGreaterThan(1e-3);
          const worst = a.reduce((most, g, i) => Math.max(most, Math.abs(g - b[i]!)), 0);
          expect(worst / scale, name).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 8 },
    );
  });
});
