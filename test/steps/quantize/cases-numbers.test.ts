/** The kinds of the public cases that are about numbers: scales, biases, zeros, axes (../shared/cases.md). */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, node, type Tensor } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { quantizableModel } from '../../../src/steps/quantize';
import type { TensorQuant } from '../../../src/steps/types';
import { caseFile, farthest, outputs, weightsOnly } from './case-helpers';
import { createRandom, engine, f32, feed, nodesOf, normals, quantized, ramp, run, sqnr, value } from './helpers';

/** One layer y = op(x, w[, b]). */
function single(
  op: string,
  x: readonly number[],
  y: readonly number[],
  constants: readonly Tensor[],
  attributes: Record<string, number> = {},
): Model {
  return makeModel({
    inputs: [value('x', x)],
    outputs: [value('y', y)],
    nodes: [node(op, ['x', ...constants.map(({ name }) => name)], ['y'], attributes, 'layer')],
    initializers: constants,
  });
}

/** SQNR of output channel c (axis 1). */
async function channelSqnr(exact: Model, rounded: Model, feeds: Tensors, channels: number): Promise<number[]> {
  const [a, b] = [(await run(exact, feeds)).y!.data as Float32Array, (await run(rounded, feeds)).y!.data as Float32Array];
  const flat = exact.graph.outputs[0]!.shape!.length === 2;
  const size = a.length / channels;
  const channel = (data: Float32Array, c: number) =>
    flat ? data.filter((_, i) => i % channels === c) : data.slice(c * size, (c + 1) * size);
  return Array.from({ length: channels }, (_, c) => sqnr(channel(a, c), channel(b, c)));
}

describe('Q03: output channels of very different size under one weight scale', () => {
  const random = createRandom(3);
  /** Weights of which output channel 1 is a thousandth of channel 0. */
  const small = (n: number) => [...normals(random, n), ...normals(random, n, 0.001)];
  const interleaved = (n: number) => Float32Array.from({ length: 2 * n }, (_, i) => random.normal() * (i % 2 === 1 ? 0.001 : 1));
  const MODELS: Readonly<Record<string, readonly [Model, Tensors]>> = {
    'depthwise Conv': [
      single('Conv', [1, 2, 16, 16], [1, 2, 14, 14], [f32('w', [2, 1, 3, 3], small(9))], { group: 2 }),
      { x: feed([1, 2, 16, 16], normals(random, 512)) },
    ],
    'dense Conv': [
      single('Conv', [1, 3, 8, 8], [1, 2, 8, 8], [f32('w', [2, 3, 1, 1], small(3))]),
      { x: feed([1, 3, 8, 8], normals(random, 192)) },
    ],
    'depthwise ConvTranspose': [
      single('ConvTranspose', [1, 2, 8, 8], [1, 2, 10, 10], [f32('w', [2, 1, 3, 3], small(9))], { group: 2 }),
      { x: feed([1, 2, 8, 8], normals(random, 128)) },
    ],
    Gemm: [single('Gemm', [16, 20], [16, 2], [f32('w', [20, 2], interleaved(20))]), { x: feed([16, 20], normals(random, 320)) }],
    MatMul: [single('MatMul', [16, 20], [16, 2], [f32('w', [20, 2], interleaved(20))]), { x: feed([16, 20], normals(random, 320)) }],
  };

  it.each(Object.entries(MODELS))('%s: about 0 dB per tensor, over 40 dB per channel', async (_, [model, feeds]) => {
    const together = await channelSqnr(model, await weightsOnly(model, [feeds], { weights: 'per-tensor' }), feeds, 2);
    expect(together[0]).toBeGreaterThan(35);
    expect(together[1]).toBeLessThan(6);
    const apart = await channelSqnr(model, await weightsOnly(model, [feeds]), feeds, 2);
    for (const db of apart) expect(db).toBeGreaterThan(40);
  });
});

