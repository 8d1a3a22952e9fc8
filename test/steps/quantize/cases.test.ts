/** The public quantization cases (../shared/cases.md, Q…), each with the value it must give. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, node, tensor } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { createRandom, engine, f32, feed, nodesOf, normals, quantized, ramp, run, sqnr, value } from './helpers';

const LEVELS = ['disabled', 'all'] as const;

async function outputs(model: Model, feeds: Tensors, name = 'y'): Promise<number[][]> {
  const results = [];
  for (const level of LEVELS) results.push(Array.from((await run(model, feeds, level))[name]!.data as Float32Array));
  return results;
}

/** Largest |a − b|. */
function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (v, i) => Math.abs(v - b[i]!)).reduce((x, y) => Math.max(x, y), 0);
}

describe('Q05: an int32 bias that would overflow', () => {
  const model = (weight: number, bias: readonly number[]) =>
    makeModel({
      inputs: [value('x', [1, 3, 2, 2])],
      outputs: [value('y', [1, 2, 2, 2])],
      nodes: [node('Conv', ['x', 'w', 'b'], ['y'], {}, 'conv')],
      initializers: [f32('w', [2, 3, 1, 1], new Array(6).fill(weight)), f32('b', [2], bias)],
    });
  const feeds = { x: feed([1, 3, 2, 2], [0, 1, 0.5, 127.5, 3, 4, 5, 6, 7, 8, 9, 0]) };

  it.each(['per-channel', 'per-tensor'])('keeps 5 and −4.5 within 1 %% (%s)', async (weights) => {
    const { model: qdq, notes } = await quantized(model(1e-7, [5, -4.5]), [feeds], { weights });
    for (const y of await outputs(qdq, feeds)) {
      expect(Math.abs(y[0]! - 5)).toBeLessThan(0.05);
      expect(Math.abs(y[4]! + 4.5)).toBeLessThan(0.045);
    }
    const bias = qdq.graph.initializers.get('b_quantized')!.data as Int32Array;
    for (const b of bias) expect(Math.abs(b)).toBeLessThanOrEqual(2 ** 30);
    expect(notes.join(' ')).toMatch(/"conv": \d weight scales? w(as|ere) enlarged/);
  });

  it('leaves weight scales alone where the bias fits', async () => {
    const { plan, notes } = await quantized(model(0.5, [5, -4.5]), [feeds]);
    expect(plan.find(({ tensor }) => tensor === 'w')!.scale).toEqual(new Array(2).fill(Math.fround(0.5 / 127)));
    expect(notes.join(' ')).not.toContain('enlarged');
  });

  it('weights of 0 beside a huge bias, and an input that is always 0', async () => {
    for (const w of [0, 1e-38]) {
      const { model: qdq, plan } = await quantized(model(w, [1e6, -3]), [feeds]);
      for (const y of await outputs(qdq, feeds)) expect(y[0]! / 1e6).toBeCloseTo(1, 2);
      for (const { scale } of plan) for (const s of scale) expect(s).toBeGreaterThan(0);
    }
    const silent = { x: feed([1, 3, 2, 2], new Array(12).fill(0)) };
    const { model: qdq } = await quantized(model(0.5, [5, -4.5]), [silent]);
    for (const y of await outputs(qdq, silent)) expect(y[0]).toBeCloseTo(5, 1);
  });
});

describe('Q07: ReLU under symmetric activations', () => {
  const relu = makeModel({
    inputs: [value('x', [1, 1, 1, 4])],
    outputs: [value('y', [1, 1, 1, 4])],
    nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'conv'), node('Relu', ['c'], ['y'])],
    initializers: [f32('w', [1, 1, 1, 1], [1])],
  });
  const x = ramp([1, 1, 1, 4]);

  it.each([
    ['int8', true],
    ['uint8', true],
    ['int8', false],
    ['uint8', false],
  ] as const)('stays: [0, 0, 1, 2] within a step (%s, symmetric %s)', async (activations, symmetric) => {
    const step = 2 / 127;
    for (const fuseActivations of [true, false]) {
      const { model } = await quantized(relu, [{ x }], { activations, symmetric, fuseActivations });
      expect(nodesOf(model, 'Relu')).toHaveLength(1);
      for (const y of await outputs(model, { x })) expect(farthest(y, [0, 0, 1, 2])).toBeLessThanOrEqual(step);
    }
  });

  it('symmetric int8 of [−1, 2] has scale 2/127 and zero point 0', async () => {
    const { plan } = await quantized(relu, [{ x }], { activations: 'int8', symmetric: true });
    expect(plan.find(({ tensor }) => tensor === 'x')).toMatchObject({ dtype: 'int8', scale: [Math.fround(2 / 127)], zeroPoint: [0] });
  });
});

