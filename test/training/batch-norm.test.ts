import { afterAll, describe, expect, it } from 'vitest';
import { foldBatchNorm, makeModel, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { withValues } from '../../src/training';
import { openStatistics } from '../../src/training/batch-norm';

let shared: Promise<Engine> | null = null;
const engine = () => (shared ??= createNodeEngine({ threads: 1 }));
afterAll(async () => (await shared)?.dispose());

const floats = (name: string, dims: number[], values: number[]) => tensor(name, 'float32', dims, Float32Array.from(values));

/** y = BatchNormalization(conv(x, w)), over the batch or by constants. */
function network(training: boolean, open: boolean) {
  const attributes = { epsilon: 1e-3, ...(training ? { momentum: { type: 'float' as const, value: 0 }, training_mode: 1 } : {}) };
  const outputs = training ? ['y', 'batch_mean', 'batch_var'] : ['y'];
  return makeModel({
    inputs: [valueInfo('x', 'float32', [1, 1, 1, 4]), ...(open ? [valueInfo('w', 'float32', [1, 1, 1, 1])] : [])],
    outputs: [valueInfo('y', 'float32', [1, 1, 1, 4])],
    nodes: [node('Conv', ['x', 'w'], ['c']), node('BatchNormalization', ['c', 'gamma', 'beta', 'mean', 'var'], outputs, attributes)],
    initializers: [
      ...(open ? [] : [floats('w', [1, 1, 1, 1], [1])]),
      floats('gamma', [1], [2]),
      floats('beta', [1], [5]),
      floats('mean', [1], [0]),
      floats('var', [1], [1]),
    ],
    opset: 15,
  });
}

const row = (...values: number[]) => ({ dtype: 'float32' as const, dims: [1, 1, 1, 4], data: Float32Array.from(values) });

describe('statistics of normalisations', () => {
  it('are means over the batches, at the weights that are given; folded they normalise as they say', async () => {
    const statistics = await openStatistics(await engine(), network(true, true));
    const w = Float32Array.of(3);
    const batches = [{ images: { x: row(1, 2, 3, 4) } }, { images: { x: row(0, 0, 4, 4) } }];
    const found = await statistics.measure({ w: { dtype: 'float32', dims: [1, 1, 1, 1], data: w } }, batches);
    await statistics.release();
    // Of 3, 6, 9, 12: mean 7.5, variance 11.25; of 0, 0, 12, 12: 6 and 36.
    expect(found.mean![0]).toBeCloseTo(6.75, 5);
    expect(found.var![0]).toBeCloseTo(23.625, 4);
    const folded = foldBatchNorm(withValues(network(false, false), { w, ...found }));
    expect(folded.graph.nodes.map(({ op }) => op)).toEqual(['Conv']);
    const session = await (await engine()).create(serializeModel(folded));
    const { y } = await session.run({ x: row(0, 1, 2, 3) });
    await session.release();
    [0, 3, 6, 9].forEach((c, i) => {
      expect(y!.data[i]! as number).toBeCloseTo(5 + (2 * (c - 6.75)) / Math.sqrt(23.625 + 1e-3), 4);
    });
  });
});