describe('Q05: int32 bias overflow in every layer that has a bias', () => {
  const random = createRandom(5);
  const tiny = (n: number) => normals(random, n, 1e-7);
  const bias = f32('b', [2], [5, -4.5]);
  const far = (dims: readonly number[]) =>
    feed(
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i * 127.5) % 128),
    );
  const linear = (nodes: Parameters<typeof makeModel>[0]['nodes'], weights: readonly Tensor[]): Model =>
    makeModel({ inputs: [value('x', [1, 6])], outputs: [value('y', [1, 2])], nodes, initializers: weights });
  const MODELS: Readonly<Record<string, readonly [Model, Tensors]>> = {
    'depthwise Conv': [
      single('Conv', [1, 2, 4, 4], [1, 2, 2, 2], [f32('w', [2, 1, 3, 3], tiny(18)), bias], { group: 2 }),
      { x: far([1, 2, 4, 4]) },
    ],
    ConvTranspose: [
      single('ConvTranspose', [1, 3, 2, 2], [1, 2, 3, 3], [f32('w', [3, 2, 2, 2], tiny(24)), bias]),
      { x: far([1, 3, 2, 2]) },
    ],
    'grouped ConvTranspose': [
      single('ConvTranspose', [1, 4, 2, 2], [1, 2, 3, 3], [f32('w', [4, 1, 2, 2], tiny(16)), bias], { group: 2 }),
      { x: far([1, 4, 2, 2]) },
    ],
    'Gemm, transposed': [
      linear([node('Gemm', ['x', 'w', 'b'], ['y'], { transB: 1 }, 'layer')], [f32('w', [2, 6], tiny(12)), bias]),
      { x: far([1, 6]) },
    ],
    'MatMul + Add': [
      linear([node('MatMul', ['x', 'w'], ['m'], {}, 'layer'), node('Add', ['m', 'b'], ['y'])], [f32('w', [6, 2], tiny(12)), bias]),
      { x: far([1, 6]) },
    ],
  };

  for (const weights of ['per-channel', 'per-tensor'])
    for (const weightRange of ['absmax', 'mse'])
      it.each(Object.entries(MODELS))(`%s keeps 5 and −4.5 (${weights}, ${weightRange})`, async (_, [model, feeds]) => {
        const { model: qdq, notes } = await quantized(model, [feeds], { weights, weightRange });
        const stored = qdq.graph.initializers.get('b_quantized')!.data as Int32Array;
        for (const b of stored) expect(Math.abs(b)).toBeLessThanOrEqual(2 ** 30);
        expect(notes.join(' ')).toMatch(/enlarged so that the int32 bias does not overflow/);
        for (const y of await outputs(qdq, feeds)) {
          const half = y.length / 2;
          for (const v of y.slice(0, half)) expect(Math.abs(v - 5)).toBeLessThan(0.05);
          for (const v of y.slice(half)) expect(Math.abs(v + 4.5)).toBeLessThan(0.045);
        }
      });

  it.skipIf(!caseFile('Q05_float.onnx'))('the published file', async () => {
    const model = caseFile('Q05_float.onnx')!;
    const dims = model.graph.inputs[0]!.shape as number[];
    const feeds = { [model.graph.inputs[0]!.name]: far(dims) };
    const name = model.graph.outputs[0]!.name;
    const exact = (await run(model, feeds))[name]!.data as Float32Array;
    for (const y of await outputs((await quantized(model, [feeds])).model, feeds, name)) expect(farthest(y, exact)).toBeLessThan(0.05);
    expect(Math.max(...exact)).toBeCloseTo(5, 2);
  });
});

