import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph, fakeQuantNode } from '../../src/autodiff';
import { type Model, makeModel, node, printGraph, serializeModel, tensor, valueInfo } from '../../src/onnx';
import { createNodeEngine } from '../../src/runtime/node';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

const ones = (name: string, dims: readonly number[], value = 1) =>
  tensor(name, 'float32', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value));

/** x → Conv first → Relu → Conv second → sum; the batch is open. */
function twoLayers(): Model {
  return makeModel({
    inputs: [valueInfo('x', 'float32', ['batch', 1, 4, 4])],
    outputs: [valueInfo('y', 'float32', null), valueInfo('unused', 'float32', null)],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['first']),
      node('Relu', ['first'], ['active']),
      node('Conv', ['active', 'w2'], ['second']),
      node('ReduceSum', ['second'], ['y'], { keepdims: 0 }),
      node('Exp', ['first'], ['unused']),
    ],
    initializers: [ones('w1', [2, 1, 2, 2]), ones('b1', [2], -1), ones('w2', [1, 2, 2, 2], 0.5)],
  });
}

describe('the training graph', () => {
  it('takes trainables as inputs and gives loss, extra outputs and gradients in order', async () => {
    const { model, gradients } = buildTrainingGraph(twoLayers(), { loss: 'y', trainable: ['w2', 'b1', 'x'], extraOutputs: ['active'] });
    expect(model.graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['x', [1, 1, 4, 4]],
      ['w2', [1, 2, 2, 2]],
      ['b1', [2]],
    ]);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y', 'active', 'w2_grad', 'b1_grad', 'x_grad']);
    expect([...gradients]).toEqual([
      ['w2', 'w2_grad'],
      ['b1', 'b1_grad'],
      ['x', 'x_grad'],
    ]);
    const session = await engine.create(serializeModel(model));
    const results = await session.run({
      x: { dtype: 'float32', dims: [1, 1, 4, 4], data: new Float32Array(16).fill(1) },
      w2: { dtype: 'float32', dims: [1, 2, 2, 2], data: new Float32Array(8).fill(0.5) },
      b1: { dtype: 'float32', dims: [2], data: new Float32Array(2).fill(-1) },
    });
    // Every active value is 4 − 1 = 3; each of the 2×2 windows sums 8 of them, halved.
    expect(results.y!.data[0]).toBe(48);
    expect([...(results.w2_grad!.data as Float32Array)]).toEqual(new Array(8).fill(12));
    expect([...(results.b1_grad!.data as Float32Array)]).toEqual([8, 8]);
    expect([...(results.x_grad!.data as Float32Array)]).toEqual([1, 3, 3, 1, 3, 9, 9, 3, 3, 9, 9, 3, 1, 3, 3, 1]);
    await session.release();
  });

  it('has no gradient nodes for layers below the lowest trainable, and no dead nodes', () => {
    const { model } = buildTrainingGraph(twoLayers(), { loss: 'y', trainable: ['w2'] });
    const layers = new Set(model.graph.nodes.map((n) => n.name.split('/grad')[0]));
    expect([...layers]).toEqual(['first', 'active', 'second', 'y']);
    expect(model.graph.nodes.filter((n) => n.name.startsWith('first/') || n.name.startsWith('active/'))).toEqual([]);
    expect([...model.graph.initializers.keys()]).toEqual(expect.arrayContaining(['w1', 'b1']));
    expect(printGraph(model)).not.toContain('unused');
  });

  it('upgrades old models, keeps newer opsets and does not touch the one it was given', () => {
    const old = { ...twoLayers(), opsets: { '': 11 } };
    const before = printGraph(old);
    expect(buildTrainingGraph(old, { loss: 'y', trainable: ['w2'] }).model.opsets['']).toBe(13);
    expect(printGraph(old)).toBe(before);
    const recent = { ...twoLayers(), opsets: { '': 17 } };
    expect(buildTrainingGraph(recent, { loss: 'y', trainable: ['w2'] }).model.opsets['']).toBe(17);
  });

  it('has an activation’s gradient nodes right after those of the layer above', () => {
    const { model } = buildTrainingGraph(twoLayers(), { loss: 'y', trainable: ['w1', 'w2'] });
    const inner = model.graph.nodes.filter((n) => !n.outputs.some((y) => y.endsWith('_grad')));
    const order = inner.flatMap((n) => (n.name.includes('/grad') ? [n.name.split('/')[0]!] : []));
    const layers = ['y', 'second', 'active', 'first'];
    expect([...new Set(order)]).toEqual(layers);
    expect(order).toEqual([...order].sort((a, b) => layers.indexOf(a) - layers.indexOf(b)));
  });
});

