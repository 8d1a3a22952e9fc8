/** The kinds of the public cases that are about how a network is written: joins, shared and computed constants, absent inputs. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, type Node, node, type Tensor, tensor, toFloat16 } from '../../../src/onnx';
import { quantize } from '../../../src/steps/quantize';
import { caseFile, farthest, outputs, weightsOnly } from './case-helpers';
import { artifactOf, createRandom, engine, f32, feed, nodesOf, normals, quantized, quiet, ramp, run, sqnr, value } from './helpers';

const ints = (name: string, ...values: number[]): Tensor => tensor(name, 'int64', [values.length], BigInt64Array.from(values.map(BigInt)));

describe('Q01: boxes and scores under one scale, however they are joined', () => {
  const random = createRandom(21);
  const heads: readonly Node[] = [
    node('Conv', ['x', 'wb', 'bb'], ['raw'], {}, 'boxes'),
    node('Mul', ['raw', 'size'], ['pixels'], {}, 'scale'),
    node('Conv', ['x', 'ws'], ['logits'], {}, 'scores'),
    node('Sigmoid', ['logits'], ['probabilities'], {}, 'sigmoid'),
  ];
  const constants = [
    f32('wb', [4, 8, 1, 1], normals(random, 32, 0.05)),
    f32('bb', [4], [1.5, 1.5, 1.5, 1.5]),
    f32('ws', [4, 8, 1, 1], normals(random, 32)),
    f32('size', [], [640]),
    f32('wo', [1, 8, 1, 1], normals(random, 8)),
    ints('flat', 1, 4, -1),
    ints('where', 0),
  ];
  const JOINS: Readonly<Record<string, readonly [string, readonly Node[]]>> = {
    'NHWC: transposed first, joined on the last axis': [
      'Concat',
      [
        node('Transpose', ['pixels'], ['p1'], { perm: [0, 2, 3, 1] }),
        node('Transpose', ['probabilities'], ['p2'], { perm: [0, 2, 3, 1] }),
        node('Concat', ['p1', 'p2'], ['output'], { axis: 3 }, 'join'),
      ],
    ],
    'flattened first': [
      'Concat',
      [
        node('Reshape', ['pixels', 'flat'], ['p1']),
        node('Reshape', ['probabilities', 'flat'], ['p2']),
        node('Concat', ['p1', 'p2'], ['output'], { axis: 1 }, 'join'),
      ],
    ],
    'three branches': [
      'Concat',
      [
        node('Conv', ['x', 'wo'], ['ologit'], {}, 'objectness'),
        node('Sigmoid', ['ologit'], ['object']),
        node('Concat', ['pixels', 'object', 'probabilities'], ['output'], { axis: 1 }, 'join'),
      ],
    ],
    'scores joined first': [
      'Concat',
      [
        node('Conv', ['x', 'wo'], ['ologit'], {}, 'objectness'),
        node('Sigmoid', ['ologit'], ['object']),
        node('Concat', ['object', 'probabilities'], ['both'], { axis: 1 }),
        node('Concat', ['pixels', 'both'], ['output'], { axis: 1 }, 'join'),
      ],
    ],
    'multiplied scores (objectness · class)': [
      'Concat',
      [
        node('Conv', ['x', 'wo'], ['ologit'], {}, 'objectness'),
        node('Sigmoid', ['ologit'], ['object']),
        node('Mul', ['object', 'probabilities'], ['both']),
        node('Concat', ['pixels', 'both'], ['output'], { axis: 1 }, 'join'),
      ],
    ],
    'boxes written into the scores': [
      'ScatterND',
      [node('Unsqueeze', ['where', 'where'], ['place']), node('ScatterND', ['probabilities', 'place', 'pixels'], ['output'], {}, 'join')],
    ],
  };

  it.each(Object.entries(JOINS))('%s', async (_, [op, nodes]) => {
    const model = makeModel({
      inputs: [value('x', [1, 8, 6, 6])],
      outputs: [{ name: 'output', dtype: 'float32', shape: null }],
      nodes: [...heads, ...nodes],
      initializers: constants,
    });
    const feeds = { x: feed([1, 8, 6, 6], normals(random, 288)) };
    const { plan, notes, model: qdq } = await quantized(model, [feeds]);
    expect(plan.some(({ tensor: name }) => name === 'output')).toBe(false);
    expect(notes.join('\n')).toMatch(
      new RegExp(`"output" \\(${op} "join"\\) is left in float; in 8 bits, boxes and scores share a scale: scores have 1 level\\.`),
    );
    const exact = (await run(model, feeds)).output!.data as Float32Array;
    for (const y of await outputs(qdq, feeds, 'output')) expect(sqnr(exact, y)).toBeGreaterThan(30);
    const scores = (data: ArrayLike<number>) => Array.from(data).filter((_, i) => Math.abs(exact[i]!) <= 1);
    for (const y of await outputs(qdq, feeds, 'output')) if (op === 'Concat') expect(sqnr(scores(exact), scores(y))).toBeGreaterThan(25);
  });

  it('boxes in units of the image say nothing: they fit beside scores', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 8, 6, 6])],
      outputs: [{ name: 'output', dtype: 'float32', shape: null }],
      nodes: [
        node('Conv', ['x', 'ws'], ['logits'], {}, 'scores'),
        node('Sigmoid', ['logits'], ['probabilities']),
        node('Conv', ['x', 'wb'], ['raw'], {}, 'boxes'),
        node('Sigmoid', ['raw'], ['units']),
        node('Concat', ['units', 'probabilities'], ['output'], { axis: 1 }, 'join'),
      ],
      initializers: constants,
    });
    const feeds = { x: feed([1, 8, 6, 6], normals(random, 288)) };
    expect((await quantized(model, [feeds])).notes.join('\n')).not.toContain('share a scale');
    const all = await quantized(model, [feeds], { tail: 'all', fixedRanges: true });
    expect(all.plan.find(({ tensor: name }) => name === 'output')).toMatchObject({ scale: [Math.fround(1 / 255)], zeroPoint: [0] });
  });
});

describe('Q18: one constant read in different roles', () => {
  const random = createRandom(18);

  it('as the weight of two layers: each bias stands on its own layer’s scales', async () => {
    // A head whose weights are shared by two levels of very different size.
    const model = makeModel({
      inputs: [value('x', [1, 4, 4, 4])],
      outputs: [{ name: 'y', dtype: 'float32', shape: null }],
      nodes: [
        node('Conv', ['x', 'w1'], ['big'], {}, 'first'),
        node('Conv', ['x', 'w2'], ['small'], {}, 'second'),
        node('Conv', ['big', 'w', 'b'], ['y1'], {}, 'head1'),
        node('Conv', ['small', 'w', 'b'], ['y2'], {}, 'head2'),
        node('Concat', ['y1', 'y2'], ['y'], { axis: 0 }),
      ],
      initializers: [
        f32('w1', [4, 4, 1, 1], normals(random, 16, 10)),
        f32('w2', [4, 4, 1, 1], normals(random, 16, 0.1)),
        f32('w', [2, 4, 1, 1], normals(random, 8)),
        f32('b', [2], [0.5, -0.25]),
      ],
    });
    const feeds = { x: feed([1, 4, 4, 4], normals(random, 64)) };
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const biases = plan.filter(({ tensor: name, role }) => name === 'b' && role === 'bias');
    expect(biases).toHaveLength(2);
    expect(biases[0]!.scale[0]! / biases[1]!.scale[0]!).toBeGreaterThan(20);
    // Equal readers share one stored weight.
    expect([...qdq.graph.initializers.keys()].filter((name) => /^w_quantized/.test(name))).toHaveLength(1);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds))
      for (const half of [0, 1])
        expect(sqnr(exact.slice(32 * half, 32 * half + 32), y.slice(32 * half, 32 * half + 32))).toBeGreaterThan(30);
  });

  it('as the weight of a Conv and of a ConvTranspose (tied weights): axis 0 there, axis 1 here', async () => {
    const shared = normals(random, 24).map((w, i) => w * 10 ** (-(i % 4) / 2) * 10 ** (-Math.floor(i / 4) / 3));
    const model = makeModel({
      inputs: [value('x', [1, 4, 4, 4])],
      outputs: [value('y', [1, 4, 4, 4])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'down'), node('Relu', ['c'], ['r']), node('ConvTranspose', ['r', 'w'], ['y'], {}, 'up')],
      initializers: [f32('w', [6, 4, 1, 1], shared)],
    });
    const feeds = { x: feed([1, 4, 4, 4], normals(random, 64)) };
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const weights = plan.filter(({ tensor: name }) => name === 'w');
    expect(weights.map(({ axis, scale }) => [axis, scale.length])).toEqual([
      [0, 6],
      [1, 4],
    ]);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(30);
  });

  it('as a bias and as the graph’s own output: the output stays exact', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 1, 2, 2])],
      outputs: [value('y', [1, 2, 2, 2]), value('k', [2])],
      nodes: [node('Conv', ['x', 'w', 'k'], ['y'], {}, 'conv')],
      initializers: [f32('w', [2, 1, 1, 1], [1, 2]), f32('k', [2], [0.123, 20])],
    });
    const feeds = { x: ramp([1, 1, 2, 2]) };
    const { model: qdq } = await quantized(model, [feeds]);
    expect(Array.from((await run(qdq, feeds)).k!.data as Float32Array)).toEqual([Math.fround(0.123), 20]);
  });

  it.skipIf(!caseFile('Q18_const_bias_and_add.onnx'))('the published file', async () => {
    const model = caseFile('Q18_const_bias_and_add.onnx')!;
    const input = model.graph.inputs[0]!;
    const feeds = { [input.name]: ramp(input.shape as number[]) };
    const name = model.graph.outputs[0]!.name;
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const exact = (await run(model, feeds))[name]!.data as Float32Array;
    const step = Math.max(...plan.filter(({ role }) => role === 'activation').map(({ scale }) => scale[0]!));
    for (const y of await outputs(qdq, feeds, name)) expect(farthest(y, exact)).toBeLessThanOrEqual(2 * step);
  });
});

describe('Q20: weights that a file computes from constants', () => {
  const random = createRandom(20);
  const plain = normals(random, 24);
  const WAYS: Readonly<Record<string, readonly [readonly Node[], readonly Tensor[]]>> = {
    'float16, cast': [
      [node('Cast', ['h'], ['w'], { to: 1 }, 'cast')],
      [
        tensor(
          'h',
          'float16',
          [6, 4, 1, 1],
          Uint16Array.from(plain, (v) => toFloat16(v)),
        ),
      ],
    ],
    'scaled by a constant': [
      [node('Mul', ['v', 's'], ['w'], {}, 'mul')],
      [f32('v', [6, 4, 1, 1], plain), f32('s', [6, 1, 1, 1], [1, 2, 3, 4, 5, 6])],
    ],
    'a flat list, reshaped': [[node('Reshape', ['v', 'dims'], ['w'])], [f32('v', [24], plain), ints('dims', 6, 4, 1, 1)]],
    'two halves, joined': [
      [node('Concat', ['v1', 'v2'], ['w'], { axis: 0 })],
      [f32('v1', [2, 4, 1, 1], plain.slice(0, 8)), f32('v2', [4, 4, 1, 1], plain.slice(8))],
    ],
    'cut from a larger one': [
      [node('Slice', ['v', 'from', 'to'], ['w'])],
      [f32('v', [8, 4, 1, 1], [...plain, ...normals(random, 8, 100)]), ints('from', 0), ints('to', 6)],
    ],
  };

  it.each(Object.entries(WAYS))('%s: folded, and quantized per channel', async (_, [nodes, initializers]) => {
    const model = makeModel({
      inputs: [value('x', [1, 4, 3, 3])],
      outputs: [value('y', [1, 6, 3, 3])],
      nodes: [...nodes, node('Conv', ['x', 'w'], ['y'], {}, 'conv')],
      initializers,
    });
    const feeds = { x: feed([1, 4, 3, 3], normals(random, 36)) };
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const weight = plan.find(({ role }) => role === 'weight')!;
    expect([weight.dtype, weight.axis, weight.scale.length]).toEqual(['int8', 0, 6]);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(35);
  });

  it('a transposed matrix (MatMul as some exporters write a linear layer)', async () => {
    const model = makeModel({
      inputs: [value('x', [5, 4])],
      outputs: [value('y', [5, 6])],
      nodes: [node('Transpose', ['v'], ['w'], { perm: [1, 0] }), node('MatMul', ['x', 'w'], ['y'], {}, 'linear')],
      initializers: [f32('v', [6, 4], plain)],
    });
    const feeds = { x: feed([5, 4], normals(random, 20)) };
    const { plan } = await quantized(model, [feeds]);
    expect(plan.find(({ role }) => role === 'weight')).toMatchObject({ dtype: 'int8', axis: 1 });
  });

  it('weights computed from the input stay in float, and it is said', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 2, 4, 4])],
      outputs: [value('y', [1, 2, 4, 4])],
      nodes: [
        node('Conv', ['x', 'w1'], ['c'], {}, 'conv'),
        node('GlobalAveragePool', ['c'], ['g']),
        node('Reshape', ['g', 'dims'], ['k']),
        node('Conv', ['c', 'k'], ['d'], { group: 2 }, 'dynamic'),
        node('Conv', ['d', 'w2'], ['y'], {}, 'last'),
      ],
      initializers: [f32('w1', [2, 2, 1, 1], [1, 0.5, -0.5, 1]), f32('w2', [2, 2, 1, 1], [1, 1, 0, 1]), ints('dims', 2, 1, 1, 1)],
    });
    const feeds = { x: feed([1, 2, 4, 4], normals(random, 32)) };
    const { notes, model: qdq } = await quantized(model, [feeds]);
    expect(notes.join('\n')).toContain('"dynamic" (Conv): the weights are computed, not constant, and stay in float.');
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    expect(sqnr(exact, (await outputs(qdq, feeds))[0]!)).toBeGreaterThan(25);
  });

  it.skipIf(!caseFile('Q20_weight_via_constant_identity_transpose.onnx'))('the published file: y[0] = 32.70, 72 weights', async () => {
    const model = caseFile('Q20_weight_via_constant_identity_transpose.onnx')!;
    const input = model.graph.inputs[0]!;
    const feeds = { [input.name]: ramp(input.shape as number[]) };
    const name = model.graph.outputs[0]!.name;
    const rounded = (await run(await weightsOnly(model, [feeds]), feeds))[name]!.data as Float32Array;
    expect((await run(model, feeds))[name]!.data[0]).toBeCloseTo(32.7, 2);
    expect(Math.abs(rounded[0]! - 32.7)).toBeLessThan(0.3);
    const { model: qdq } = await quantized(model, [feeds]);
    const stored = [...qdq.graph.initializers.values()].filter(({ dtype, dims }) => dtype === 'int8' && dims.length === 4);
    expect(stored.map(({ data }) => data.length)).toEqual([72]);
  });
});

describe('Q22: optional inputs that are absent', () => {
  const x = feed([1, 1, 1, 10], [-4, -1, 0, 1, 2, 3, 5, 6, 7, 9]);
  const clip = (inputs: readonly string[]): Model =>
    makeModel({
      inputs: [value('x', [1, 1, 1, 10])],
      outputs: [value('y', [1, 1, 1, 10])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'conv'), node('Clip', ['c', ...inputs], ['y'], {}, 'clip')],
      initializers: [f32('w', [1, 1, 1, 1], [1]), f32('one', [], [1]), f32('six', [], [6])],
    });

  it.each([
    ['no lower bound', ['', 'six'], [-4, 6]],
    ['no upper bound', ['one', ''], [1, 9]],
    ['no upper bound, left out', ['one'], [1, 9]],
    ['neither', ['', ''], [-4, 9]],
    ['neither, left out', [], [-4, 9]],
  ] as const)('Clip: %s', async (_, inputs, [lo, hi]) => {
    const { model: qdq, plan } = await quantized(clip(inputs), [{ x }]);
    const expected = Array.from(x.data as Float32Array, (v) => Math.min(Math.max(v, lo), hi));
    const { scale, zeroPoint } = plan.find(({ tensor: name }) => name === 'y')!;
    expect((0 - zeroPoint[0]!) * scale[0]!).toBeCloseTo(Math.min(lo, 0), 1);
    expect((255 - zeroPoint[0]!) * scale[0]!).toBeCloseTo(hi, 1);
    for (const y of await outputs(qdq, { x })) expect(farthest(y, expected)).toBeLessThanOrEqual(0.1);
  });

  it('a bound that is computed stays an input of the network', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 1, 1, 10])],
      outputs: [value('y', [1, 1, 1, 10])],
      nodes: [
        node('ReduceMax', ['x'], ['top'], { keepdims: 0 }),
        node('Conv', ['x', 'w'], ['c'], {}, 'conv'),
        node('Clip', ['c', '', 'top'], ['y'], {}, 'clip'),
      ],
      initializers: [f32('w', [1, 1, 1, 1], [2])],
    });
    const { model: qdq } = await quantized(model, [{ x }]);
    const expected = Array.from(x.data as Float32Array, (v) => Math.min(2 * v, 9));
    for (const y of await outputs(qdq, { x })) expect(farthest(y, expected)).toBeLessThanOrEqual(0.2);
  });

  it('Conv and Gemm with an absent bias, Resize without regions and scales', async () => {
    const random = createRandom(2);
    const model = makeModel({
      inputs: [value('x', [1, 2, 3, 3])],
      outputs: [{ name: 'y', dtype: 'float32', shape: null }],
      nodes: [
        node('Conv', ['x', 'w', ''], ['c'], {}, 'conv'),
        node('Resize', ['c', '', '', 'sizes'], ['r'], { mode: 'nearest' }),
        node('Flatten', ['r'], ['f']),
        node('Gemm', ['f', 'g', ''], ['y'], {}, 'gemm'),
      ],
      initializers: [f32('w', [2, 2, 1, 1], normals(random, 4)), ints('sizes', 1, 2, 6, 6), f32('g', [72, 3], normals(random, 216))],
    });
    const feeds = { x: feed([1, 2, 3, 3], normals(random, 18)) };
    const { model: qdq, plan } = await quantized(model, [feeds]);
    expect(plan.filter(({ role }) => role === 'bias')).toEqual([]);
    expect(nodesOf(qdq, 'Resize')[0]!.inputs.slice(1)).toEqual(['', '', 'sizes']);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(30);
  });
});

describe('Q25: networks that another tool has quantized, in any form', () => {
  const params = [f32('s', [], [0.1]), tensor('z', 'uint8', [], Uint8Array.of(0)), tensor('wq', 'int8', [1, 1, 1, 1], Int8Array.of(9))];
  const custom = (op: string, inputs: readonly string[]): Node => ({ ...node(op, inputs, ['c'], {}, 'quant'), domain: 'com.microsoft' });
  const FORMS: Readonly<Record<string, readonly Node[]>> = {
    'weights alone, dequantized at load': [
      node('DequantizeLinear', ['wq', 's'], ['w'], {}, 'quant'),
      node('Conv', ['x', 'w'], ['y'], {}, 'conv'),
    ],
    'an operator of ONNX Runtime': [custom('QLinearAdd', ['x', 's', 'z', 'x', 's', 'z', 's', 'z']), node('Relu', ['c'], ['y'])],
    'four-bit matrices': [custom('MatMulNBits', ['x', 'wq', 's']), node('Relu', ['c'], ['y'])],
    'computed ranges': [
      node('DynamicQuantizeLinear', ['x'], ['q', 'qs', 'qz'], {}, 'quant'),
      node('DequantizeLinear', ['q', 'qs', 'qz'], ['y']),
    ],
    'inside a branch': [
      node('If', ['flag'], ['y'], {
        then_branch: {
          type: 'graph',
          value: {
            ...branch([node('QuantizeLinear', ['x', 's', 'z'], ['q'], {}, 'quant'), node('DequantizeLinear', ['q', 's', 'z'], ['b'])]),
          },
        },
        else_branch: { type: 'graph', value: branch([node('Identity', ['x'], ['b'])]) },
      }),
    ],
  };

  function branch(nodes: readonly Node[]) {
    return { name: 'branch', inputs: [], outputs: [value('b', [1, 1, 2, 2])], nodes, initializers: new Map(), valueInfo: new Map() };
  }

  it.each(Object.entries(FORMS))('%s', async (_, nodes) => {
    const model = makeModel({
      inputs: [value('x', [1, 1, 2, 2])],
      outputs: [value('y', [1, 1, 2, 2])],
      nodes,
      initializers: [...params, tensor('flag', 'bool', [], Uint8Array.of(1))],
    });
    const ranges = { kind: 'ranges', hash: '', modelHash: 'hash', images: 0, backend: 'node', tensors: new Map() } as const;
    await expect(quantize(artifactOf(model), ranges, {}, quiet)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(
        /^test\.onnx is already INT8: it can be evaluated, not quantized again \(\d+ quantized nodes, first "quant"/,
      ),
    });
  });
});

it('every session that these tests opened was released', async () => {
  expect((await engine()).liveSessions).toBe(0);
});