describe('Q07: activations with a bound keep it under symmetric grids', () => {
  const x = ramp([1, 1, 1, 10]);
  const bounds = [f32('zero', [], [0]), f32('six', [], [6]), f32('slope', [1, 1, 1], [0.25])];
  const ACTIVATIONS: Readonly<Record<string, readonly [readonly string[], Record<string, number>, (v: number) => number]>> = {
    Relu: [['c'], {}, (v) => Math.max(v, 0)],
    Clip: [['c', 'zero', 'six'], {}, (v) => Math.min(Math.max(v, 0), 6)],
    LeakyRelu: [['c'], { alpha: 0.125 }, (v) => (v < 0 ? 0.125 * v : v)],
    PRelu: [['c', 'slope'], {}, (v) => (v < 0 ? 0.25 * v : v)],
    HardSigmoid: [['c'], { alpha: 0.25, beta: 0.5 }, (v) => Math.min(Math.max(0.25 * v + 0.5, 0), 1)],
  };

  for (const activations of ['int8', 'uint8'])
    for (const fuseActivations of [true, false])
      it.each(Object.entries(ACTIVATIONS))(`%s (${activations}, fused ${fuseActivations})`, async (op, [inputs, attributes, f]) => {
        const model = makeModel({
          opset: 16,
          inputs: [value('x', [1, 1, 1, 10])],
          outputs: [value('y', [1, 1, 1, 10])],
          // A last layer behind it, so that the activation stands inside the network and not in its tail.
          nodes: [
            node('Conv', ['x', 'w'], ['c'], {}, 'conv'),
            node(op, inputs, ['a'], attributes),
            node('Conv', ['a', 'w'], ['y'], {}, 'last'),
          ],
          initializers: [f32('w', [1, 1, 1, 1], [1]), ...bounds],
        });
        const { model: qdq } = await quantized(model, [{ x }], { activations, symmetric: true, fuseActivations });
        expect(nodesOf(qdq, op)).toHaveLength(1);
        const expected = Array.from(x.data as Float32Array, f);
        // Range ±8: one step is 8/127, and up to four values are rounded on the way.
        for (const y of await outputs(qdq, { x })) expect(farthest(y, expected)).toBeLessThanOrEqual((2 * 8) / 127);
      });

  it.skipIf(!caseFile('Q07_float.onnx'))('the published file', async () => {
    const model = caseFile('Q07_float.onnx')!;
    const [input, output] = [model.graph.inputs[0]!, model.graph.outputs[0]!.name];
    const feeds = { [input.name]: ramp(input.shape as number[]) };
    const { model: qdq } = await quantized(model, [feeds], { activations: 'int8', symmetric: true });
    for (const y of await outputs(qdq, feeds, output)) expect(farthest(y, [0, 0, 1, 2])).toBeLessThanOrEqual(2 / 127);
  });
});

