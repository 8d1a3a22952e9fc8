/** The analysis as a whole: figures against other ways to the same number, ranking, budget, going on, cancelling. */
import { describe, expect, it } from 'vitest';
import { cancelled, StudioError } from '../../../src/numerics';
import { type Model, makeModel, node } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { buildQdq, compareLayers, partialPlan, planQuantization, quantizableModel } from '../../../src/steps/quantize';
import { newAnalysisState } from '../../../src/steps/quantize/analysis';
import { analyse, inputOf } from './analysis-helpers';
import { createRandom, engine, f32, feed, normals, quiet, run, sqnr, value } from './helpers';

function network(): Model {
  const random = createRandom(31);
  return makeModel({
    inputs: [value('x', [1, 3, 8, 8])],
    outputs: [value('out', [1, 4, 8, 8])],
    nodes: [
      node('Conv', ['x', 'w1'], ['c1'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Sigmoid', ['c1'], ['s1']),
      node('Mul', ['c1', 's1'], ['a1']),
      node('Conv', ['a1', 'w2'], ['c2'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 8 }),
      node('Add', ['a1', 'c2'], ['sum']),
      node('Conv', ['sum', 'w3', 'b3'], ['out'], { kernel_shape: [1, 1] }),
    ],
    initializers: [
      f32('w1', [8, 3, 3, 3], normals(random, 216)),
      f32('w2', [8, 1, 3, 3], normals(random, 72)),
      f32('w3', [4, 8, 1, 1], normals(random, 32)),
      f32('b3', [4], normals(random, 4)),
    ],
  });
}

const FEEDS: Tensors[] = [1, 2].map((seed) => ({ x: feed([1, 3, 8, 8], normals(createRandom(seed), 192)) }));

describe('analysis', () => {
  it('gives each layer the figures that its parts, run as QDQ networks, give', async () => {
    const input = await inputOf(network(), FEEDS.slice(0, 1));
    const report = await analyse(input, 60);
    expect(report).toMatchObject({ complete: true, images: 1, judgedBy: 'relative', model: 'test.onnx' });
    expect([...report.layers].sort((a, b) => a.index - b.index).map(({ node: n, kind }) => [n, kind])).toEqual([
      ['x', 'input'],
      ['c1', 'conv'],
      ['c2', 'depthwise'],
      ['sum', 'other'],
      ['out', 'pointwise'],
    ]);
    const float = quantizableModel(network());
    const plan = planQuantization(float, input.ranges, input.options, null);
    const exact = await run(float, FEEDS[0]!);
    const outputOf = async (part: Parameters<typeof partialPlan>[1]) =>
      (await run(buildQdq(float, partialPlan(plan, part)), FEEDS[0]!)).out!;
    const weightsOnly = await outputOf({ activation: () => false, constant: () => true });
    expect(report.whole.weightsOnly.sqnrDb).toBeCloseTo(sqnr(exact.out!.data as Float32Array, weightsOnly.data as Float32Array), 6);
    const depthwise = report.layers.find(({ node: n }) => n === 'c2')!;
    expect(depthwise.weightSensitivity).toBeGreaterThan(0);
    expect(depthwise.sensitivity).toBeGreaterThan(0);
    // Accumulated: as the run's own layer table says.
    const compared = await compareLayers({
      float,
      quant: buildQdq(float, plan),
      feeds: FEEDS.slice(0, 1),
      engine: await engine(),
      cancel: quiet.cancel,
    });
    for (const layer of report.layers) if (layer.op !== 'Input') expect(layer.sqnrAccumulatedDb).toBeCloseTo(compared[layer.node]!, 6);
    for (const layer of report.layers) {
      expect(layer.sqnrAloneDb!).toBeGreaterThanOrEqual(layer.sqnrAccumulatedDb - 1);
      expect(layer.cosineAlone!).toBeGreaterThan(0.999);
    }
  });

  it('ranks by what quantizing a layer alone does to the outputs', async () => {
    const { layers } = await analyse(await inputOf(network(), FEEDS), 60);
    const cost = layers.map(({ sensitivity, weightSensitivity }) => (sensitivity ?? 0) + (weightSensitivity ?? 0));
    expect([...cost].sort((a, b) => b - a)).toEqual(cost);
    expect(cost[0]).toBeGreaterThan(cost.at(-1)!);
  });

  it('ends with its time, says so, and goes on to the same report', async () => {
    const input = await inputOf(network(), FEEDS);
    const state = newAnalysisState();
    const first = await analyse(input, 1e-6, state);
    expect(first.complete).toBe(false);
    expect(first.layers.every(({ sensitivity }) => sensitivity === null)).toBe(true);
    expect(first.whole.both.outputError).toBeGreaterThan(0);
    const measured = Object.keys(state.measured).length;
    const second = await analyse(input, 60, structuredClone(state));
    expect(second.complete).toBe(true);
    const { seconds: _, ...whole } = await analyse(input, 60);
    expect(second).toMatchObject(whole);
    expect(second.seconds).toBeGreaterThan(first.seconds);
    expect(measured).toBe(FEEDS.length * 4);
  });

  it('stops when cancelled, keeps what it has measured, and leaves no session open', async () => {
    const input = await inputOf(network(), FEEDS);
    const state = newAnalysisState();
    let aborted = false;
    const ctx = {
      cancel: {
        get aborted() {
          return aborted;
        },
        throwIfAborted() {
          if (aborted) throw cancelled();
        },
      },
      progress: ({ done }: { done: number }) => {
        aborted = done >= 11;
      },
    };
    const live = (await engine()).liveSessions;
    await expect(analyse(input, 60, state, ctx)).rejects.toMatchObject({ code: 'cancelled' });
    expect(Object.keys(state.measured)).toHaveLength(11);
    expect((await engine()).liveSessions).toBe(live);
    expect((await analyse(input, 60, state)).complete).toBe(true);
  });

  it('analyses what repairs have made, against the untouched float network', async () => {
    const input = await inputOf(network(), FEEDS, { weights: 'per-tensor' });
    const float = quantizableModel(network());
    const plan = planQuantization(float, input.ranges, input.options, null);
    const w1 = float.graph.initializers.get('w1')!;
    const halved = { ...w1, data: (w1.data as Float32Array).map((v) => v / 2) };
    const changed = { ...float, graph: { ...float.graph, initializers: new Map(float.graph.initializers).set('w1', halved) } };
    const report = await analyse({ ...input, repaired: { float: changed, plan } }, 60);
    // Half of the first layer's weights: its own value is off by half, about 6 dB, and nothing hides it.
    const first = report.layers[0]!;
    expect(first.node).toBe('c1');
    expect(first.weightSqnrDb!).toBeLessThan(9);
    expect(report.layers.find(({ node: n }) => n === 'x')!.sensitivity!).toBeLessThan(first.weightSensitivity! / 100);
  });

  it('refuses a budget of nothing', async () => {
    const input = await inputOf(network(), FEEDS);
    await expect(analyse(input, 0)).rejects.toThrow(StudioError);
    await expect(analyse({ ...input, feeds: [] }, 60)).rejects.toMatchObject({ code: 'bad-option' });
  });
});
