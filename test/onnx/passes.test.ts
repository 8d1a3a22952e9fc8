import { describe, expect, it } from 'vitest';
import { createRandom, StudioError } from '../../src/numerics';
import {
  analyze,
  consumers,
  cutAt,
  fixDimensions,
  foldBatchNorm,
  foldConstants,
  fromFloat16,
  hashModel,
  inferShapes,
  type Model,
  makeModel,
  type Node,
  nameNodes,
  node,
  parseModel,
  printGraph,
  producers,
  removeDead,
  removeIdentity,
  serializeModel,
  type Tensor,
  tensor,
  toFloat16,
  toFloat32,
  valueInfo,
} from '../../src/onnx';
import { f, i64 } from './operators';
import { f32, maxDifference, randomFeeds, runModel } from './ort';

const named = (name: string, t: Tensor): Tensor => ({ ...t, name });
const ops = (model: Model) => model.graph.nodes.map((n) => n.op);

function chain(
  nodes: readonly Node[],
  weights: Readonly<Record<string, Tensor>>,
  dims: readonly (number | string | null)[] = [1, 4, 6, 6],
): Model {
  return makeModel({
    inputs: [valueInfo('x', 'float32', dims)],
    outputs: [valueInfo('y', 'float32', null)],
    nodes,
    initializers: Object.entries(weights).map(([name, t]) => named(name, t)),
  });
}

async function difference(a: Model, b: Model): Promise<number> {
  const feeds = randomFeeds(a);
  return maxDifference(await runModel(a, feeds), await runModel(b, feeds));
}

const norm = (n: number) => ({ g: f([n], [0.5, 2, -1.5, 0.1]), b: f([n]), m: f([n], [0.3, -0.2]), v: f([n], [0.1, 2, 0.9]) });
const bn = (from: string, to: string) =>
  node('BatchNormalization', [from, 'g', 'b', 'm', 'v'], [to], { epsilon: { type: 'float', value: 1e-3 } });

describe('foldBatchNorm', () => {
  it.each<[string, Model]>([
    ['Conv', chain([node('Conv', ['x', 'w'], ['a']), bn('a', 'y')], { w: f([6, 4, 3, 3]), ...norm(6) })],
    [
      'Conv with bias and groups',
      chain([node('Conv', ['x', 'w', 'c'], ['a'], { group: 2 }), bn('a', 'y')], { w: f([6, 2, 3, 3]), c: f([6]), ...norm(6) }),
    ],
    [
      'ConvTranspose',
      chain([node('ConvTranspose', ['x', 'w'], ['a'], { strides: [2, 2] }), bn('a', 'y')], { w: f([4, 6, 3, 3]), ...norm(6) }),
    ],
    [
      'grouped ConvTranspose',
      chain([node('ConvTranspose', ['x', 'w', 'c'], ['a'], { group: 2 }), bn('a', 'y')], { w: f([4, 3, 2, 2]), c: f([6]), ...norm(6) }),
    ],
    [
      'Gemm',
      chain(
        [node('Gemm', ['x', 'w', 'c'], ['a'], { alpha: 0.5, beta: { type: 'float', value: 2 } }), bn('a', 'y')],
        { w: f([4, 6]), c: f([1, 6]), ...norm(6) },
        [3, 4],
      ),
    ],
    ['transposed Gemm', chain([node('Gemm', ['x', 'w'], ['a'], { transB: 1 }), bn('a', 'y')], { w: f([6, 4]), ...norm(6) }, [3, 4])],
    [
      'Add, Mul, Div, Sub',
      chain(
        [
          node('Conv', ['x', 'w'], ['a']),
          node('Add', ['p', 'a'], ['b1']),
          node('Mul', ['b1', 'q'], ['c1']),
          bn('c1', 'd1'),
          node('Div', ['d1', 'p'], ['e1']),
          node('Sub', ['e1', 'q'], ['y']),
        ],
        { w: f([6, 4, 3, 3]), p: f([1, 6, 1, 1], [1, 2, 3]), q: f([], [0.7]), ...norm(6) },
      ),
    ],
  ])('%s', async (_name, model) => {
    const folded = foldBatchNorm(model);
    expect(folded.graph.nodes).toHaveLength(1);
    expect(folded.graph.nodes[0]!.name).toBe('a');
    expect(await difference(model, folded)).toBeLessThan(2e-5);
  });

  it.each<[string, Model]>([
    [
      'a second reader',
      chain([node('Conv', ['x', 'w'], ['a']), bn('a', 'n'), node('Add', ['a', 'n'], ['y'])], { w: f([4, 4, 1, 1]), ...norm(4) }),
    ],
    [
      'constants that grow the value',
      chain([node('Conv', ['x', 'w'], ['a']), node('Add', ['a', 'p'], ['y'])], { w: f([1, 4, 1, 1]), p: f([1, 3, 1, 1]) }),
    ],
    ['constants per column', chain([node('Conv', ['x', 'w'], ['a']), node('Mul', ['a', 'p'], ['y'])], { w: f([6, 4, 1, 1]), p: f([6]) })],
    [
      'a constant minus the value',
      chain([node('Conv', ['x', 'w'], ['a']), node('Sub', ['p', 'a'], ['y'])], { w: f([6, 4, 1, 1]), p: f([]) }),
    ],
  ])('leaves %s alone', (_name, model) => {
    expect(foldBatchNorm(model)).toBe(model);
  });

  it('gives each use of a shared weight its own', async () => {
    const model = chain([node('Conv', ['x', 'w'], ['a']), bn('a', 'n'), node('Conv', ['x', 'w'], ['c']), node('Add', ['n', 'c'], ['y'])], {
      w: f([4, 4, 1, 1]),
      ...norm(4),
    });
    const folded = foldBatchNorm(model);
    expect(ops(folded)).toEqual(['Conv', 'Conv', 'Add']);
    expect(await difference(model, folded)).toBeLessThan(2e-5);
  });
});

