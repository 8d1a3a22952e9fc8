/** Activations in 16 bits: how they are written, which go together and which are chosen. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, node } from '../../../src/onnx';
import type { RunTensor, Tensors } from '../../../src/runtime';
import { buildQdq, paretoSixteenBit, planQuantization, readOptions } from '../../../src/steps/quantize';
import { openJudge } from '../../../src/steps/quantize/repairs/judge';
import { sixteenBit } from '../../../src/steps/quantize/repairs/sixteen-bit';
import { chooseUnits, widePlan } from '../../../src/steps/quantize/repairs/sixteen-bit/pareto';
import { depthwiseUnits, widthUnits } from '../../../src/steps/quantize/repairs/sixteen-bit/units';
import type { RepairContext } from '../../../src/steps/quantize/repairs/types';
import { createRandom, engine, f32, nodesOf, normals, quiet, rangesOf, run, sqnr, value } from './helpers';

const DIMS = [1, 4, 8, 8] as const;
const random = createRandom(7);
const weights = (name: string, out: number, into: number, k: number) =>
  f32(name, [out, into, k, k], normals(random, out * into * k * k, 0.4));

/** 1×1, depthwise 3×3, 1×1 with a shortcut, and a Concat at the end. */
const network: Model = makeModel({
  inputs: [value('x', DIMS)],
  outputs: [value('y', DIMS)],
  nodes: [
    node('Conv', ['x', 'w1', 'b1'], ['a'], {}, 'expand'),
    node('Conv', ['a', 'w2', 'b2'], ['b'], { group: 4, pads: [1, 1, 1, 1] }, 'depthwise'),
    node('Conv', ['b', 'w3'], ['c'], {}, 'project'),
    node('Add', ['a', 'c'], ['d'], {}, 'shortcut'),
    node('Conv', ['d', 'w4'], ['e'], {}, 'left'),
    node('MaxPool', ['e'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, 'pool'),
    node('Conv', ['d', 'w5'], ['f'], {}, 'right'),
    node('Concat', ['p', 'f'], ['g'], { axis: 1 }, 'concat'),
    node('Conv', ['g', 'w6'], ['y'], {}, 'last'),
  ],
  initializers: [
    weights('w1', 4, 4, 1),
    f32('b1', [4], [0.1, -0.2, 0.3, 0]),
    weights('w2', 4, 1, 3),
    f32('b2', [4], [0.2, 0.1, 0, -0.1]),
    weights('w3', 4, 4, 1),
    weights('w4', 2, 4, 1),
    weights('w5', 2, 4, 1),
    weights('w6', 4, 4, 1),
  ],
});

const feedOf = (seed: number): Tensors => ({ x: { dtype: 'float32', dims: DIMS, data: normals(createRandom(seed), 256) } as RunTensor });
const FEEDS = Array.from({ length: 6 }, (_, i) => feedOf(i + 1));

async function context(options: Record<string, string | number | boolean> = {}, model = network, feeds = FEEDS) {
  const settings = readOptions({ calibrator: 'minmax', ...options });
  const ranges = await rangesOf(model, feeds);
  const state = { float: model, plan: planQuantization(model, ranges, settings, null) };
  const fit = { count: feeds.length, at: async (i: number) => feeds[i]! };
  const notes: string[] = [];
  const shared = { ...quiet, engine: await engine(), gpu: null, seed: 1 };
  const ctx: RepairContext = {
    ...shared,
    teacher: model,
    spec: null,
    ranges,
    options: settings,
    fit,
    held: fit,
    judge: await openJudge(model, null, fit, shared),
    note: (text) => notes.push(text),
  };
  return { state, ctx, notes };
}

const wideValues = (model: Model): string[] =>
  nodesOf(model, 'QuantizeLinear')
    .filter((n) => /^u?int16$/.test(model.graph.initializers.get(n.inputs[2]!)!.dtype))
    .map((n) => n.inputs[0]!);

describe('the QDQ form', () => {
  it('keeps its opset with 8 bits, needs 21 with 16, and is far closer to the float network', async () => {
    for (const [activations, dtype] of [
      ['uint8', 'uint16'],
      ['int8', 'int16'],
    ] as const) {
      const { state, ctx } = await context({ activations });
      const values = widthUnits(network, state.plan, false).flatMap((unit) => unit.values);
      const narrow = buildQdq(network, state.plan);
      const wide = buildQdq(network, widePlan(state, new Set(values), ctx));
      expect([narrow.opsets[''], wide.opsets['']]).toEqual([13, 21]);
      const types = nodesOf(wide, 'QuantizeLinear').map((n) => wide.graph.initializers.get(n.inputs[2]!)!.dtype);
      expect(types.filter((t) => t === dtype)).toHaveLength(values.length);
      for (const level of ['disabled', 'all'] as const) {
        const exact = (await run(network, FEEDS[0]!)).y!.data as Float32Array;
        const [a, b] = [await run(narrow, FEEDS[0]!, level), await run(wide, FEEDS[0]!, level)];
        expect(sqnr(exact, b.y!.data as Float32Array)).toBeGreaterThan(sqnr(exact, a.y!.data as Float32Array) + 3);
      }
    }
  });

  it('a 16-bit tensor covers everything that the calibration saw, and its layer’s bias follows the finer scale', async () => {
    const { state, ctx } = await context({ calibrator: 'percentile', percentile: 90 });
    const plan = widePlan(state, new Set(['a']), ctx);
    const { min, max } = ctx.ranges.tensors.get('a')!;
    const [before, after] = [state.plan.activations.get('a')!.params, plan.activations.get('a')!.params];
    expect((after.qmin - after.zeroPoint[0]!) * after.scale[0]!).toBeLessThanOrEqual(min + after.scale[0]!);
    expect((after.qmax - after.zeroPoint[0]!) * after.scale[0]!).toBeGreaterThanOrEqual(max - after.scale[0]!);
    expect(before.scale[0]! / after.scale[0]!).toBeGreaterThan(50);
    const [weight, bias] = ['w2', 'b2'].map((name) => plan.constants.find(({ tensor }) => tensor === name)!.params);
    expect(bias!.scale).toEqual(weight!.scale.map((s) => Math.fround(s * after.scale[0]!)));
    expect(plan.activations.get('d')).toEqual(state.plan.activations.get('d'));
  });
});

describe('values of one width', () => {
  it('are those of one scale; the graph’s input keeps 8 bits', async () => {
    const { state } = await context();
    const units = widthUnits(network, state.plan, false);
    expect(units.map(({ values }) => values)).toEqual([['a'], ['b'], ['c'], ['d'], ['e', 'p'], ['f'], ['g'], ['y']]);
    expect(units[4]!.layers).toEqual(['left', 'pool']);
  });

  it('are joined by shortcuts and Concats on devices that can’t change the width there', async () => {
    const { state } = await context({ concat: 'shared' });
    const sets = widthUnits(network, state.plan, true).map(({ values }) => [...values].sort());
    expect(sets).toContainEqual(['a', 'c', 'd']);
    expect(sets).toContainEqual(['e', 'f', 'g', 'p']);
    expect(sets).toContainEqual(['b']);
  });
});

describe('which layers get 16 bits', () => {
  it('depthwise: what depthwise convolutions read and make, with INT8 weights everywhere', async () => {
    const { state, ctx, notes } = await context({ sixteenBit: 'depthwise' });
    expect(depthwiseUnits(network, state.plan, widthUnits(network, state.plan, false)).flatMap(({ values }) => values)).toEqual(['a', 'b']);
    const after = await sixteenBit.apply(state, ctx);
    const model = buildQdq(after.float, after.plan);
    expect(wideValues(model)).toEqual(['a', 'b']);
    const weightTypes = after.plan.constants.filter(({ role }) => role === 'weight').map(({ params }) => params.dtype);
    expect(new Set(weightTypes)).toEqual(new Set(['int8']));
    expect(notes).toEqual(['16 bits: 2 activations around depthwise convolutions, made by "expand", "depthwise".']);
  });

  /** Channel 0 of `a` is 400 times as large as what the rest of the network lives on, and is dropped again at once. */
  const outlier = ((): Model => {
    const first = new Float32Array(16);
    for (let i = 0; i < 4; i++) first[i * 5] = i === 0 ? 400 : 1;
    const second = new Float32Array(16);
    for (let i = 0; i < 4; i++) second[i * 5] = i === 0 ? 1 / 400 : 1;
    return makeModel({
      inputs: [value('x', DIMS)],
      outputs: [value('y', DIMS)],
      nodes: [
        node('Conv', ['x', 'k1'], ['m'], {}, 'first'),
        node('Conv', ['m', 'k2'], ['a'], {}, 'stretched'),
        node('Conv', ['a', 'k3'], ['n'], {}, 'third'),
        node('Conv', ['n', 'k4'], ['y'], {}, 'fourth'),
      ],
      initializers: [weights('k1', 4, 4, 1), f32('k2', [4, 4, 1, 1], first), f32('k3', [4, 4, 1, 1], second), weights('k4', 4, 4, 1)],
    });
  })();

  it('search: the one that the error comes from; further layers cost more and err less', async () => {
    const { state, ctx, notes } = await context({ sixteenBit: 'search', sixteenBitLayers: 2 }, outlier);
    const after = await sixteenBit.apply(state, ctx);
    const points = after.plan.pareto!;
    expect(points.map(({ tensors }) => tensors.length)).toEqual([0, 1, 2]);
    expect(points[1]!.layers).toEqual(['stretched']);
    expect(points[0]!.cost).toBe(1);
    // Each of the four layers has a quarter of the multiply-accumulates; a wide value slows its maker and its reader.
    expect(points[1]!.cost).toBeCloseTo(1 + (3 * 2) / 4, 10);
    expect(points[1]!.error).toBeLessThan(points[0]!.error / 20);
    expect(points[2]!.error).toBeLessThan(points[1]!.error);
    expect(wideValues(buildQdq(after.float, after.plan))).toContain('a');
    expect(notes.at(-1)).toMatch(/^16 bits: 2 activations, made by "stretched"/);
  });

  it('a curve can carry the mAP of each point', async () => {
    const { state, ctx } = await context({}, outlier);
    const seen: number[] = [];
    const points = await paretoSixteenBit(state, ctx, { limit: 1, factor: 2, evaluate: async (m) => seen.push(wideValues(m).length) });
    expect(points.map(({ mAP, cost }) => [mAP, cost])).toEqual([
      [1, 1],
      [2, 1.5],
    ]);
    expect(seen).toEqual([0, 1]);
  });

  it('a set that shares a scale counts each of its values, and doesn’t fit a smaller budget', () => {
    const unit = (...values: string[]) => ({ values, layers: values });
    const units = [unit('a', 'b', 'c'), unit('d'), unit('e'), unit('f', 'g')];
    expect(chooseUnits(units, [9, 1, 2, 0], 5).flatMap(({ values }) => values)).toEqual(['a', 'b', 'c', 'e', 'd']);
    expect(chooseUnits(units, [9, 1, 2, 0], 2).flatMap(({ values }) => values)).toEqual(['e', 'd']);
  });

  it('nothing where no depthwise convolution is, and the user is told', async () => {
    const { state, ctx, notes } = await context({ sixteenBit: 'depthwise' }, outlier);
    expect(await sixteenBit.apply(state, ctx)).toBe(state);
    expect(notes).toEqual(['No layer gets 16 bits: there is no depthwise convolution.']);
  });

  it('stops when the user cancels', async () => {
    const { state, ctx } = await context({ sixteenBit: 'search' });
    let calls = 0;
    const cancel = {
      aborted: false,
      throwIfAborted() {
        if (++calls > 3) throw new Error('cancelled here');
      },
    };
    await expect(sixteenBit.apply(state, { ...ctx, cancel })).rejects.toThrow('cancelled here');
    expect((await engine()).liveSessions).toBe(0);
  });
});
