/** The repair 'learn' on the tiny YOLOX fixture: what it trains, what it must leave alone, and that its result is real. */
import { beforeAll, describe, expect, it } from 'vitest';
import { lowerFakeQuant } from '../../../src/autodiff';
import { matchFamily } from '../../../src/models';
import { StudioError } from '../../../src/numerics';
import { type Model, node, tensor, valueInfo, withGraph } from '../../../src/onnx';
import { buildQdq, planQuantization, quantizableModel, readOptions } from '../../../src/steps/quantize';
import { openJudge } from '../../../src/steps/quantize/repairs/judge';
import { LEARN_SETTINGS, learn, openLearning } from '../../../src/steps/quantize/repairs/learn';
import { followScales } from '../../../src/steps/quantize/repairs/learn/result';
import {
  bakeConstants,
  insertFakeQuant,
  learnables,
  scaleName,
  withVariables,
  zeroName,
} from '../../../src/steps/quantize/repairs/learn/student';
import type { QuantState, RepairContext } from '../../../src/steps/quantize/repairs/types';
import { engine, quiet, rangesOf, run } from './helpers';
import { detector, feedsOf } from './trained-detector';

let state: QuantState;
let ctx: RepairContext;
let notes: string[];

async function setUp(): Promise<void> {
  const float = quantizableModel(detector());
  const spec = matchFamily(float)!;
  const fit = feedsOf([1, 2, 3, 4, 5, 6, 7, 8]);
  const held = feedsOf([101, 102, 103, 104]);
  const ranges = await rangesOf(float, [await fit.at(0), await fit.at(1), await fit.at(2)]);
  const settings = readOptions({ learnSteps: 120, percentile: 99 });
  notes = [];
  state = { float, plan: planQuantization(float, ranges, settings, spec) };
  const shared = { ...quiet, engine: await engine(), gpu: null, seed: 3 };
  const judge = await openJudge(float, spec, held, shared);
  ctx = {
    ...shared,
    teacher: float,
    spec,
    ranges,
    options: settings,
    fit,
    held,
    judge,
    note: (text) => notes.push(text),
  };
}

const integers = (model: Model): [string, string][] =>
  [...model.graph.initializers.values()]
    .filter(({ dtype }) => dtype === 'int8')
    .map(({ name, data }) => [name, (data as Int8Array).join()]);