describe('foldConstants', () => {
  it('computes a Shape chain with arithmetic and keeps what depends on the input', async () => {
    const model = chain(
      [
        node('Shape', ['x'], ['s']),
        node('Gather', ['s', 'one'], ['c']),
        node('Mul', ['c', 'two'], ['d']),
        node('Unsqueeze', ['d', 'axes'], ['u']),
        node('Concat', ['minus', 'u'], ['t'], { axis: 0 }),
        node('Transpose', ['w'], ['wt'], { perm: [1, 0] }),
        node('Constant', [], ['k'], { value: f([1], [3]) }),
        node('Mul', ['wt', 'k'], ['wk']),
        node('Reshape', ['x', 't'], ['r']),
        node('MatMul', ['r', 'wk'], ['y']),
      ],
      {
        one: tensor('', 'int64', [], BigInt64Array.of(1n)),
        two: tensor('', 'int64', [], BigInt64Array.of(2n)),
        axes: i64(0),
        minus: i64(-1),
        w: f([5, 8]),
      },
    );
    const folded = removeDead(foldConstants(model));
    expect(ops(folded)).toEqual(['Reshape', 'MatMul']);
    expect(folded.graph.initializers.get('t')!.data).toEqual(BigInt64Array.of(-1n, 8n));
    expect([...folded.graph.initializers.keys()].sort()).toEqual(['t', 'wk']);
    expect(await difference(model, folded)).toBe(0);
    expect(analyze(model)).toMatchObject({ parameters: 40, macs: 18 * 8 * 5 });
  });

  it('carries known parts of a dynamic shape', () => {
    const model = chain(
      [
        node('Shape', ['x'], ['s']),
        node('Slice', ['s', 'from', 'to'], ['b']),
        node('Concat', ['b', 'rest'], ['t'], { axis: 0 }),
        node('Reshape', ['x', 't'], ['y']),
      ],
      { from: i64(0), to: i64(1), rest: i64(4, -1) },
      ['batch', 4, 6, 6],
    );
    expect(inferShapes(model).get('y')!.shape).toEqual(['batch', 4, 36]);
  });

  it('never folds DequantizeLinear: it is the quantization', () => {
    const q = tensor(
      '',
      'int8',
      [4, 4, 1, 1],
      Int8Array.from({ length: 16 }, (_, i) => i),
    );
    const model = chain([node('DequantizeLinear', ['q', 'scale'], ['w']), node('Conv', ['x', 'w'], ['y'])], { q, scale: f([], [0.1]) });
    expect(foldConstants(model)).toBe(model);
    expect(analyze(model).parameters).toBe(16);
  });

  it('does not make giants', () => {
    const model = chain([node('ConstantOfShape', ['d'], ['big']), node('Shape', ['big'], ['y'])], { d: i64(2 ** 20, 2 ** 20) });
    expect(foldConstants(model).graph.nodes.map((n) => n.op)).toEqual(['ConstantOfShape', 'Shape']);
  });
});