describe('Q09: what pruning and dead units leave', () => {
  const random = createRandom(9);
  const feeds = {
    x: feed(
      [1, 4, 5, 5],
      normals(random, 100).map((v, i) => (i >= 50 && i < 75 ? 0 : v)),
    ),
  };
  const bias = f32('b', [4], [1, 2, 3, 4]);
  const zeroed = (dims: readonly number[], dead: (i: number) => boolean) =>
    f32(
      'w',
      dims,
      normals(
        random,
        dims.reduce((a, b) => a * b, 1),
      ).map((w, i) => (dead(i) ? 0 : w)),
    );
  const MODELS: Readonly<Record<string, Model>> = {
    'an input channel that is always 0, with dead weights': single(
      'Conv',
      [1, 4, 5, 5],
      [1, 4, 5, 5],
      [zeroed([4, 4, 1, 1], (i) => i % 4 === 2), bias],
    ),
    'a dead depthwise filter': single('Conv', [1, 4, 5, 5], [1, 4, 3, 3], [zeroed([4, 1, 3, 3], (i) => i >= 18 && i < 27), bias], {
      group: 4,
    }),
    'a dead ConvTranspose channel': single(
      'ConvTranspose',
      [1, 4, 5, 5],
      [1, 4, 6, 6],
      [zeroed([4, 4, 2, 2], (i) => Math.floor(i / 4) % 4 === 2), bias],
    ),
    'no weight left at all': single('Conv', [1, 4, 5, 5], [1, 4, 5, 5], [zeroed([4, 4, 1, 1], () => true), bias]),
  };

  for (const weights of ['per-channel', 'per-tensor'])
    for (const weightRange of ['absmax', 'mse'])
      it.each(Object.entries(MODELS))(`%s (${weights}, ${weightRange})`, async (name, model) => {
        const { model: qdq, plan } = await quantized(model, [feeds], { weights, weightRange });
        for (const { scale } of plan) for (const s of scale) expect(Number.isFinite(s) && s > 0).toBe(true);
        const exact = (await run(model, feeds)).y!.data as Float32Array;
        const step = plan.find(({ tensor }) => tensor === 'y')!.scale[0]!;
        for (const y of await outputs(qdq, feeds)) {
          expect(y.every(Number.isFinite)).toBe(true);
          expect(farthest(y, exact)).toBeLessThanOrEqual(weights === 'per-channel' ? 4 * step : 8 * step);
          if (name.startsWith('an input')) continue;
          const size = y.length / 4;
          for (const v of y.slice(2 * size, 3 * size)) expect(Math.abs(v - 3)).toBeLessThanOrEqual(step / 2 + 1e-6);
        }
      });
});

describe('Q11: ConvTranspose, whatever its groups', () => {
  /** Size of output channel c of `outs`, over three orders. */
  const CASES: readonly (readonly [string, number, number, number, (c: number, perGroup: number) => number])[] = [
    ['dense', 1, 3, 8, (c) => c / 7],
    ['groups of different size', 2, 4, 4, (c, perGroup) => Math.floor(c / perGroup)],
    ['channels of different size in each group', 2, 4, 4, (c, perGroup) => (c % perGroup) / 3],
    ['two inputs for each depthwise output', 4, 8, 1, (c) => c / 3],
    ['depthwise', 8, 8, 1, (c) => c / 7],
  ];

  it.each(CASES)('%s: over 30 dB in each output channel', async (_, group, inputs, perGroup, size) => {
    const random = createRandom(group + inputs);
    const inPerGroup = inputs / group;
    const weight = normals(random, inputs * perGroup * 9).map((w, i) => {
      const c = Math.floor(Math.floor(i / (9 * perGroup)) / inPerGroup) * perGroup + (Math.floor(i / 9) % perGroup);
      return w * 10 ** (-3 * size(c, perGroup));
    });
    const outs = group * perGroup;
    const bias = normals(random, outs).map((b, c) => b * 10 ** (-3 * size(c, perGroup)));
    const attributes = { group };
    const model = single(
      'ConvTranspose',
      [1, inputs, 6, 6],
      [1, outs, 8, 8],
      [f32('w', [inputs, perGroup, 3, 3], weight), f32('b', [outs], bias)],
      attributes,
    );
    const feeds = { x: feed([1, inputs, 6, 6], normals(random, inputs * 36)) };
    for (const db of await channelSqnr(model, await weightsOnly(model, [feeds]), feeds, outs)) expect(db).toBeGreaterThan(30);
    // Weights and biases together: every bias stands on the scale of the weights that its channel really has.
    const { plan, model: qdq } = await quantized(model, [feeds]);
    const [w, b, x] = ['w', 'b', 'x'].map((name) => plan.find(({ tensor }) => tensor === name)!) as [TensorQuant, TensorQuant, TensorQuant];
    b.scale.forEach((s, c) => {
      const rows = w.axis === 1 ? [c % perGroup] : Array.from({ length: inPerGroup }, (_, i) => Math.floor(c / perGroup) * inPerGroup + i);
      for (const row of rows) expect(s).toBe(Math.fround(w.scale[row]! * x.scale[0]!));
    });
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(30);
  });

  it.skipIf(!caseFile('Q11_convtranspose.onnx'))('the published file: 8 scales on axis 1', async () => {
    const model = caseFile('Q11_convtranspose.onnx')!;
    const input = model.graph.inputs[0]!;
    const dims = input.shape as number[];
    const feeds = {
      [input.name]: feed(
        dims,
        normals(
          createRandom(1),
          dims.reduce((a, b) => a * b, 1),
        ),
      ),
    };
    const { plan } = await quantized(model, [feeds]);
    const weight = plan.find(({ role, axis }) => role === 'weight' && axis !== null)!;
    expect([weight.axis, weight.scale.length]).toEqual([1, 8]);
    const rounded = await weightsOnly(model, [feeds]);
    const output = model.graph.outputs[0]!.name;
    const [a, b] = [(await run(model, feeds))[output]!.data as Float32Array, (await run(rounded, feeds))[output]!.data as Float32Array];
    const size = a.length / 8;
    for (let c = 0; c < 8; c++) expect(sqnr(a.slice(c * size, (c + 1) * size), b.slice(c * size, (c + 1) * size))).toBeGreaterThan(30);
  });
});