describe('Q09: a channel of zeros, as pruning leaves them', () => {
  const random = createRandom(4);
  const weight = normals(random, 12).map((w, i) => (i >= 6 && i < 9 ? 0 : w));
  const model = (bias: readonly number[]) =>
    makeModel({
      inputs: [value('x', [1, 3, 4, 4])],
      outputs: [value('y', [1, 4, 4, 4])],
      nodes: [node('Conv', ['x', 'w', 'b'], ['y'], {}, 'conv')],
      initializers: [f32('w', [4, 3, 1, 1], weight), f32('b', [4], bias)],
    });
  const feeds = { x: feed([1, 3, 4, 4], normals(random, 48)) };

  it.each(['per-channel', 'per-tensor'])('gives its bias, 3.0 within half a step (%s)', async (weights) => {
    const { model: qdq, plan } = await quantized(model([1, 2, 3, 4]), [feeds], { weights });
    const step = plan.find(({ tensor }) => tensor === 'y')!.scale[0]!;
    for (const y of await outputs(qdq, feeds)) {
      expect(y.every(Number.isFinite)).toBe(true);
      for (const v of y.slice(32, 48)) expect(Math.abs(v - 3)).toBeLessThanOrEqual(step / 2 + 1e-6);
    }
    for (const { scale } of plan) for (const s of scale) expect(s).toBeGreaterThan(0);
  });

  it('with a bias of 0 too', async () => {
    const { model: qdq, plan } = await quantized(model([1, 2, 0, 4]), [feeds]);
    for (const y of await outputs(qdq, feeds)) expect(y.slice(32, 48)).toEqual(new Array(16).fill(0));
    expect(plan.find(({ tensor }) => tensor === 'w')!.scale[2]).toBe(1);
  });
});

describe('Q11: ConvTranspose per channel', () => {
  function transposed(group: number, inputs: number, perGroup: number) {
    const random = createRandom(8);
    const outs = group * perGroup;
    const weight = normals(random, inputs * perGroup * 9);
    const inPerGroup = inputs / group;
    const scaled = weight.map((w, i) => {
      const c = Math.floor(Math.floor(i / (9 * perGroup)) / inPerGroup) * perGroup + (Math.floor(i / 9) % perGroup);
      return w * 10 ** ((-3 * (perGroup === 1 ? c : c % perGroup)) / Math.max(1, (perGroup === 1 ? outs : perGroup) - 1));
    });
    const model = makeModel({
      inputs: [value('x', [1, inputs, 6, 6])],
      outputs: [value('y', [1, outs, 8, 8])],
      // ReLU of a per-channel slope keeps the outputs' own rounding out of the way: outputs are split and compared in float.
      nodes: [node('ConvTranspose', ['x', 'w'], ['y'], { group }, 'up')],
      initializers: [f32('w', [inputs, perGroup, 3, 3], scaled)],
    });
    return { model, outs, feeds: { x: feed([1, inputs, 6, 6], normals(random, inputs * 36)) } };
  }

  it.each([
    ['dense', 1, 3, 8, 1, 8],
    ['depthwise', 8, 8, 1, 0, 8],
    ['grouped', 2, 4, 4, 1, 4],
  ] as const)('%s: one scale per output channel, over 30 dB each', async (_, group, inputs, perGroup, axis, scales) => {
    const { model, outs, feeds } = transposed(group, inputs, perGroup);
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const weight = plan.find(({ tensor }) => tensor === 'w')!;
    expect(weight.axis).toBe(axis);
    expect(weight.scale).toHaveLength(scales);
    expect(Math.max(...weight.scale) / Math.min(...weight.scale)).toBeGreaterThan(300);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    // The network's output has one scale for all channels; what the weights lose shows on the value before it.
    const weightsOnly = withoutOutputQuantizer(qdq);
    const rounded = (await run(weightsOnly, feeds)).y!.data as Float32Array;
    for (let c = 0; c < outs; c++) expect(sqnr(exact.slice(c * 64, c * 64 + 64), rounded.slice(c * 64, c * 64 + 64))).toBeGreaterThan(30);
    expect(nodesOf(qdq, 'DequantizeLinear').find((n) => n.inputs[0] === 'w_quantized')!.attributes.axis).toEqual({
      type: 'int',
      value: axis,
    });
  });
});

