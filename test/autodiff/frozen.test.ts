import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph, splitFrozen } from '../../src/autodiff';
import { createRandom } from '../../src/numerics';
import { type Model, makeModel, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import type { RunTensor, Tensors } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { openPrefix } from '../../src/training';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

const random = createRandom(3);
const values = (dims: readonly number[], spread = 0.5): RunTensor => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => spread * random.normal()),
});

const WEIGHTS: Readonly<Record<string, RunTensor>> = {
  w1: values([4, 3, 3, 3]),
  w2: values([4, 4, 1, 1]),
  w3: values([4, 4, 3, 3]),
  w4: values([2, 8, 1, 1]),
  scale: values([1]),
};

/** w1 → w2 → w3, with a branch from w1's layer around both; the loss compares with a target. */
function network(): Model {
  const pads = [1, 1, 1, 1];
  return makeModel({
    inputs: [valueInfo('x', 'float32', [1, 3, 6, 6]), valueInfo('target', 'float32', [1, 2, 6, 6])],
    outputs: [valueInfo('loss', 'float32', []), valueInfo('early', 'float32', [1, 4, 6, 6])],
    nodes: [
      node('Conv', ['x', 'w1'], ['c1'], { pads }),
      node('Relu', ['c1'], ['early']),
      node('Conv', ['early', 'w2'], ['c2']),
      node('Sigmoid', ['c2'], ['s2']),
      node('Mul', ['c2', 's2'], ['a2']),
      node('Exp', ['scale'], ['e']),
      node('Mul', ['a2', 'e'], ['m2']),
      node('Conv', ['m2', 'w3'], ['c3'], { pads }),
      node('Concat', ['c3', 'early'], ['joined'], { axis: 1 }),
      node('Conv', ['joined', 'w4'], ['c4']),
      node('Abs', ['target'], ['wanted']),
      node('Sub', ['c4', 'wanted'], ['difference']),
      node('Mul', ['difference', 'difference'], ['square']),
      node('ReduceSum', ['square'], ['loss'], { keepdims: 0 }),
    ],
    initializers: Object.entries(WEIGHTS).map(([name, { dims, data }]) => tensor(name, 'float32', dims, data as Float32Array)),
  });
}

async function gradientsOf(model: Model, trainable: readonly string[], feeds: Tensors): Promise<(readonly number[])[]> {
  const built = buildTrainingGraph(model, { loss: 'loss', trainable });
  const session = await engine.create(serializeModel(built.model), { optimization: 'disabled' });
  const answers = await session.run({ ...feeds, ...WEIGHTS });
  await session.release();
  return ['loss', ...trainable.map((name) => built.gradients.get(name)!)].map((name) => [...(answers[name]!.data as Float32Array)]);
}

describe('a network with a frozen prefix', () => {
  const feeds = { x: values([1, 3, 6, 6], 1), target: values([1, 2, 6, 6]) };

  it('has the gradients of the whole, whatever is trained', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(Object.keys(WEIGHTS), { minLength: 1 }), async (trainable) => {
        const { prefix, rest, cut } = splitFrozen(network(), trainable);
        const known = await runOnce(prefix!, feeds, 'disabled');
        expect(cut.includes('early') || cut.includes('joined')).toBe(!trainable.includes('w1'));
        for (const value of cut) expect(Object.keys(known)).toContain(value);
        expect(await gradientsOf(rest, trainable, { ...feeds, ...known })).toEqual(await gradientsOf(network(), trainable, feeds));
      }),
      { numRuns: 15 },
    );
  });

  it('is cut in front of what training changes', () => {
    const { prefix, rest, cut } = splitFrozen(network(), ['w3']);
    expect([...cut].sort()).toEqual(['early', 'm2', 'wanted']);
    expect(prefix!.graph.nodes.map((n) => n.outputs[0])).toEqual(['c1', 'early', 'c2', 's2', 'a2', 'e', 'm2', 'wanted']);
    expect(rest.graph.nodes.map((n) => n.outputs[0])).toEqual(['c3', 'joined', 'c4', 'difference', 'square', 'loss']);
    expect(rest.graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['m2', [1, 4, 6, 6]],
      ['early', [1, 4, 6, 6]],
      ['wanted', [1, 2, 6, 6]],
    ]);
    expect(rest.graph.outputs.map(({ name }) => name)).toEqual(['loss']);
    expect([...rest.graph.initializers.keys()]).toEqual(['w3', 'w4']);
  });

  it('reads the inputs that it may, and only those', () => {
    const { prefix, cut, rest } = splitFrozen(network(), ['w3'], ['x']);
    expect([...cut].sort()).toEqual(['early', 'm2']);
    expect(prefix!.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(rest.graph.inputs.map(({ name }) => name)).toEqual(['target', 'm2', 'early']);
  });

  it('is null where everything changes', () => {
    const whole = network();
    expect(splitFrozen(whole, ['w1'], ['x'])).toEqual({ prefix: null, rest: whole, cut: [] });
  });
});

async function runOnce(model: Model, feeds: Tensors, optimization: 'all' | 'disabled' = 'all') {
  const session = await engine.create(serializeModel(model), { optimization });
  const answers = await session.run(feeds);
  await session.release();
  return answers;
}

describe('the cache of a frozen prefix', () => {
  const prefix = splitFrozen(network(), ['w3'], ['x']).prefix!;
  const image = (i: number) => ({ x: { dtype: 'float32' as const, dims: [1, 3, 6, 6], data: new Float32Array(108).fill(i) } });
  /** Bytes of m2 and early for one image. */
  const ONE = 2 * 4 * 36 * 4;

  it('runs once an image, and every time for images without a name', async () => {
    const cache = await openPrefix(engine, prefix);
    const asked: number[] = [];
    const ask = (key: number | null, i: number) =>
      cache.answer(key, () => {
        asked.push(i);
        return image(i);
      });
    const first = await ask(1, 1);
    const second = await ask(2, 2);
    expect(await ask(1, 1)).toBe(first);
    expect(await ask(2, 2)).toBe(second);
    expect(await ask(null, 1)).toEqual(first);
    expect(second).not.toEqual(first);
    expect(asked).toEqual([1, 2, 1]);
    expect([cache.images, cache.bytes]).toEqual([2, 2 * ONE]);
    expect(first).toEqual(await runOnce(prefix, image(1)));
    await cache.release();
    expect([cache.images, cache.bytes]).toEqual([0, 0]);
    await expect(ask(3, 3)).rejects.toThrow('released');
  });

  it('keeps the first images that there is room for', async () => {
    const cache = await openPrefix(engine, prefix, { maxBytes: 2 * ONE + 10 });
    let runs = 0;
    for (let epoch = 0; epoch < 2; epoch++)
      for (let i = 0; i < 4; i++)
        await cache.answer(i, () => {
          runs++;
          return image(i);
        });
    expect([cache.images, cache.bytes, runs]).toEqual([2, 2 * ONE, 6]);
    await cache.release();
  });
});
