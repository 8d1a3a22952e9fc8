/** Quantization-aware training on the tiny YOLOX fixture: gradients through the weights' quantizer, and a result that is real. */
import { describe, expect, it } from 'vitest';
import { matchFamily } from '../../../src/models';
import { createRandom } from '../../../src/numerics';
import { buildQdq, planQuantization, type QuantState, quantizableModel, readOptions } from '../../../src/steps/quantize';
import { openJudge } from '../../../src/steps/quantize/repairs/judge';
import { LEARN_SETTINGS, openLearning } from '../../../src/steps/quantize/repairs/learn';
import { withClipDecay } from '../../../src/steps/quantize/repairs/learn/pact';
import { qat } from '../../../src/steps/quantize/repairs/learn/qat';
import { bakeConstants, constantName } from '../../../src/steps/quantize/repairs/learn/student';
import { weightTrainer } from '../../../src/steps/quantize/repairs/learn/weights';
import type { RepairContext } from '../../../src/steps/quantize/repairs/types';
import type { TrainingLook } from '../../../src/steps/types';
import { engine, quiet, rangesOf } from './helpers';
import { detector, feedsOf } from './trained-detector';

async function setUp(values: Parameters<typeof readOptions>[0]) {
  const float = quantizableModel(detector());
  const spec = matchFamily(float)!;
  const fit = feedsOf([1, 2, 3, 4, 5, 6, 7, 8]);
  const held = feedsOf([101, 102, 103, 104]);
  const ranges = await rangesOf(float, [await fit.at(0), await fit.at(1), await fit.at(2)]);
  const options = readOptions({ percentile: 99, ...values });
  const state: QuantState = { float, plan: planQuantization(float, ranges, options, spec) };
  const shared = { ...quiet, engine: await engine(), gpu: null, seed: 3, floatHash: 'float' };
  const notes: string[] = [];
  const looks: TrainingLook[] = [];
  const ctx: RepairContext = {
    ...shared,
    teacher: float,
    spec,
    ranges,
    options,
    fit,
    held,
    judge: await openJudge(float, spec, held, shared),
    note: (text) => notes.push(text),
    look: (look) => looks.push(look),
  };
  return { state, ctx, notes, looks };
}

describe.each([
  ['per-channel', 'lsq'],
  ['per-tensor', 'lsq'],
  ['per-channel', 'pact'],
] as const)('QAT, weights %s, activations by %s', (weights, qatMethod) => {
  it('lowers the loss on unseen images, trains the weights, and writes what it judged', async () => {
    const { state, ctx, notes, looks } = await setUp({ weights, qatMethod, qatSteps: 120 });
    const before = await ctx.judge.score(buildQdq(state.float, state.plan));
    const next = await qat.apply(state, ctx);
    // PACT's clips start where percentiles put them and can't be judged by so short a training.
    if (qatMethod === 'lsq') expect(await ctx.judge.score(buildQdq(next.float, next.plan))).toBeLessThan(before);
    const [, from, to] = /images (\S+) → (\S+)\.$/.exec(notes[0]!)!.map(Number) as [number, number, number];
    expect(to).toBeLessThan(0.9 * from);
    expect(notes[0]).toMatch(/^qat: \d+ of 120 image-steps on 8 images; loss on 4 unseen images/);
    expect(looks.at(-1)).toMatchObject({ run: 'Quantization-aware training', step: 120, total: 120 });
    const weight = state.plan.constants.find(({ role }) => role === 'weight')!;
    const [a, b] = [state, next].map(({ float }) => float.graph.initializers.get(weight.tensor)!.data as Float32Array);
    expect(a!.some((v, i) => v !== b![i])).toBe(true);
    // What training judged is what is written: a fresh student of the result has that loss.
    const settings = { ...LEARN_SETTINGS, imageSteps: 0, weights: { weight: 0, scale: 0 }, features: 0.3, gradient: qatMethod };
    const { objective, variables } = await openLearning(next, ctx, settings);
    const again = await objective.judge(Object.fromEntries(variables.map(({ name, data }) => [name, data])));
    await objective.release();
    expect(Math.abs(again / to - 1)).toBeLessThan(0.15);
  });
});

describe('weights through their quantizer', () => {
  it('pass straight through inside the grid, and teach a single scale by what rounding and clipping did', async () => {
    const { state } = await setUp({ weights: 'per-tensor' });
    const student = bakeConstants(state.float, state.plan);
    const trainer = weightTrainer(student, state.float, state.plan, [], { weight: 1e-3, scale: 1e-2 });
    const constant = state.plan.constants.find(({ role }) => role === 'weight')!;
    const name = `learn/weight_scale/${constant.tensor}`;
    const values = Object.fromEntries(trainer.variables.map(({ name: own, data }) => [own, data.slice()]));
    // A scale half as wide clips the outer weights.
    values[name] = Float32Array.of(Math.log(constant.params.scale[0]! / 2));
    const input = constantName(constant);
    const random = createRandom(2);
    const upstream = Float32Array.from(values[constant.tensor]!, () => random.normal());
    const zero = Object.fromEntries(trainer.map.inputs.map((own) => [own, new Float32Array(trainer.map.feeds(values)[own]!.data.length)]));
    const found = trainer.map.gradients(values, { ...zero, [input]: upstream });
    const s = Math.fround(Math.exp(values[name]![0]!));
    const w = values[constant.tensor]!;
    expect(w.some((v) => Math.abs(v / s) > 127.5)).toBe(true);
    w.forEach((v, i) => {
      expect(found[constant.tensor]![i]).toBe(Math.abs(v / s) <= 127.5 ? upstream[i] : 0);
    });
    // Rounding held fixed, the quantized weight is round(w/s)·s inside and ±127·s outside: its derivative by s, by hand.
    const byHand = w.reduce((sum, v, i) => {
      const t = v / s;
      const slope = Math.abs(t) <= 127.5 ? Math.round(t) - t : Math.sign(t) * 127;
      return sum + upstream[i]! * slope * s;
    }, 0);
    expect(found[name]![0]! / byHand).toBeCloseTo(1, 4);
  });

  it('follow each channel’s largest weight where every channel has a scale', async () => {
    const { state } = await setUp({ weights: 'per-channel' });
    const trainer = weightTrainer(bakeConstants(state.float, state.plan), state.float, state.plan, [], { weight: 1e-3, scale: 1e-2 });
    const constant = state.plan.constants.find(({ role }) => role === 'weight')!;
    const values = Object.fromEntries(trainer.variables.map(({ name, data }) => [name, data.map((v) => 2 * v)]));
    const scaled = trainer.constants(state.plan, values).find(({ tensor }) => tensor === constant.tensor)!;
    scaled.params.scale.forEach((scale, c) => {
      expect(scale / constant.params.scale[c]!).toBeCloseTo(2, 5);
    });
  });
});

it('PACT’s decay is the gradient of λ · Σ (clip / clip at the start)²', () => {
  const variable = { name: 'learn/scale/x', dims: [], data: Float32Array.of(-2), unit: Float32Array.of(1), rate: 1 };
  const map = { inputs: [], feeds: () => ({}), gradients: () => ({ 'learn/scale/x': Float32Array.of(0.5) }) };
  const decayed = withClipDecay(map, [variable], 0.01);
  const at = (logScale: number) => 0.01 * Math.exp(logScale + 2) ** 2;
  const slope = (at(-1.7 + 1e-4) - at(-1.7 - 1e-4)) / 2e-4;
  expect(decayed.gradients({ 'learn/scale/x': Float32Array.of(-1.7) }, {})['learn/scale/x']![0]).toBeCloseTo(0.5 + slope, 5);
});