/** The same network giving its last value as it is before the output's own quantizer. */
function withoutOutputQuantizer(model: Model): Model {
  const { graph } = model;
  const nodes = graph.nodes.filter((n) => !n.outputs.includes('y') && !n.inputs.includes('y_QuantizeLinear_Input'));
  const renamed = nodes.map((n) => ({ ...n, outputs: n.outputs.map((o) => (o === 'y_QuantizeLinear_Input' ? 'y' : o)) }));
  return { ...model, graph: { ...graph, nodes: renamed } };
}

describe('Q18: one constant, a bias here and an operand there', () => {
  const model = makeModel({
    inputs: [value('x', [1, 1, 2, 2])],
    outputs: [value('y', [1, 2, 2, 2])],
    nodes: [
      node('Conv', ['x', 'w', 'k'], ['c'], {}, 'conv'),
      node('Reshape', ['k', 'shape'], ['k4'], {}, 'reshape'),
      node('Relu', ['c'], ['r'], {}, 'relu'),
      node('Add', ['r', 'k4'], ['s'], {}, 'add'),
      node('Conv', ['s', 'v', 'k'], ['y'], {}, 'last'),
    ],
    initializers: [
      f32('w', [2, 1, 1, 1], [1, 2]),
      f32('k', [2], [10, 20]),
      f32('v', [2, 2, 1, 1], [1, 0, 0, 1]),
      tensor('shape', 'int64', [4], BigInt64Array.from([1n, 2n, 1n, 1n])),
    ],
  });
  const feeds = { x: ramp([1, 1, 2, 2]) };

  it('is quantized once per reader, with the scale that reader needs', async () => {
    const { model: qdq, plan } = await quantized(model, [feeds]);
    const biases = plan.filter(({ role, tensor }) => role === 'bias' && tensor === 'k');
    expect(biases).toHaveLength(2);
    expect(biases[0]!.scale).not.toEqual(biases[1]!.scale);
    const operand = plan.find(({ role, tensor }) => role === 'weight' && tensor !== 'w' && tensor !== 'v')!;
    expect(operand).toMatchObject({ dtype: 'uint8', scale: [Math.fround(20 / 255)] });
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    const step = plan.find(({ tensor }) => tensor === 'y')!.scale[0]!;
    for (const y of await outputs(qdq, feeds)) expect(farthest(y, exact)).toBeLessThanOrEqual(2 * step);
  });
});

describe('Q20: weights that are computed from constants', () => {
  it('are folded first and quantized per channel', async () => {
    const random = createRandom(6);
    const transposed = normals(random, 24);
    const model = makeModel({
      inputs: [value('x', [1, 4, 3, 3])],
      outputs: [value('y', [1, 6, 3, 3])],
      nodes: [
        { ...node('Constant', [], ['t'], { value: f32('t', [1, 1, 4, 6], transposed) }, 'constant') },
        node('Transpose', ['t'], ['u'], { perm: [3, 2, 0, 1] }, 'transpose'),
        node('Identity', ['u'], ['w'], {}, 'identity'),
        node('Conv', ['x', 'w'], ['y'], {}, 'conv'),
      ],
    });
    const feeds = { x: feed([1, 4, 3, 3], normals(random, 36)) };
    const { model: qdq, plan } = await quantized(model, [feeds]);
    expect(plan.find(({ role }) => role === 'weight')).toMatchObject({ dtype: 'int8', axis: 0 });
    expect(plan.find(({ role }) => role === 'weight')!.scale).toHaveLength(6);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(35);
  });
});

