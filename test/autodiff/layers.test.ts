import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph } from '../../src/autodiff';
import { makeModel, type Node, node, serializeModel, type Tensor, tensor, valueInfo } from '../../src/onnx';
import { createNodeEngine } from '../../src/runtime/node';
import { apart, type Case, checkGradients, normal, type Value } from './differences';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

async function expectGradients(c: Case, tolerance = 2e-4): Promise<void> {
  const { worst, where } = await checkGradients(engine, c);
  expect(worst, `${where}\n${JSON.stringify(c.nodes)}`).toBeLessThan(tolerance);
}

const int = (min: number, max: number) => fc.integer({ min, max });
const seed = int(1, 999);
const dims = (min: number, max: number) => fc.array(int(1, 3), { minLength: min, maxLength: max });
const ints = (name: string, values: readonly number[]): Tensor =>
  tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
const one = (n: Node, x: Value, ...initializers: Tensor[]): Case => ({ nodes: [n], inputs: { x }, initializers });

describe('gradients of moves', () => {
  it.each([
    ['Reshape', node('Reshape', ['x', 'i'], ['y']), [0, -1]],
    ['Squeeze', node('Squeeze', ['x', 'i'], ['y']), [1]],
    ['Unsqueeze', node('Unsqueeze', ['x', 'i'], ['y']), [0, 3]],
    ['Expand', node('Expand', ['x', 'i'], ['y']), [2, 2, 3, 4]],
    ['Tile', node('Tile', ['x', 'i'], ['y']), [2, 3, 1, 2]],
  ] as const)('%s', (_, n, values) => expectGradients(one(n, normal([2, 1, 3, 4], 1), ints('i', values))));

  it('Flatten', () => expectGradients(one(node('Flatten', ['x'], ['y'], { axis: 2 }), normal([2, 1, 3, 4], 1))));

  it('Transpose', async () => {
    await expectGradients(one(node('Transpose', ['x'], ['y'], { perm: [2, 0, 1] }), normal([2, 3, 4], 1)));
    await expectGradients(one(node('Transpose', ['x'], ['y']), normal([2, 3, 4], 1)));
  });

  it('Slice with any bounds and steps', async () => {
    const axis = fc.record({ start: int(-7, 7), end: int(-8, 8), step: fc.constantFrom(1, 1, 2, 3, -1, -2) });
    await fc.assert(
      fc.asyncProperty(int(3, 6), int(2, 5), axis, axis, seed, async (h, w, a, b, s) => {
        const spans = [a, b].map(({ start, end, step }, i) => {
          const size = [h, w][i]!;
          return step > 0 ? [Math.min(start, size - 1), size] : [start < 0 ? size - 1 : Math.max(start, 1), end % 2 ? -(2 ** 31) : 0];
        });
        await expectGradients(
          one(
            node('Slice', ['x', 'starts', 'ends', 'axes', 'steps'], ['y']),
            normal([2, h, w], s),
            ints(
              'starts',
              spans.map(([start]) => start!),
            ),
            ints(
              'ends',
              spans.map(([, end]) => end!),
            ),
            ints('axes', [1, -1]),
            ints('steps', [a.step, b.step]),
          ),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('Concat, all inputs and only some', async () => {
    const nodes = [node('Concat', ['a', 'b', 'c'], ['y'], { axis: -2 })];
    const inputs = { a: normal([2, 1, 3], 1), b: normal([2, 2, 3], 2), c: normal([2, 3, 3], 3) };
    await expectGradients({ nodes, inputs });
    await expectGradients({ nodes, inputs, trainable: ['c'] });
    await expectGradients({ nodes: [node('Concat', ['a', 'a', 'b'], ['y'], { axis: 1 })], inputs: { a: inputs.a, b: inputs.b } });
  });

  it('Split, all outputs and only some', async () => {
    const c = one(node('Split', ['x', 'i'], ['p', 'q', 'r'], { axis: 1 }), normal([2, 6, 2], 1), ints('i', [1, 2, 3]));
    await expectGradients({ ...c, outputs: ['p', 'q', 'r'] });
    await expectGradients({ ...c, outputs: ['q'] });
  });

  it('Gather with repeated and negative indices', async () => {
    await expectGradients(one(node('Gather', ['x', 'i'], ['y'], { axis: 1 }), normal([2, 4, 3], 1), ints('i', [3, 0, -1, 3])));
    const scalar = tensor('i', 'int64', [], BigInt64Array.of(2n));
    await expectGradients(one(node('Gather', ['x', 'i'], ['y']), normal([4, 3], 1), scalar));
    const matrix = tensor('i', 'int64', [2, 2], BigInt64Array.of(0n, 1n, 1n, 1n));
    await expectGradients(one(node('Gather', ['x', 'i'], ['y'], { axis: -1 }), normal([3, 4], 1), matrix));
  });

  it.each(['constant', 'edge', 'reflect'])('Pad, %s', (mode) =>
    expectGradients(one(node('Pad', ['x', 'i'], ['y'], { mode }), normal([2, 4, 5], 1), ints('i', [0, 2, 1, 0, 3, 4]))),
  );

  it('Pad that crops', () => expectGradients(one(node('Pad', ['x', 'i'], ['y']), normal([4, 5], 1), ints('i', [-1, 2, 1, -2]))));

  it('SpaceToDepth and DepthToSpace', async () => {
    await expectGradients(one(node('SpaceToDepth', ['x'], ['y'], { blocksize: 2 }), normal([1, 2, 4, 6], 1)));
    for (const mode of ['DCR', 'CRD'])
      await expectGradients(one(node('DepthToSpace', ['x'], ['y'], { blocksize: 2, mode }), normal([2, 8, 2, 3], 1)));
  });
});

describe('gradients of reductions', () => {
  it.each(['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceL2'])('%s', async (op) => {
    await fc.assert(
      fc.asyncProperty(
        dims(1, 4),
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        seed,
        async (shape, picked, keep, s) => {
          const axes = shape.flatMap((_, i) => (picked[i] ? [i - (i % 2 ? shape.length : 0)] : []));
          const attributes = { keepdims: keep ? 1 : 0 };
          const x = apart(shape, s);
          if (op === 'ReduceSum')
            return expectGradients(
              axes.length > 0
                ? one(node(op, ['x', 'axes'], ['y'], attributes), x, ints('axes', axes))
                : one(node(op, ['x'], ['y'], attributes), x),
            );
          await expectGradients(one(node(op, ['x'], ['y'], axes.length > 0 ? { ...attributes, axes } : attributes), x));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('ReduceMean and ReduceMax of opset 18', async () => {
    for (const op of ['ReduceMean', 'ReduceMax'])
      await expectGradients({ ...one(node(op, ['x', 'axes'], ['y']), apart([2, 3, 4], 1), ints('axes', [1])), opset: 18 });
  });

  it('equal maxima share', async () => {
    const x = { dims: [4], data: Float32Array.of(1, 3, 3, 0) };
    const { gradients } = await checkGradients(engine, one(node('ReduceMax', ['x'], ['y'], { keepdims: 0 }), x));
    const [w] = normal([1], 77).data;
    expect([...(gradients.x!.data as Float32Array)]).toEqual([0, w! / 2, w! / 2, 0]);
  });

  it.each(['Softmax', 'LogSoftmax'])('%s along any axis', async (op) => {
    for (const axis of [-1, 0, 1]) await expectGradients(one(node(op, ['x'], ['y'], { axis }), normal([2, 3, 4], axis + 5)));
  });

  const channels = (c: number, s: number) => ({ scale: normal([c], s, 0.5, 1), shift: normal([c], s + 1) });
  const variance = { dims: [3], data: Float32Array.of(0.5, 1.5, 2) };

  it('BatchNormalization, frozen, by all five inputs', () =>
    expectGradients({
      nodes: [node('BatchNormalization', ['x', 'scale', 'shift', 'mean', 'variance'], ['y'], { epsilon: 1e-3 })],
      inputs: { x: normal([2, 3, 2, 3], 1), ...channels(3, 2), mean: normal([3], 4), variance },
    }));

  it.each(['node', 'webgpu'] as const)('BatchNormalization, training, as %s has it', (target) =>
    expectGradients({
      target,
      nodes: [
        node('BatchNormalization', ['x', 'scale', 'shift', 'mean', 'variance'], ['y', 'm', 'v'], { epsilon: 1e-3, training_mode: 1 }),
      ],
      inputs: { x: normal([3, 3, 2, 2], 1), ...channels(3, 2), mean: normal([3], 4), variance },
      trainable: ['x', 'scale', 'shift'],
      opset: 15,
    }),
  );

  it('BatchNormalization in training gives the same values and running statistics in both forms', async () => {
    const dims = [3, 3, 2, 2];
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', dims), ...['scale', 'shift', 'mean', 'variance'].map((name) => valueInfo(name, 'float32', [3]))],
      outputs: [valueInfo('loss', 'float32', [])],
      nodes: [
        node('BatchNormalization', ['x', 'scale', 'shift', 'mean', 'variance'], ['y', 'm', 'v'], { training_mode: 1, momentum: 0.7 }),
        node('ReduceSum', ['y'], ['loss'], { keepdims: 0 }),
      ],
      opset: 15,
    });
    const feed = ({ dims, data }: Value) => ({ dtype: 'float32' as const, dims, data });
    const feeds = {
      x: feed(normal(dims, 1)),
      ...{ scale: feed(normal([3], 2)), shift: feed(normal([3], 3)), mean: feed(normal([3], 4)), variance: feed(variance) },
    };
    const run = async (target: 'node' | 'webgpu') => {
      const built = buildTrainingGraph(model, { loss: 'loss', trainable: ['scale'], extraOutputs: ['y', 'm', 'v'], target });
      const session = await engine.create(serializeModel(built.model), { optimization: 'disabled' });
      const answers = await session.run(feeds, ['y', 'm', 'v']);
      await session.release();
      return Object.values(answers).flatMap(({ data }) => [...(data as Float32Array)]);
    };
    const [own, lowered] = [await run('node'), await run('webgpu')];
    expect(own).toHaveLength(36 + 6);
    lowered.forEach((value, i) => {
      expect(value).toBeCloseTo(own[i]!, 5);
    });
  });

  it('InstanceNormalization', () =>
    expectGradients({
      nodes: [node('InstanceNormalization', ['x', 'scale', 'shift'], ['y'], { epsilon: 1e-2 })],
      inputs: { x: normal([2, 3, 2, 3], 1), ...channels(3, 2) },
    }));

  it('LayerNormalization', () =>
    expectGradients({
      nodes: [node('LayerNormalization', ['x', 'scale', 'shift'], ['y'], { axis: 1, epsilon: 1e-2 })],
      inputs: { x: normal([2, 3, 4], 1), scale: normal([3, 4], 2), shift: normal([3, 4], 3) },
      opset: 17,
    }));
});

describe('gradients of matrix products', () => {
  it('Gemm of every transposition', async () => {
    for (const transA of [0, 1])
      for (const transB of [0, 1])
        await expectGradients({
          nodes: [node('Gemm', ['a', 'b', 'c'], ['y'], { transA, transB, alpha: 0.7, beta: 1.3 })],
          inputs: { a: normal(transA ? [3, 2] : [2, 3], 1), b: normal(transB ? [4, 3] : [3, 4], 2), c: normal(transA ? [4] : [2, 1], 3) },
        });
  });

  it.each([
    [
      [2, 3],
      [3, 4],
    ],
    [
      [2, 2, 3],
      [3, 2],
    ],
    [
      [2, 1, 2, 3],
      [3, 3, 2],
    ],
    [[3], [3, 2]],
    [[2, 3], [3]],
    [[3], [3]],
    [[2, 2, 3], [3]],
    [[3], [2, 3, 2]],
  ])('MatMul of %j and %j', (a, b) =>
    expectGradients({ nodes: [node('MatMul', ['a', 'b'], ['y'])], inputs: { a: normal(a, 1), b: normal(b, 2) } }),
  );
});