describe('learn', () => {
  let next: QuantState;
  beforeAll(async () => {
    await setUp();
    next = await learn.apply(state, ctx);
  });

  it('starts from a student that computes what the QDQ network computes, layer by layer', async () => {
    const { fixed, variables } = learnables(state.float, state.plan, new Map(), LEARN_SETTINGS.rates, false);
    const student = withVariables(insertFakeQuant(bakeConstants(state.float, state.plan), state.plan), {
      variables: [],
      fixed: [...fixed, ...variables.map(({ name, dims, data }) => tensor(name, 'float32', dims, data))],
    });
    // Every quantized value of the student reads what the QDQ network made of the layers before it.
    const made = new Set(student.graph.nodes.flatMap(({ outputs }) => outputs));
    const values = [...state.plan.activations.values()].filter(({ value }) => made.has(`${value}/fake_quant`));
    const forced = new Map(values.map(({ value }) => [`${value}/fake_quant`, `${value}_DequantizeLinear_Output`]));
    const apart = withGraph(student, {
      nodes: student.graph.nodes.map((n) => ({ ...n, inputs: n.inputs.map((name) => forced.get(name) ?? name) })),
      inputs: [...student.graph.inputs, ...[...forced.values()].map((name) => valueInfo(name, 'float32', null))],
      outputs: [...forced.keys()].map((name) => valueInfo(name, 'float32', null)),
    });
    const outputs = [...forced.values()].map((name) => valueInfo(name, 'float32', null));
    const feed = await ctx.held.at(0);
    const quantized = await run(withGraph(buildQdq(state.float, state.plan), { outputs }), feed);
    const own = await run(lowerFakeQuant(apart), { ...feed, ...quantized });
    let [total, flips] = [0, 0];
    for (const { value, params } of values) {
      const [x, y] = [
        own[`${value}/fake_quant`]!.data as Float32Array,
        quantized[`${value}_DequantizeLinear_Output`]!.data as Float32Array,
      ];
      expect(x.length, value).toBe(y.length);
      for (let i = 0; i < x.length; i++) {
        const steps = Math.abs(x[i]! - y[i]!) / params.scale[0]!;
        if (steps > 1.01) expect.fail(`${value}: ${steps} steps apart`);
        if (steps > 0.5) flips++;
      }
      total += x.length;
    }
    expect(values.length).toBeGreaterThan(40);
    expect(flips / total).toBeLessThan(1e-3);
  });

  it('lowers the loss on unseen images and the error of the outputs, in the QDQ network itself', async () => {
    const before = await ctx.judge.score(buildQdq(state.float, state.plan));
    expect(next).not.toBe(state);
    expect(await ctx.judge.score(buildQdq(next.float, next.plan))).toBeLessThan(before);
    const [, from, to] = /images (\S+) → (\S+)\./.exec(notes[0]!)!.map(Number) as [number, number, number];
    expect(to).toBeLessThan(0.9 * from);
    // What was judged is what is written: the learned parameters in a fresh student have that loss.
    const { objective, variables } = await openLearning(next, ctx, { ...LEARN_SETTINGS, imageSteps: 0 });
    const again = await objective.judge(Object.fromEntries(variables.map(({ name, data }) => [name, data])));
    await objective.release();
    expect(Math.abs(again / to - 1)).toBeLessThan(0.1);
  });

  it('gives the same bits for the same seed', async () => {
    const short = { ...ctx, options: { ...ctx.options, learnSteps: 24 } };
    const [a, b] = [await learn.apply(state, short), await learn.apply(state, short)];
    expect(a.plan).toEqual(b.plan);
    expect([...a.float.graph.initializers]).toEqual([...b.float.graph.initializers]);
    const other = await learn.apply(state, { ...short, seed: 4 });
    expect(other.plan.activations).not.toEqual(a.plan.activations);
  });

  it('leaves weights as they are and changes scales, zero points and biases', async () => {
    const [before, after] = [buildQdq(state.float, state.plan), buildQdq(next.float, next.plan)];
    expect(integers(after)).toEqual(integers(before));
    const moved = [...next.plan.activations].filter(
      ([value, { params }]) => params.scale[0] !== state.plan.activations.get(value)!.params.scale[0],
    );
    expect(moved.length).toBeGreaterThan(40);
    for (const { params } of next.plan.activations.values()) {
      expect(Number.isInteger(params.zeroPoint[0]) && params.zeroPoint[0]! >= 0 && params.zeroPoint[0]! <= 255).toBe(true);
      expect(params.scale[0]).toBe(Math.fround(params.scale[0]!));
    }
    expect(next.plan.activations.get('images')).toEqual(state.plan.activations.get('images'));
    const bias = '/backbone/stem/conv/Conv.bias';
    expect(next.float.graph.initializers.get(bias)!.data).not.toEqual(state.float.graph.initializers.get(bias)!.data);
    expect(next.float.graph.initializers.get(bias)!.dims).toEqual([12]);
    // A bias lies on its accumulator's grid: input scale · weight scale.
    const constant = next.plan.constants.find(({ tensor: name }) => name === '/head/stems.0/conv/Conv.bias')!;
    const weight = next.plan.constants.find(({ tensor: name }) => name === '/head/stems.0/conv/Conv.weight')!;
    const layer = next.plan.layers.find(({ node }) => node === weight.node)!;
    const input = next.plan.activations.get(layer.input)!.params.scale[0]!;
    expect(constant.params.scale).toEqual(weight.params.scale.map((s) => Math.fround(input * s)));
    // Weight scales are trained as a factor each, and the float weights follow.
    const planned = state.plan.constants.find(({ tensor: name }) => name === weight.tensor)!;
    expect(weight.params.scale.every((s, c) => s !== planned.params.scale[c] && Math.abs(s / planned.params.scale[c]! - 1) < 0.2)).toBe(
      true,
    );
    // Values that share a scale still do.
    for (const { params, sharesWith } of next.plan.activations.values())
      if (sharesWith) expect(params).toEqual(next.plan.activations.get(sharesWith)!.params);
  });

  it('trains one scale for values that share one, none for pixels and 16-bit values', () => {
    const wide = '/neck/p3/Concat_out';
    const planned = state.plan.activations.get(wide)!;
    const activations = new Map(state.plan.activations).set(wide, {
      ...planned,
      params: { ...planned.params, dtype: 'uint16', qmax: 65535 },
    });
    const { variables, fixed } = learnables(state.float, { ...state.plan, activations }, new Map(), LEARN_SETTINGS.rates, false);
    const names = variables.map(({ name }) => name);
    expect(names.filter((name) => name.includes('images'))).toEqual([]);
    expect(names).not.toContain(scaleName(wide));
    expect(fixed.map(({ name }) => name)).toEqual([scaleName(wide), zeroName(wide)]);
    const pool = '/backbone/dark5/spp/m/MaxPool_5_out';
    expect(state.plan.activations.get(pool)!.sharesWith).not.toBeNull();
    expect(names).not.toContain(scaleName(pool));
    const symmetric = learnables(state.float, state.plan, new Map(), LEARN_SETTINGS.rates, true);
    expect(symmetric.variables.some(({ name }) => name.startsWith('learn/zero_point'))).toBe(false);
  });

  it('enlarges a weight scale only where the bias would overflow', () => {
    const bias = '/head/stems.0/conv/Conv.bias';
    const initializers = new Map(state.float.graph.initializers);
    const own = initializers.get(bias)!;
    initializers.set(bias, { ...own, data: Float32Array.from(own.data as Float32Array, (v, i) => (i === 3 ? 1e9 : v)) });
    const plan = followScales(withGraph(state.float, { initializers }), state.plan);
    const of = (p: typeof plan) => p.constants.find(({ tensor: name }) => name === '/head/stems.0/conv/Conv.weight')!.params.scale;
    of(plan).forEach((scale, c) => {
      if (c === 3) expect(scale).toBeGreaterThan(10 * of(state.plan)[c]!);
      else expect(scale).toBe(of(state.plan)[c]);
    });
  });

  it('stops between steps when cancelled, and releases its sessions', async () => {
    const before = (await engine()).liveSessions;
    let steps = 0;
    const cancelled: RepairContext = {
      ...ctx,
      cancel: {
        get aborted() {
          return steps >= 3;
        },
        throwIfAborted() {
          if (steps >= 3) throw new StudioError('cancelled', 'Cancelled.', '');
        },
      },
      progress: ({ done }) => {
        steps = done;
      },
    };
    await expect(learn.apply(state, cancelled)).rejects.toThrow('Cancelled.');
    expect(steps).toBe(3);
    expect((await engine()).liveSessions).toBe(before);
  });

  it('leaves a network without gradients as it is and says which layer', async () => {
    const { graph } = state.float;
    const stem = '/backbone/stem/act/Mul_out';
    const nodes = graph.nodes.flatMap((n) => {
      const read = { ...n, inputs: n.inputs.map((name) => (name === stem ? 'unlearnable' : name)) };
      return n.outputs[0] === stem ? [n, node('LRN', [stem], ['unlearnable'], { size: 3 })] : [read];
    });
    const float = withGraph(state.float, { nodes });
    const left: string[] = [];
    const context = { ...ctx, teacher: float, note: (text: string) => left.push(text) };
    const start = { float, plan: state.plan };
    expect(await learn.apply(start, context)).toBe(start);
    expect(left).toEqual([expect.stringMatching(/^learn was left out: unlearnable \(LRN\) has no gradient here/)]);
    expect((await engine()).liveSessions).toBe(0);
  });
});