describe('Q22: Clip without a lower bound', () => {
  it('keeps negative values', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 1, 1, 10])],
      outputs: [value('y', [1, 1, 1, 10])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'conv'), node('Clip', ['c', '', 'six'], ['y'], {}, 'clip')],
      initializers: [f32('w', [1, 1, 1, 1], [1]), f32('six', [], [6])],
    });
    const feeds = { x: feed([1, 1, 1, 10], [-4, -1, 0, 1, 2, 3, 5, 6, 7, 9]) };
    for (const fuseActivations of [true, false]) {
      const { model: qdq, plan } = await quantized(model, [feeds], { fuseActivations });
      // Fused, the clipped output is quantized; apart, the Conv's own output, and Clip belongs to the float tail.
      const range = fuseActivations ? 10 : 13;
      expect(plan.find(({ tensor }) => tensor === (fuseActivations ? 'y' : 'c'))!.scale[0]).toBeCloseTo(range / 255, 6);
      for (const y of await outputs(qdq, feeds)) expect(farthest(y, [-4, -1, 0, 1, 2, 3, 5, 6, 6, 6])).toBeLessThanOrEqual(0.1);
    }
  });
});

describe('Q25: a network that is quantized already', () => {
  const inputs = [value('x', [1, 1, 2, 2])];
  const shared = [f32('s', [], [0.1]), tensor('z', 'uint8', [], Uint8Array.of(0))];

  it('QDQ is recognised and said', async () => {
    const model = makeModel({
      inputs,
      outputs: [value('y', [1, 1, 2, 2])],
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], ['q']),
        node('DequantizeLinear', ['q', 's', 'z'], ['d']),
        node('Conv', ['d', 'w'], ['y'], {}, 'conv'),
      ],
      initializers: [...shared, f32('w', [1, 1, 1, 1], [1])],
    });
    const ranges = { x: ramp([1, 1, 2, 2]) };
    await expect(quantized(model, [ranges])).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('is already INT8: it can be evaluated, not quantized again'),
    });
  });

  it('so are the operator forms of ONNX and of ONNX Runtime', async () => {
    const { isQuantizedOp } = await import('../../../src/steps/quantize/rules');
    for (const op of [
      'QLinearConv',
      'QLinearMatMul',
      'ConvInteger',
      'MatMulInteger',
      'DynamicQuantizeLinear',
      'QLinearLeakyRelu',
      'QLinearConcat',
    ])
      expect(isQuantizedOp(op), op).toBe(true);
    for (const op of ['Conv', 'MatMul', 'Cast', 'Concat', 'Quantile']) expect(isQuantizedOp(op), op).toBe(false);
  });

  it('its own output is refused the second time', async () => {
    const model = makeModel({
      inputs,
      outputs: [value('y', [1, 1, 2, 2])],
      nodes: [node('Conv', ['x', 'w'], ['y'], {}, 'conv')],
      initializers: [f32('w', [1, 1, 1, 1], [1])],
    });
    const feeds = [{ x: ramp([1, 1, 2, 2]) }];
    const once = await quantized(model, feeds);
    await expect(quantized(once.model, feeds)).rejects.toThrow('already INT8');
  });
});

