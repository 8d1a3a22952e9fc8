/** Gram matrices from the graph against plain loops, ridge regression against what must come out, the repair on small networks. */
import { afterAll, describe, expect, it } from 'vitest';
import { fakeQuant, type Gram, ridge, rowErrors } from '../../../src/numerics';
import { fixDimensions, type Model, makeModel, node, serializeModel, type Tensor } from '../../../src/onnx';
import { addTaps, type Tensors } from '../../../src/runtime';
import { gramNodes, toRows } from '../../../src/steps/lock-step';
import { buildQdq, planQuantization, readOptions } from '../../../src/steps/quantize';
import { LEAST_SQUARES, reconstruct } from '../../../src/steps/quantize/repairs/least-squares';
import { type MatrixLayer, matrixLayers } from '../../../src/steps/quantize/repairs/least-squares/layout';
import { simulate } from '../../../src/steps/quantize/repairs/least-squares/simulate';
import type { QuantState, RepairContext } from '../../../src/steps/quantize/repairs/types';
import { createRandom, engine, f32, feed, normals, quiet, rangesOf, run, value } from './helpers';

const random = createRandom(5);
afterAll(async () => (await engine()).dispose());

const OPTIONS = readOptions({ calibrator: 'minmax', tail: 'all' });

async function stateOf(model: Model, feeds: readonly Tensors[]): Promise<QuantState> {
  return { float: model, plan: planQuantization(model, await rangesOf(model, feeds), OPTIONS, null) };
}

async function context(model: Model, feeds: readonly Tensors[], notes: string[] = []): Promise<RepairContext> {
  const all = { count: feeds.length, at: async (i: number) => feeds[i]! };
  return {
    ...quiet,
    engine: await engine(),
    gpu: null,
    seed: 1,
    teacher: model,
    spec: null,
    ranges: await rangesOf(model, feeds),
    options: OPTIONS,
    fit: all,
    held: all,
    judge: { score: async () => 0 },
    note: (text) => notes.push(text),
  };
}

interface ConvCase {
  readonly name: string;
  readonly channels: number;
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly size: readonly [number, number];
  readonly attributes: Record<string, number | string | readonly number[]>;
}

function convModel({ channels, outputs, kernel, size, attributes }: ConvCase): Model {
  const group = (attributes.group as number) ?? 1;
  const dims = [outputs, channels / group, ...kernel];
  const weights = dims.reduce((a, b) => a * b, 1);
  return makeModel({
    inputs: [value('x', [1, channels, ...size])],
    outputs: [{ name: 'z', dtype: 'float32', shape: null }],
    nodes: [node('Conv', ['x', 'w', 'b'], ['y'], { kernel_shape: [...kernel], ...attributes }), node('Relu', ['y'], ['z'])],
    initializers: [f32('w', dims, normals(random, weights)), f32('b', [outputs], normals(random, outputs))],
  });
}

async function gramOf(
  model: Model,
  feeds: Tensors,
): Promise<{ layer: MatrixLayer; products: Float32Array; sums: Float32Array; counts: Float32Array; y: Float32Array }> {
  const state = await stateOf(model, [feeds]);
  const [layer] = matrixLayers(model, state.plan, null, true, { maxInputs: 1000, grouped: true });
  const tapped = addTaps(model, [layer!.target]);
  const part = gramNodes(layer!, layer!.layer.input, layer!.target, 'g:');
  const { graph } = tapped;
  const whole: Model = {
    ...tapped,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...part.nodes],
      initializers: new Map([...graph.initializers, ...part.initializers.map((t) => [t.name, t] as const)]),
      outputs: [...graph.outputs, ...[part.products!, part.sums, part.counts!].map((name) => ({ name, dtype: null, shape: null }))],
    },
  };
  const results = await run(whole, feeds);
  return {
    layer: layer!,
    products: results[part.products!]!.data as Float32Array,
    sums: results[part.sums]!.data as Float32Array,
    counts: results[part.counts!]!.data as Float32Array,
    y: results[layer!.target]!.data as Float32Array,
  };
}