describe('what can’t be trained is refused', () => {
  const refuse = (model: Model, loss: string, trainable: readonly string[]) => () => buildTrainingGraph(model, { loss, trainable });

  it('with a sentence on the name', () => {
    expect(refuse(twoLayers(), 'nothing', ['w1'])).toThrow('The network computes no value "nothing".');
    expect(refuse(twoLayers(), 'y', ['w3'])).toThrow('"w3" is neither a weight nor an input of the network');
    expect(refuse(twoLayers(), 'unused', ['w1'])).toThrow('The loss "unused" has the shape [1, 2, 3, 3]: it must be a single value.');
  });

  it('where the loss does not depend on it', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [2]), valueInfo('z', 'float32', [2])],
      outputs: [valueInfo('y', 'float32', [])],
      nodes: [
        node('Floor', ['z'], ['f']),
        node('Mul', ['x', 'f'], ['m']),
        node('ReduceSum', ['m'], ['y'], { keepdims: 0 }),
        node('Exp', ['w'], ['e']),
      ],
      initializers: [ones('w', [2])],
    });
    expect(refuse(model, 'y', ['z'])).toThrow('The loss "y" does not depend on "z".');
    expect(refuse(model, 'y', ['w'])).toThrow('The loss "y" does not depend on "w".');
  });

  const through = (op: string, attributes = {}, domain = '') =>
    makeModel({
      inputs: [valueInfo('x', 'float32', [1, 3, 4, 4])],
      outputs: [valueInfo('y', 'float32', [])],
      nodes: [
        node('Mul', ['x', 'w'], ['scaled']),
        { ...node(op, ['scaled'], ['odd'], attributes, 'layer_7'), domain },
        node('Mul', ['odd', 'v'], ['m']),
        node('ReduceSum', ['m'], ['y'], { keepdims: 0 }),
      ],
      initializers: [ones('w', [1]), ones('v', [1])],
    });

  it('at a layer without a rule, which it names, unless everything below is frozen', () => {
    const model = through('LRN', { size: 3 });
    expect(refuse(model, 'y', ['w'])).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: 'layer_7 (LRN) has no gradient here: no rule was written for it.',
        hint: 'Freeze the layers up to this one (frozen layers of the recovery), or cut the network before it.',
      }),
    );
    expect(buildTrainingGraph(model, { loss: 'y', trainable: ['v'] }).gradients.get('v')).toBe('v_grad');
    expect(refuse(through('Whatever', {}, 'somewhere'), 'y', ['w'])).toThrow('layer_7 (Whatever) has no gradient here');
  });

  it('where indices are computed while the network runs, or a second output is read', () => {
    const loss = (value: string) => [node('ReduceSum', [value], ['y'], { keepdims: 0 })];
    const cut = makeModel({
      inputs: [valueInfo('x', 'float32', [4]), valueInfo('from', 'int64', [2])],
      outputs: [valueInfo('y', 'float32', [])],
      nodes: [node('Mul', ['x', 'w'], ['m']), node('Gather', ['m', 'from'], ['part'], {}, 'cut'), ...loss('part')],
      initializers: [ones('w', [4])],
    });
    expect(refuse(cut, 'y', ['w'])).toThrow('cut (Gather) has no gradient here: its input "from" is computed while the network runs.');
    const normal = makeModel({
      inputs: [valueInfo('x', 'float32', [2, 4])],
      outputs: [valueInfo('y', 'float32', [])],
      nodes: [node('LayerNormalization', ['x', 'w'], ['n', 'mean'], {}, 'norm'), ...loss('mean')],
      initializers: [ones('w', [4])],
      opset: 17,
    });
    expect(refuse(normal, 'y', ['x'])).toThrow('norm (LayerNormalization) has no gradient here: a value besides its first is read.');
    const pooled = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 1, 4, 4])],
      outputs: [valueInfo('y', 'float32', []), valueInfo('places', 'int64', [1, 1, 3, 3])],
      nodes: [node('MaxPool', ['x'], ['p', 'places'], { kernel_shape: [2, 2] }, 'pool'), ...loss('p')],
    });
    expect(() => buildTrainingGraph(pooled, { loss: 'y', trainable: ['x'], extraOutputs: ['places'] })).toThrow(
      'pool (MaxPool) has no gradient here: the form that gives indices too has no rule.',
    );
  });

  it('where weights are not float32', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float64', [2])],
      outputs: [valueInfo('y', 'float64', [])],
      nodes: [node('Mul', ['x', 'w'], ['m']), node('ReduceSum', ['m'], ['y'], { keepdims: 0 })],
      initializers: [tensor('w', 'float64', [2], Float64Array.of(1, 2))],
    });
    expect(refuse(model, 'y', ['w'])).toThrow('is float64: only float32 values are trained.');
  });

  it('FakeQuant passes shapes on and needs no gradient for frozen parameters', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [2, 3])],
      outputs: [valueInfo('y', 'float32', [])],
      nodes: [
        fakeQuantNode('x', 'log', '', 'q', { qmin: -127, qmax: 127, gradient: 'ste' }),
        node('Mul', ['q', 'w'], ['m']),
        node('ReduceSum', ['m'], ['y'], { keepdims: 0 }),
      ],
      initializers: [ones('log', []), ones('w', [3])],
    });
    const { model: built } = buildTrainingGraph(model, { loss: 'y', trainable: ['w'] });
    expect(built.graph.outputs.at(-1)).toEqual(valueInfo('w_grad', 'float32', [3]));
    expect(built.graph.nodes.some((n) => n.name.startsWith('q/grad'))).toBe(false);
  });
});