describe('removeIdentity', () => {
  it.each<[string, readonly Node[], readonly string[]]>([
    [
      'in the middle',
      [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['b']), node('Dropout', ['b'], ['c']), node('Neg', ['c'], ['y'])],
      ['Relu', 'Neg'],
    ],
    ['before an output', [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['y'])], ['Relu']],
    [
      'before an output, with another reader',
      [node('Relu', ['x'], ['a']), node('Identity', ['a'], ['b']), node('Identity', ['b'], ['y']), node('Neg', ['b'], ['z'])],
      ['Relu', 'Neg'],
    ],
    ['from input to output', [node('Identity', ['x'], ['y'])], ['Identity']],
  ])('%s', async (_name, nodes, left) => {
    const model = chain(nodes, {});
    const short = removeIdentity(model);
    expect(ops(short)).toEqual(left);
    expect(short.graph.outputs.map((o) => o.name)).toEqual(['y']);
    expect(await difference(model, short)).toBe(0);
  });

  it('keeps two outputs of one value apart', async () => {
    const model = { ...chain([node('Relu', ['x'], ['a']), node('Identity', ['a'], ['y']), node('Identity', ['a'], ['z'])], {}) };
    const two: Model = { ...model, graph: { ...model.graph, outputs: ['y', 'z', 'a'].map((name) => valueInfo(name, 'float32', null)) } };
    const short = removeIdentity(two);
    expect(ops(short)).toEqual(['Relu', 'Identity', 'Identity']);
    const one: Model = { ...two, graph: { ...two.graph, outputs: two.graph.outputs.slice(0, 2) } };
    expect(ops(removeIdentity(one))).toEqual(['Relu', 'Identity']);
    expect(await difference(one, removeIdentity(one))).toBe(0);
  });
});

describe('cutAt and removeDead', () => {
  const model = chain([node('Relu', ['x'], ['a']), node('Mul', ['a', 'w'], ['b']), node('Add', ['b', 'c'], ['y'])], {
    w: f([6]),
    c: f([6]),
    spare: f([9]),
  });

  it('cuts', () => {
    const cut = cutAt(model, ['b', 'a']);
    expect(ops(cut)).toEqual(['Relu', 'Mul']);
    expect(cut.graph.outputs).toEqual([valueInfo('b', 'float32', [1, 4, 6, 6]), valueInfo('a', 'float32', [1, 4, 6, 6])]);
    expect([...cut.graph.initializers.keys()]).toEqual(['w']);
  });

  it('drops what no output needs', () => {
    expect([...removeDead(model).graph.initializers.keys()]).toEqual(['w', 'c']);
  });

  it('refuses values that nothing computes', () => {
    expect(() => cutAt(model, ['nowhere'])).toThrow(
      new StudioError('bad-option', 'The network computes no value "nowhere" to cut at.', 'Name the output of a node.'),
    );
    expect(() => cutAt(model, [])).toThrow(StudioError);
  });
});

describe('fixDimensions', () => {
  const open = () => chain([node('Conv', ['x', 'w'], ['a']), node('Flatten', ['a'], ['y'])], { w: f([6, 4, 3, 3]) }, ['N', 4, 'H', null]);

  it('takes batch 1 by default', () => {
    const model = fixDimensions(open());
    expect(model.graph.inputs[0]!.shape).toEqual([1, 4, 'H', null]);
    expect(model.graph.outputs[0]!.shape).toEqual([1, null]);
  });

  it('takes given sizes and infers the rest', () => {
    const model = fixDimensions(open(), { x: [2, 4, 5, 8] });
    expect(model.graph.outputs[0]).toEqual(valueInfo('y', 'float32', [2, 6 * 3 * 6]));
    expect(fixDimensions(model)).toBe(model);
  });

  it.each<[readonly number[], string]>([
    [[1, 5, 8, 8], 'Dimension 1 of input "x" is 4, it can\'t become 5.'],
    [[1, 4, 8], 'Input "x" has 4 dimensions, [1, 4, 8] has 3.'],
    [[1, 4, 0, 8], '[1, 4, 0, 8] is not a shape for input "x".'],
    [[1, 4, 2, 8], 'a (Conv): the input is smaller than the kernel.'],
  ])('refuses %j', (dims, sentence) => {
    expect(() => fixDimensions(open(), { x: dims })).toThrow(sentence);
  });

  it('refuses an unknown input', () => {
    expect(() => fixDimensions(open(), { image: [1] })).toThrow('The model has no input "image".');
  });
});