describe('Q13 and Q15: operators whose meaning changed below opset 13, inside a quantized network', () => {
  const random = createRandom(13);
  const axes = (...values: number[]) => ({ type: 'ints' as const, value: values });
  const KINDS: Readonly<Record<string, readonly [number, string, Record<string, never>]>> = {
    'Softmax over all from axis 1': [11, 'Softmax', { axis: 1 } as never],
    'Softmax, default axis': [11, 'Softmax', {} as never],
    'LogSoftmax over all from axis 1': [11, 'LogSoftmax', { axis: 1 } as never],
    'Softmax along the last axis': [12, 'Softmax', { axis: -1 } as never],
    'Clip with attributes': [10, 'Clip', { min: { type: 'float', value: -0.5 }, max: { type: 'float', value: 1 } } as never],
    // Without a lower bound ONNX Runtime 1.30 loads Conv → Clip → QuantizeLinear at 'disabled' and 'basic' only; see Q22.
    'Clip with one attribute': [7, 'Clip', { min: { type: 'float', value: -0.5 } } as never],
    'ReduceSum with axes': [11, 'ReduceSum', { axes: axes(2), keepdims: 1 } as never],
    'Pad with attributes': [10, 'Pad', { pads: [0, 0, 1, 0, 0, 0, 0, 1] } as never],
    Dropout: [9, 'Dropout', { ratio: { type: 'float', value: 0.5 } } as never],
  };

  it.each(Object.entries(KINDS))('%s', async (_, [opset, op, attributes]) => {
    const model = makeModel({
      opset,
      inputs: [value('x', [1, 3, 4, 4])],
      outputs: [{ name: 'y', dtype: 'float32', shape: null }],
      nodes: [
        node('Conv', ['x', 'w'], ['c'], {}, 'first'),
        node(op, ['c'], ['a'], attributes, 'middle'),
        node('Conv', ['a', 'v'], ['y'], {}, 'last'),
      ],
      initializers: [f32('w', [5, 3, 1, 1], normals(random, 15)), f32('v', [2, 5, 1, 1], normals(random, 10))],
    });
    const feeds = { x: feed([1, 3, 4, 4], normals(random, 48)) };
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    const twin = quantizableModel(model);
    expect(twin.opsets['']).toBeGreaterThanOrEqual(13);
    expect(farthest((await run(twin, feeds)).y!.data as Float32Array, exact)).toBeLessThan(1e-5);
    const { model: qdq } = await quantized(model, [feeds]);
    for (const y of await outputs(qdq, feeds)) expect(sqnr(exact, y)).toBeGreaterThan(20);
  });
});

it('every session that these tests opened was released', async () => {
  expect((await engine()).liveSessions).toBe(0);
});
