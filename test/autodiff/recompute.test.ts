import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph, fakeQuantNode, type Recompute } from '../../src/autodiff';
import { createRandom } from '../../src/numerics';
import { type Model, makeModel, type Node, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import type { RunTensor, Tensors } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

const CHANNELS = 4;
const SIZE = 8;

/** Convolutions with SiLU, pools, residuals, concatenations and quantizers, `count` blocks of them. */
function network(count: number, seed: number): { model: Model; trainable: string[]; feeds: Tensors } {
  const random = createRandom(seed);
  const nodes: Node[] = [];
  const values = new Map<string, RunTensor>();
  const put = (name: string, dims: readonly number[], spread = 0.4) => {
    const size = dims.reduce((a, b) => a * b, 1);
    values.set(name, { dtype: 'float32', dims, data: Float32Array.from({ length: size }, () => spread * random.normal()) });
  };
  put('x', [2, CHANNELS, SIZE, SIZE], 1);
  let value = 'x';
  for (let i = 0; i < count; i++) {
    put(`w${i}`, [CHANNELS, CHANNELS, 3, 3]);
    put(`b${i}`, [CHANNELS]);
    put(`d${i}`, [CHANNELS, 1, 3, 3]);
    const pads = [1, 1, 1, 1];
    nodes.push(
      node('Conv', [value, `w${i}`, `b${i}`], [`c${i}`], { pads }),
      node('Sigmoid', [`c${i}`], [`s${i}`]),
      node('Mul', [`c${i}`, `s${i}`], [`a${i}`]),
      node('Conv', [`a${i}`, `d${i}`], [`e${i}`], { pads, group: CHANNELS }),
    );
    const kind = i % 3;
    if (kind === 0) nodes.push(node('Add', [`e${i}`, value], [`y${i}`]));
    if (kind === 1) {
      put(`log${i}`, [], 0.1);
      nodes.push(fakeQuantNode(`e${i}`, `log${i}`, '', `y${i}`, { qmin: -128, qmax: 127, gradient: 'lsq' }));
    }
    if (kind === 2) nodes.push(node('MaxPool', [`e${i}`], [`y${i}`], { kernel_shape: [3, 3], pads }));
    value = `y${i}`;
  }
  nodes.push(node('Concat', [value, 'a0'], ['joined'], { axis: 1 }), node('Mul', ['joined', 'joined'], ['square']));
  nodes.push(node('ReduceSum', ['square'], ['loss'], { keepdims: 0 }));
  const trainable = [...values.keys()].filter((name) => name !== 'x');
  const model = makeModel({
    inputs: [valueInfo('x', 'float32', values.get('x')!.dims)],
    outputs: [valueInfo('loss', 'float32', [])],
    nodes,
    initializers: trainable.map((name) => tensor(name, 'float32', values.get(name)!.dims, values.get(name)!.data as Float32Array)),
  });
  return { model, trainable, feeds: Object.fromEntries(values) };
}

async function run(model: Model, trainable: readonly string[], feeds: Tensors, recompute: Recompute, target: 'node' | 'wasm') {
  const built = buildTrainingGraph(model, { loss: 'loss', trainable, recompute, target });
  const session = await engine.create(serializeModel(built.model), { optimization: 'disabled' });
  const outputs = await session.run(feeds);
  await session.release();
  return { outputs, graph: built.model.graph };
}

const copies = (nodes: readonly Node[]) => nodes.filter((n) => n.outputs.some((y) => y.includes('/again')));

describe('computing activations again', () => {
  it('gives the same gradients to the bit, in any number of segments and whatever is trained', async () => {
    const setting = fc.record({
      blocks: fc.integer({ min: 2, max: 7 }),
      recompute: fc.constantFrom<Recompute>('segments', 2, 3, 5, 8),
      target: fc.constantFrom('node' as const, 'wasm' as const),
      seed: fc.integer({ min: 1, max: 999 }),
    });
    await fc.assert(
      fc.asyncProperty(setting, async ({ blocks, recompute, target, seed }) => {
        const { model, trainable, feeds } = network(blocks, seed);
        const random = createRandom(seed);
        const some = random.shuffle(trainable).slice(0, 1 + Math.floor(random.next() * trainable.length));
        const plain = await run(model, some, feeds, 'none', target);
        const again = await run(model, some, feeds, recompute, target);
        expect(copies(plain.graph.nodes)).toEqual([]);
        expect(Object.keys(again.outputs)).toEqual(Object.keys(plain.outputs));
        for (const [name, { data }] of Object.entries(plain.outputs)) expect(again.outputs[name]!.data, name).toEqual(data);
      }),
      { numRuns: 12 },
    );
  });

  it('keeps what crosses the cuts, copies the rest, and nothing of the last segment', () => {
    const { model, trainable } = network(6, 1);
    const { graph } = buildTrainingGraph(model, { loss: 'loss', trainable, recompute: 3 }).model;
    const again = copies(graph.nodes);
    const convolutions = again.flatMap((n) => (n.op === 'Conv' ? n.outputs : []));
    expect(convolutions.length).toBeGreaterThan(4);
    expect(convolutions.length).toBeLessThan(10);
    expect(convolutions.some((name) => /^[ce]5/.test(name))).toBe(false);
    // Every copy waits for a gradient: it reads another copy or a barrier.
    const barriers = new Set(graph.nodes.flatMap((n) => (n.op === 'Where' ? n.outputs : [])));
    const made = new Set([...barriers, ...again.flatMap((n) => n.outputs)]);
    const parameters = (n: Node) => n.op === 'Exp' || n.op === 'QuantizeLinear';
    expect(again.filter((n) => !parameters(n) && !n.inputs.some((x) => made.has(x)))).toEqual([]);
  });

  it('refuses a number of segments that is none', () => {
    const { model, trainable } = network(2, 1);
    expect(() => buildTrainingGraph(model, { loss: 'loss', trainable, recompute: 0.5 })).toThrow('0.5 is not a number of segments');
  });
});

describe('the order in which nodes run', () => {
  it('has every layer’s gradients follow one another, last layers first, in whatever order they are asked for', () => {
    const { model, trainable } = network(4, 1);
    const weights = trainable.filter((name) => name.startsWith('w'));
    for (const order of [weights, [...weights].reverse()]) {
      const { model: built, gradients } = buildTrainingGraph(model, { loss: 'loss', trainable: order });
      const makers = built.graph.nodes.flatMap((n) => n.outputs.filter((y) => [...gradients.values(), 'loss'].includes(y)));
      // ONNX Runtime starts from the last.
      expect(makers).toEqual(['w0_grad', 'w1_grad', 'w2_grad', 'w3_grad', 'loss']);
      expect([...gradients.keys()]).toEqual(order);
    }
  });
});