/** Σ_i w·G[·][i] must equal (Σ y·aᵀ) − b·Σ aᵀ: the Gram matrices know the layer that made the targets. */
function normalEquationsHold(model: Model, { layer, products, sums, counts }: Awaited<ReturnType<typeof gramOf>>): number {
  const rows = toRows(layer, model.graph.initializers.get('w')!);
  const bias = model.graph.initializers.get('b')!.data as Float32Array;
  const { groups, inputs: d, outputs: m } = layer;
  const width = d + m;
  let worst = 0;
  for (let g = 0; g < groups; g++)
    for (let o = 0; o < m; o++) {
      const row = g * m + o;
      let total = bias[row]! * counts[g]!;
      for (let i = 0; i < d; i++) {
        let left = bias[row]! * sums[g * width + i]!;
        let scale = 1;
        for (let j = 0; j < d; j++) {
          left += rows[row * d + j]! * products[(g * d + i) * width + j]!;
          scale += Math.abs(rows[row * d + j]! * products[(g * d + i) * width + j]!);
        }
        worst = Math.max(worst, Math.abs(left - products[(g * d + i) * width + d + o]!) / scale);
        total += rows[row * d + i]! * sums[g * width + i]!;
      }
      worst = Math.max(worst, Math.abs(total - sums[g * width + d + o]!) / (1 + Math.abs(total) + layer.columns));
    }
  return worst;
}

describe('Gram matrices computed by the graph', () => {
  const cases: readonly ConvCase[] = [
    { name: '1×1', channels: 5, outputs: 3, kernel: [1, 1], size: [4, 6], attributes: {} },
    {
      name: '3×3, padded unevenly, stride 2 × 1',
      channels: 2,
      outputs: 3,
      kernel: [3, 3],
      size: [7, 5],
      attributes: { pads: [1, 0, 0, 2], strides: [2, 1] },
    },
    { name: 'dilated 3×2', channels: 2, outputs: 2, kernel: [3, 2], size: [9, 8], attributes: { dilations: [2, 3], pads: [2, 1, 2, 1] } },
    { name: 'depthwise', channels: 4, outputs: 4, kernel: [3, 3], size: [5, 5], attributes: { group: 4, pads: [1, 1, 1, 1] } },
    { name: 'two groups', channels: 6, outputs: 4, kernel: [1, 3], size: [4, 5], attributes: { group: 2, pads: [0, 1, 0, 1] } },
    {
      name: 'SAME_UPPER, stride 2',
      channels: 2,
      outputs: 2,
      kernel: [3, 3],
      size: [6, 7],
      attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    },
    {
      name: 'SAME_LOWER, stride 2',
      channels: 2,
      outputs: 2,
      kernel: [4, 3],
      size: [6, 7],
      attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] },
    },
    { name: 'sampled: too many pixels', channels: 2, outputs: 2, kernel: [3, 3], size: [90, 101], attributes: { pads: [1, 1, 1, 1] } },
    { name: 'sampled with stride', channels: 2, outputs: 2, kernel: [1, 1], size: [150, 301], attributes: { strides: [2, 2] } },
  ];
  it.each(cases)('$name', async (shape) => {
    const model = convModel(shape);
    const x = feed([1, shape.channels, ...shape.size], normals(random, shape.channels * shape.size[0] * shape.size[1]));
    const found = await gramOf(model, { x });
    expect(found.layer.columns).toBeLessThanOrEqual(4096);
    expect(found.layer.columns).toBeGreaterThan(8);
    expect(normalEquationsHold(model, found)).toBeLessThan(1e-4);
  });

  it.each([
    ['Gemm, transB', node('Gemm', ['x', 'w', 'b'], ['y'], { transB: 1 }), [3, 5]],
    ['Gemm', node('Gemm', ['x', 'w', 'b'], ['y']), [5, 3]],
  ] as const)('%s', async (_, layer, dims) => {
    const model = makeModel({
      inputs: [value('x', [9, 5])],
      outputs: [value('z', [9, 3])],
      nodes: [layer, node('Relu', ['y'], ['z'])],
      initializers: [f32('w', dims, normals(random, 15)), f32('b', [3], normals(random, 3))],
    });
    const found = await gramOf(model, { x: feed([9, 5], normals(random, 45)) });
    expect(normalEquationsHold(model, found)).toBeLessThan(1e-4);
  });

  it('MatMul and the Add that gives it a bias', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 9, 5])],
      outputs: [value('z', [1, 9, 3])],
      nodes: [node('MatMul', ['x', 'w'], ['p']), node('Add', ['p', 'b'], ['y']), node('Relu', ['y'], ['z'])],
      initializers: [f32('w', [5, 3], normals(random, 15)), f32('b', [3], normals(random, 3))],
    });
    const found = await gramOf(model, { x: feed([1, 9, 5], normals(random, 45)) });
    expect(found.layer.target).toBe('y');
    expect(normalEquationsHold(model, found)).toBeLessThan(1e-4);
  });
});