describe('Q13: per channel below opset 13', () => {
  it('declares opset 13 or more, loads in ONNX Runtime, and the float twin is unchanged', async () => {
    const random = createRandom(12);
    const model = makeModel({
      opset: 11,
      inputs: [value('x', [1, 4, 4, 4])],
      outputs: [value('y', [1, 32, 1, 1])],
      nodes: [
        node('Conv', ['x', 'w', 'b'], ['c'], {}, 'conv'),
        node('Unsqueeze', ['c'], ['u'], { axes: [0] }, 'unsqueeze'),
        node('Squeeze', ['u'], ['v'], { axes: [0] }, 'squeeze'),
        node('Split', ['v'], ['p', 'q'], { axis: 1, split: [4, 4] }, 'split'),
        node('Concat', ['q', 'p'], ['r'], { axis: 1 }, 'concat'),
        node('Reshape', ['r', 'shape'], ['flat'], {}, 'reshape'),
        // Below 13 this is a softmax over axes 1, 2 and 3 together.
        node('Softmax', ['flat'], ['soft'], { axis: 1 }, 'softmax'),
        node('Conv', ['soft', 'v1'], ['y'], {}, 'last'),
      ],
      initializers: [
        f32('w', [8, 4, 1, 1], normals(random, 32)),
        f32('b', [8], normals(random, 8)),
        f32('v1', [32, 128, 1, 1], normals(random, 4096)),
        tensor('shape', 'int64', [4], BigInt64Array.from([1n, 128n, 1n, 1n])),
      ],
    });
    const feeds = { x: feed([1, 4, 4, 4], normals(random, 64)) };
    const { model: qdq } = await quantized(model, [feeds]);
    expect(qdq.opsets['']).toBeGreaterThanOrEqual(13);
    const { quantizableModel } = await import('../../../src/steps/quantize');
    const before = (await run(model, feeds)).y!.data as Float32Array;
    const twin = (await run(quantizableModel(model), feeds)).y!.data as Float32Array;
    expect(farthest(twin, before)).toBeLessThan(1e-5);
    for (const y of await outputs(qdq, feeds)) expect(sqnr(before, y)).toBeGreaterThan(20);
  });
});

describe('Q01: boxes and scores in one tensor', () => {
  const random = createRandom(21);
  const model = makeModel({
    inputs: [value('x', [1, 8, 6, 6])],
    outputs: [value('output', [1, 10, 6, 6])],
    nodes: [
      node('Conv', ['x', 'wb', 'bb'], ['raw'], {}, 'boxes'),
      node('Mul', ['raw', 'size'], ['pixels'], {}, 'scale'),
      node('Conv', ['x', 'ws'], ['logits'], {}, 'scores'),
      node('Sigmoid', ['logits'], ['probabilities'], {}, 'sigmoid'),
      node('Concat', ['pixels', 'probabilities'], ['output'], { axis: 1 }, 'join'),
    ],
    initializers: [
      f32('wb', [4, 8, 1, 1], normals(random, 32, 0.05)),
      f32('bb', [4], [1.5, 1.5, 1.5, 1.5]),
      f32('ws', [6, 8, 1, 1], normals(random, 48)),
      f32('size', [], [640]),
    ],
  });
  const feeds = { x: feed([1, 8, 6, 6], normals(random, 288)) };

  it('stays in float, and the note names the tensor and the levels', async () => {
    const { model: qdq, plan, notes } = await quantized(model, [feeds]);
    expect(plan.some(({ tensor }) => tensor === 'output')).toBe(false);
    expect(notes.join('\n')).toContain(
      '"output" (Concat "join") is left in float; in 8 bits, boxes and scores share a scale: scores have 1 level.',
    );
    const exact = (await run(model, feeds)).output!.data as Float32Array;
    for (const y of await outputs(qdq, feeds, 'output')) {
      expect(sqnr(exact.slice(144), y.slice(144))).toBeGreaterThan(30);
      expect(sqnr(exact.slice(0, 144), y.slice(0, 144))).toBeGreaterThan(30);
    }
  });

  it('quantized on demand, every score collapses to 0 or one step', async () => {
    const { model: qdq, notes } = await quantized(model, [feeds], { tail: 'all' });
    expect(notes.join('\n')).toContain('scores have 1 level');
    const y = (await outputs(qdq, feeds, 'output'))[0]!;
    expect(new Set(y.slice(144)).size).toBe(1);
  });
});

it('every session that these tests opened was released', async () => {
  expect((await engine()).liveSessions).toBe(0);
});