describe('contradicting shapes', () => {
  it.each<[string, Model, string]>([
    ['Conv', chain([node('Conv', ['x', 'w'], ['y'])], { w: f([6, 3, 3, 3]) }), 'y (Conv): input has 4 channels, the weight expects 3.'],
    [
      'Concat',
      chain([node('Concat', ['x', 'w'], ['y'], { axis: 1 })], { w: f([1, 2, 6, 7]) }),
      'y (Concat): inputs differ on axis 3 (6, 7).',
    ],
    ['Add', chain([node('Add', ['x', 'w'], ['y'])], { w: f([5]) }), 'y (Add): inputs do not broadcast (6 against 5).'],
    ['MatMul', chain([node('MatMul', ['x', 'w'], ['y'])], { w: f([5, 2]) }), 'y (MatMul): inner dimensions differ (6, 5).'],
    ['Reshape', chain([node('Reshape', ['x', 's'], ['y'])], { s: i64(5, -1) }), 'y (Reshape): [1, 4, 6, 6] cannot become [5, -1].'],
    ['Softmax', chain([node('Softmax', ['x'], ['y'], { axis: 4 })], {}), 'y (Softmax): axis 4 does not exist in rank 4.'],
  ])('%s names the node and the sizes', (_name, model, sentence) => {
    expect(() => inferShapes(model)).toThrow(new StudioError('bad-model', sentence, 'Export the model again with fixed input sizes.'));
  });

  it('leaves unknown operators and what follows from them open', () => {
    const model = chain([{ ...node('Magic', ['x'], ['a']), domain: 'my.ops' }, node('Relu', ['a'], ['y'])], {});
    expect(analyze(model).layers.map(({ shape, macs }) => [shape, macs])).toEqual([
      [null, 0],
      [null, 0],
    ]);
    const again = parseModel(serializeModel(model));
    expect(again.graph.nodes[0]).toMatchObject({ op: 'Magic', domain: 'my.ops' });
  });
});

describe('names, text, hash, floats', () => {
  it('makes node names plain and unique', () => {
    const names = ['a b', 'a_b', 'é', '', '/model/conv.1', 'x:0'];
    const model = chain(
      names.map((name, i) => ({ ...node('Relu', [i ? `v${i - 1}` : 'x'], [i === names.length - 1 ? 'y' : `v${i}`]), name })),
      {},
    );
    const made = nameNodes(model).graph.nodes.map((n) => n.name);
    expect(made).toEqual(['a_b_2', 'a_b', '_', 'Relu_3', '/model/conv.1', 'x_0']);
    expect(nameNodes(nameNodes(model)).graph.nodes.map((n) => n.name)).toEqual(made);
  });

  it('prints a graph so that a changed weight shows', () => {
    const make = (last: number) =>
      chain([node('Conv', ['x', 'w'], ['y'], { group: 1, pads: [1, 1, 1, 1] })], { w: f([1, 4, 3, 3], [1, 2, last]), s: i64(3) });
    expect(printGraph(make(3))).toMatch(
      /^opset onnx 13\ninput x: float32\[1,4,6,6\]\nweight w: float32\[1,4,3,3\] #[0-9a-f]{8}\nweight s: int64\[1\] = \{3\}\ny: y = Conv\(x, w\) group=1 pads=\[1,1,1,1\]\noutput y: float32\n$/,
    );
    expect(printGraph(make(3))).toBe(printGraph(make(3)));
    expect(printGraph(make(3))).not.toBe(printGraph(make(4)));
  });

  it('hashes as SHA-256 does', async () => {
    expect(await hashModel(new TextEncoder().encode('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('rounds to half floats as IEEE 754 says', () => {
    expect([1, -2, 0.5, 65504, 65519.99, 65520, 2 ** -24, 2 ** -25, 2 ** -14, 0, -0, 2049, 2051].map(toFloat16)).toEqual([
      0x3c00, 0xc000, 0x3800, 0x7bff, 0x7bff, 0x7c00, 1, 0, 0x0400, 0, 0x8000, 0x6800, 0x6802,
    ]);
    for (let bits = 0; bits < 0x7c00; bits++) if (toFloat16(fromFloat16(bits)) !== bits) throw new Error(`${bits} does not survive`);
    const random = createRandom(3);
    const nearest = Array.from({ length: 200 }, () => random.normal()).every(
      (v) => Math.abs(fromFloat16(toFloat16(v)) - v) <= Math.abs(v) / 2048 + 2 ** -25,
    );
    expect(nearest).toBe(true);
    expect(toFloat32(tensor('t', 'bfloat16', [2], Uint16Array.of(0x3fc0, 0xc000)))).toEqual(Float32Array.of(1.5, -2));
  });

  it('indexes producers and consumers', async () => {
    const model = chain([node('Relu', ['x'], ['a']), node('Add', ['a', 'a'], ['y'])], {});
    expect(producers(model.graph).get('y')!.op).toBe('Add');
    expect(
      consumers(model.graph)
        .get('a')!
        .map((n) => n.op),
    ).toEqual(['Add']);
    expect((await runModel(model, { x: f32([1, 4, 6, 6], new Array(144).fill(2)) })).y!.data[0]).toBe(4);
  });
});