/** Largest difference. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));

it('a pixel counts the less the more its targets stand out', async () => {
  const model = convModel({ name: '', channels: 3, outputs: 2, kernel: [1, 1], size: [4, 5], attributes: {} });
  const { counts, y } = await gramOf(model, { x: feed([1, 3, 4, 5], normals(random, 60)) });
  const energy = Array.from({ length: 20 }, (_, p) => y[p]! ** 2 + y[20 + p]! ** 2);
  const mean = energy.reduce((a, b) => a + b) / 20;
  const expected = energy.reduce((sum, e) => sum + 1 / (1 + e / mean), 0);
  expect(counts[0]).toBeCloseTo(expected, 3);
});

describe('ridge', () => {
  const shape = { groups: 1, inputs: 3, outputs: 2 };
  const truth = { rows: Float64Array.from([1, -2, 0.5, 3, 0, 1]), bias: Float64Array.from([0.25, -1]) };
  const gramFor = (samples: number): Gram => {
    const gram = {
      inputs: new Float64Array(9),
      cross: new Float64Array(6),
      inputSums: new Float64Array(3),
      targetSums: new Float64Array(2),
      counts: Float64Array.of(samples),
    };
    for (let s = 0; s < samples; s++) {
      const a = normals(random, 3);
      const y = [0, 1].map((o) => truth.bias[o]! + a.reduce((t, v, i) => t + v * truth.rows[o * 3 + i]!, 0));
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 3; j++) gram.inputs[i * 3 + j]! += a[i]! * a[j]!;
        for (let o = 0; o < 2; o++) gram.cross[i * 2 + o]! += a[i]! * y[o]!;
        gram.inputSums[i]! += a[i]!;
      }
      for (let o = 0; o < 2; o++) gram.targetSums[o]! += y[o]!;
    }
    return gram;
  };
  const zero = { rows: new Float64Array(6), bias: new Float64Array(2) };

  it('finds the weights and the bias that made the targets', () => {
    const found = ridge(gramFor(50), zero, shape, 1e-12, true)!;
    expect(distance(found.rows, truth.rows)).toBeLessThan(1e-8);
    expect(distance(found.bias, truth.bias)).toBeLessThan(1e-8);
  });
  it('stays at the old weights under a strong pull, and where no input was seen', () => {
    const near = ridge(gramFor(50), truth, shape, 1e9, true)!;
    expect(distance(near.rows, truth.rows)).toBeLessThan(1e-6);
    const empty = {
      inputs: new Float64Array(9),
      cross: new Float64Array(6),
      inputSums: new Float64Array(3),
      targetSums: new Float64Array(2),
      counts: Float64Array.of(5),
    };
    expect(distance(ridge(empty, truth, shape, 1e-3, true)!.rows, truth.rows)).toBeLessThan(1e-12);
  });
  it('keeps the bias of a layer that has none to write', () => {
    const old = { rows: new Float64Array(6), bias: Float64Array.from(truth.bias) };
    const found = ridge(gramFor(50), old, shape, 1e-12, false)!;
    expect([...found.bias]).toEqual([...truth.bias]);
    expect(distance(found.rows, truth.rows)).toBeLessThan(1e-8);
  });
  it('refuses a matrix with NaN', () => {
    const gram = gramFor(5);
    gram.inputs[0] = Number.NaN;
    expect(ridge(gram, zero, shape, 1e-3, true)).toBeNull();
  });
  it('rowErrors is the squared error less the targets’ energy', () => {
    const gram = gramFor(50);
    const [exact, off] = [rowErrors(gram, truth, shape), rowErrors(gram, zero, shape)];
    expect(off[0]).toBe(0);
    const ss = -exact[0]!;
    expect(ss).toBeGreaterThan(0);
    const shifted = { rows: truth.rows, bias: Float64Array.from([truth.bias[0]! + 1, truth.bias[1]!]) };
    expect(rowErrors(gram, shifted, shape)[0]! - exact[0]!).toBeCloseTo(50, 6);
  });
});

/**
 * Conv 3×3 → depthwise → two branches → Concat → Conv → head, SiLU in between.
 * @param spread factor of every third or fourth channel, put in by one layer and taken out by the next
 */
function network(spread = 7): Model {
  const c = 8;
  const even = (_: number): number => 1;
  const fourth = (i: number): number => (i % 4 === 0 ? spread : 1);
  const third = (i: number): number => (i % 3 === 0 ? spread : 1);
  const silu = (from: string, to: string) => [node('Sigmoid', [from], [`${to}_s`]), node('Mul', [from, `${to}_s`], [to])];
  const conv = (x: string, w: string, y: string, attributes = {}) => node('Conv', [x, w, `${w}b`], [y], attributes);
  const weights = (name: string, dims: readonly [number, number, number, number], input = even, output = even): Tensor[] => {
    const taps = dims[2] * dims[3];
    const depthwise = dims[1] === 1;
    const data = normals(random, dims[0] * dims[1] * taps, 1 / Math.sqrt(dims[1] * taps)).map((v, i) => {
      const o = Math.floor(i / (dims[1] * taps));
      return (v * output(o)) / input(depthwise ? o : Math.floor(i / taps) % dims[1]);
    });
    const bias = normals(random, dims[0], 0.3).map((v, o) => v * output(o));
    return [f32(name, dims, data), f32(`${name}b`, [dims[0]], bias)];
  };
  return makeModel({
    inputs: [value('x', [1, 3, 12, 12])],
    outputs: [value('out', [1, 4, 12, 12])],
    nodes: [
      conv('x', 'w1', 'a0', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      ...silu('a0', 'a'),
      conv('a', 'w2', 'd0', { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: c }),
      ...silu('d0', 'd'),
      conv('d', 'w3', 'l0'),
      ...silu('l0', 'l'),
      conv('d', 'w4', 'r0'),
      ...silu('r0', 'r'),
      node('Concat', ['l', 'r'], ['cat'], { axis: 1 }),
      conv('cat', 'w5', 'm0'),
      ...silu('m0', 'm'),
      conv('m', 'w6', 'out'),
    ],
    initializers: [
      ...weights('w1', [c, 3, 3, 3], even, fourth),
      ...weights('w2', [c, 1, 3, 3], fourth, third),
      ...weights('w3', [c, c, 1, 1], third, fourth),
      ...weights('w4', [c, c, 1, 1], third, fourth),
      ...weights('w5', [c, 2 * c, 1, 1], fourth, fourth),
      ...weights('w6', [4, c, 1, 1], fourth, even),
    ],
  });
}

const images = (count: number): Tensors[] => Array.from({ length: count }, () => ({ x: feed([1, 3, 12, 12], normals(random, 432)) }));

async function meanError(a: Model, b: Model, feeds: readonly Tensors[]): Promise<number> {
  let total = 0;
  for (const one of feeds) {
    const [p, q] = [(await run(a, one)).out!.data, (await run(b, one)).out!.data];
    for (let i = 0; i < p.length; i++) total += (Number(p[i]) - Number(q[i])) ** 2;
  }
  return total;
}

describe('simulate', () => {
  it('computes what the QDQ network computes, to the bit', async () => {
    const model = network();
    const feeds = images(2);
    const state = await stateOf(model, feeds);
    const [a, b] = [await run(simulate(state.float, state.plan), feeds[0]!), await run(buildQdq(state.float, state.plan), feeds[0]!)];
    expect([...(a.out!.data as Float32Array)]).toEqual([...(b.out!.data as Float32Array)]);
  });
});

describe('the repair', () => {
  it('lowers the output error on images that it has not seen, keeps names, and reads every layer once solved', async () => {
    const model = network();
    const feeds = images(12);
    // Ranges of few values: clipped hard, so that there is an error to make up for.
    const ranges = await rangesOf(model, feeds);
    const options = { ...OPTIONS, calibrator: 'percentile', percentile: 97, tail: 'float' } as const;
    const state: QuantState = { float: model, plan: planQuantization(model, ranges, options, null) };
    const notes: string[] = [];
    const next = await reconstruct(state, { ...(await context(model, feeds, notes)), options });
    const unseen = images(6);
    const before = await meanError(model, buildQdq(state.float, state.plan), unseen);
    const after = await meanError(model, buildQdq(next.float, next.plan), unseen);
    expect(after).toBeLessThan(0.9 * before);
    expect(next.float.graph.nodes.map(({ name, outputs }) => [name, outputs])).toEqual(
      model.graph.nodes.map(({ name, outputs }) => [name, outputs]),
    );
    expect(next.plan.activations).toBe(state.plan.activations);
    expect(next.float.graph.initializers.get('w5')!.data).not.toEqual(model.graph.initializers.get('w5')!.data);
    expect(notes[0]).toMatch(/^Least squares solved \d of 6 layers again\.$/);
    expect((await engine()).liveSessions).toBe(0);
  });

  it('one weight scale a layer: choosing the integers in the same pass lowers the error further', async () => {
    const model = network(60);
    const feeds = images(12);
    const options = { ...OPTIONS, weights: 'per-tensor', tail: 'float' } as const;
    const state: QuantState = { float: model, plan: planQuantization(model, await rangesOf(model, feeds), options, null) };
    const ctx = { ...(await context(model, feeds)), options };
    const unseen = images(6);
    const errorOf = async (s: QuantState) => meanError(model, buildQdq(s.float, s.plan), unseen);
    const plain = await reconstruct(state, ctx, { ...LEAST_SQUARES, round: false });
    const rounded = await reconstruct(state, ctx, { ...LEAST_SQUARES, round: true });
    expect(await errorOf(plain)).toBeLessThan(0.8 * (await errorOf(state)));
    expect(await errorOf(rounded)).toBeLessThan(await errorOf(plain));
    // Weights stand on their grid, so that they are written as they were chosen; a layer that gains nothing stays.
    const weights = rounded.plan.constants.filter(({ role }) => role === 'weight');
    const standing = weights.filter(({ params, tensor }) => {
      const { dims, data } = rounded.float.graph.initializers.get(tensor)!;
      return fakeQuant({ dims, data: data as Float32Array }, params).every((v, i) => v === data[i]);
    });
    expect(standing.length).toBeGreaterThanOrEqual(4);
    for (const { params } of rounded.plan.constants) expect(params.scale).toHaveLength(1);
  });

  it('gives two layers that share a bias one each', async () => {
    const base = network();
    const nodes = base.graph.nodes.map((n) => (n.inputs[2] === 'w4b' ? { ...n, inputs: [n.inputs[0]!, 'w4', 'w3b'] } : n));
    const model: Model = { ...base, graph: { ...base.graph, nodes } };
    const feeds = images(6);
    const next = await reconstruct(await stateOf(model, feeds), await context(model, feeds));
    const names = ['w3', 'w4'].map((w) => next.float.graph.nodes.find((n) => n.inputs[1] === w)!.inputs[2]!);
    expect(names[0]).not.toBe(names[1]);
    expect(next.float.graph.initializers.get(names[0]!)!.data).not.toEqual(next.float.graph.initializers.get(names[1]!)!.data);
    for (const name of names) expect(next.plan.constants.some(({ tensor }) => tensor === name)).toBe(true);
    expect(serializeModel(buildQdq(next.float, next.plan)).length).toBeGreaterThan(0);
  });

  it('says so where there is nothing to solve', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 4, 6, 6])],
      outputs: [value('y', [1, 4, 4, 4])],
      nodes: [node('Conv', ['x', 'w'], ['y'], { group: 4, kernel_shape: [3, 3] })],
      initializers: [f32('w', [4, 1, 3, 3], normals(random, 36))],
    });
    const feeds = [{ x: feed([1, 4, 6, 6], normals(random, 144)) }];
    const state = await stateOf(model, feeds);
    const notes: string[] = [];
    expect(await reconstruct(state, await context(model, feeds, notes), { ...LEAST_SQUARES, grouped: false })).toBe(state);
    expect(notes).toEqual(['Least squares found no convolution or linear layer that it can solve.']);
  });

  it('works where sizes are open until images come', async () => {
    const base = network();
    const open: Model = {
      ...base,
      graph: {
        ...base.graph,
        inputs: [{ name: 'x', dtype: 'float32', shape: [1, 3, 'h', 'w'] }],
        outputs: [{ name: 'out', dtype: 'float32', shape: null }],
      },
    };
    const feeds = images(6);
    const next = await reconstruct(await stateOf(open, feeds), await context(open, feeds));
    expect(next.float.graph.inputs[0]!.shape).toEqual([1, 3, 'h', 'w']);
    expect(next.float.graph.initializers.get('w5')!.data).not.toEqual(open.graph.initializers.get('w5')!.data);
    expect(fixDimensions(next.float, { x: [1, 3, 12, 12] }).graph.inputs[0]!.shape).toEqual([1, 3, 12, 12]);
  });

  it('stops when it is told to', async () => {
    const model = network();
    const feeds = images(3);
    const cancel = {
      aborted: true,
      throwIfAborted() {
        throw new Error('stop');
      },
    };
    await expect(reconstruct(await stateOf(model, feeds), { ...(await context(model, feeds)), cancel })).rejects.toThrow('stop');
    expect((await engine()).liveSessions).toBe(0);
  });
});
