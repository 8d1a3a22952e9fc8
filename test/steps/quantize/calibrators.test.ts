/** Ranges by option: calibrators, fixed ranges of probabilities, weight scales by least squared error. */
import { describe, expect, it } from 'vitest';
import { createRandom, fakeQuant, leastDivergenceRange, leastErrorRange, percentileRange } from '../../../src/numerics';
import { type Model, makeModel, type Node, node } from '../../../src/onnx';
import { CALIBRATORS, quantizeMeta } from '../../../src/steps/quantize';
import { leastErrorBounds } from '../../../src/steps/quantize/weight-range';
import type { QuantArtifact, TensorQuant } from '../../../src/steps/types';
import { weightsOnly } from './case-helpers';
import { f32, feed, normals, quantized, run, sqnr, statsOf, value } from './helpers';

const SCHEME = { bits: 8, signed: false, symmetric: false } as const;
const planned = (artifact: QuantArtifact, name: string): TensorQuant => artifact.plan.find(({ tensor }) => tensor === name)!;
const covers = ({ scale, zeroPoint }: TensorQuant) => [(0 - zeroPoint[0]!) * scale[0]!, (255 - zeroPoint[0]!) * scale[0]!];

describe('calibrators', () => {
  const stats = statsOf('t', [normals(createRandom(1), 50_000).map((v, i) => (i < 20 ? 30 : v))]);

  it('are what the option offers', () => {
    const option = quantizeMeta.options.find(({ key }) => key === 'calibrator')!;
    expect(option.type === 'choice' && [...option.choices].sort()).toEqual(Object.keys(CALIBRATORS).sort());
  });

  it('each takes its own range, and the planned activation has it', async () => {
    const settings = { percentile: 99.9, scheme: SCHEME };
    expect(CALIBRATORS.minmax(stats, settings)).toEqual([stats.min, stats.max]);
    expect(CALIBRATORS.percentile(stats, settings)).toEqual(percentileRange(stats, 99.9));
    expect(CALIBRATORS.mse(stats, settings)).toEqual(leastErrorRange(stats, SCHEME));
    expect(CALIBRATORS.entropy(stats, settings)).toEqual(leastDivergenceRange(stats, SCHEME));
    const highs = (['minmax', 'percentile', 'mse', 'entropy'] as const).map((id) => CALIBRATORS[id](stats, settings)[1]);
    // Least squared error keeps these outliers: they would cost more than the finer step gains.
    expect(new Set(highs).size).toBeGreaterThanOrEqual(3);

    const model = makeModel({
      inputs: [value('x', [1, 1, 8, 8])],
      outputs: [value('y', [1, 1, 8, 8])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'first'), node('Conv', ['c', 'w'], ['y'], {}, 'last')],
      initializers: [f32('w', [1, 1, 1, 1], [1])],
    });
    const feeds = {
      x: feed(
        [1, 1, 8, 8],
        normals(createRandom(3), 64).map((v, i) => (i === 0 ? 9 : v)),
      ),
    };
    const own = statsOf('c', [feeds.x.data as Float32Array]);
    for (const calibrator of ['percentile', 'mse', 'entropy'] as const) {
      const [lo, hi] = covers(planned(await quantized(model, [feeds], { calibrator }), 'c'));
      const wanted = CALIBRATORS[calibrator](own, settings);
      expect(hi! - lo!).toBeCloseTo(wanted[1] - wanted[0], 1);
    }
  });
});

describe('fixedRanges', () => {
  /** x → Conv → `nodes` from c to a → Conv → y; values of c small, so that a probability hardly leaves ½. */
  const inside = (nodes: readonly Node[], channels = 4): Model =>
    makeModel({
      inputs: [value('x', [1, 4, 6, 6])],
      outputs: [value('y', [1, 2, 6, 6])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'first'), ...nodes, node('Conv', ['a', 'v'], ['y'], {}, 'last')],
      initializers: [
        f32('w', [4, 4, 1, 1], normals(createRandom(4), 16, 0.1)),
        f32('v', [2, channels, 1, 1], normals(createRandom(5), 2 * channels)),
      ],
    });
  const feeds = { x: feed([1, 4, 6, 6], normals(createRandom(6), 144)) };

  it.each([
    ['Sigmoid, fused to its layer', [node('Sigmoid', ['c'], ['a'])], {}],
    ['Sigmoid apart', [node('Sigmoid', ['c'], ['a'])], { fuseActivations: false }],
    ['HardSigmoid', [node('HardSigmoid', ['c'], ['a'])], {}],
    ['Softmax', [node('Softmax', ['c'], ['a'], { axis: 1 })], {}],
  ] as const)('%s: 0…1 whatever the images showed, by any calibrator', async (_, nodes, options) => {
    for (const calibrator of ['minmax', 'percentile', 'mse', 'entropy']) {
      const fixed = planned(await quantized(inside(nodes), [feeds], { calibrator, ...options }), 'a');
      expect([fixed.scale, fixed.zeroPoint]).toEqual([[Math.fround(1 / 255)], [0]]);
    }
    const free = planned(await quantized(inside(nodes), [feeds], { fixedRanges: false, ...options }), 'a');
    expect(covers(free)[1]).toBeLessThan(0.9);
  });

  it('holds for what only moves or joins probabilities, not for what is computed from them', async () => {
    const nodes = [
      node('Sigmoid', ['c'], ['s']),
      node('MaxPool', ['s'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('HardSigmoid', ['c'], ['h']),
      node('Concat', ['p', 'h'], ['j'], { axis: 1 }),
      node('Add', ['j', 'j'], ['a']),
    ];
    for (const concat of ['shared', 'requantize']) {
      const artifact = await quantized(inside(nodes, 8), [feeds], { concat });
      for (const name of ['s', 'p', 'h', 'j']) expect(covers(planned(artifact, name))[1]).toBeCloseTo(1, 6);
      expect(covers(planned(artifact, 'a'))[1]).toBeLessThan(1.9);
    }
  });

  it('a SiLU is not a probability; its gate, taken apart, is', async () => {
    const silu = inside([node('Sigmoid', ['c'], ['s']), node('Mul', ['c', 's'], ['a'])]);
    expect(covers(planned(await quantized(silu, [feeds]), 'a'))[1]).not.toBeCloseTo(1, 2);
    const apart = await quantized(silu, [feeds], { fuseActivations: false });
    expect(covers(planned(apart, 's'))[1]).toBeCloseTo(1, 6);
  });

  it('in the tail, when that is quantized too', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 4, 6, 6])],
      outputs: [value('y', [1, 4, 6, 6])],
      nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'conv'), node('Sigmoid', ['c'], ['y'])],
      initializers: [f32('w', [4, 4, 1, 1], normals(createRandom(4), 16, 0.1))],
    });
    expect(covers(planned(await quantized(model, [feeds], { tail: 'all' }), 'y'))[1]).toBeCloseTo(1, 6);
  });
});

describe('weightRange', () => {
  /** Sum of squared errors of a tensor on the grid of one bound. */
  const errorOf = (w: ArrayLike<number>, bound: number): number => {
    const params = { dtype: 'int8', scale: [bound / 127], zeroPoint: [0], axis: null, qmin: -127, qmax: 127 } as const;
    return fakeQuant({ dims: [w.length], data: w }, params).reduce((sum, q, i) => sum + (q - w[i]!) ** 2, 0);
  };

  it('finds the bound that a fine exhaustive search finds, per slice', () => {
    const random = createRandom(9);
    const n = 100_000;
    const heavy = () => normals(random, n).map((w, i) => (i === 7 ? 12 * Math.sign(w) : w));
    const slices = [heavy(), Float32Array.from({ length: n }, () => random.next() * 2 - 1), new Float32Array(n)];
    const data = new Float32Array(3 * n);
    slices.forEach((slice, i) => {
      data.set(slice, i * n);
    });
    const largest = Float64Array.from(slices, (s) => s.reduce((m, w) => Math.max(m, Math.abs(w)), 0));
    const bounds = leastErrorBounds({ dims: [3, n], data }, 0, largest, 127);
    slices.forEach((slice, i) => {
      const tried = Array.from({ length: 60 }, (_, k) => largest[i]! * (0.25 + (0.75 * (k + 1)) / 60));
      const best = Math.min(...tried.map((bound) => (bound > 0 ? errorOf(slice, bound) : 0)));
      if (largest[i] === 0) expect(bounds[i]).toBe(0);
      else expect(errorOf(slice, bounds[i]!)).toBeLessThanOrEqual(best * 1.03);
    });
    expect(bounds[0]).toBeLessThan(0.75 * largest[0]!);
    // A uniform density has nothing to clip.
    expect(bounds[1]).toBeGreaterThan(0.98 * largest[1]!);
  });

  it('lowers the output error of a layer with outlying weights, per tensor and per channel', async () => {
    const random = createRandom(10);
    const n = 16_384;
    const weight = normals(random, 8 * n).map((w, i) => (i === 3 ? 7 : w));
    const model = makeModel({
      inputs: [value('x', [32, n, 1, 1])],
      outputs: [value('y', [32, 8, 1, 1])],
      nodes: [node('Conv', ['x', 'w'], ['y'], {}, 'conv')],
      initializers: [f32('w', [8, n, 1, 1], weight)],
    });
    const feeds = {
      x: feed(
        [32, n, 1, 1],
        normals(random, 32 * n).map((v, i) => (i % n === 3 ? 0.01 * v : v)),
      ),
    };
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const weights of ['per-channel', 'per-tensor']) {
      const scales = async (weightRange: string) => planned(await quantized(model, [feeds], { weights, weightRange }), 'w').scale;
      const [plain, clipped] = [await scales('absmax'), await scales('mse')];
      expect(clipped).toHaveLength(plain.length);
      clipped.forEach((s, i) => {
        expect(s).toBeLessThanOrEqual(plain[i]!);
      });
      expect(clipped[0]! / plain[0]!).toBeLessThan(weights === 'per-tensor' ? 0.8 : 0.97);
      const db = async (weightRange: string) =>
        sqnr(exact, (await run(await weightsOnly(model, [feeds], { weights, weightRange }), feeds)).y!.data as Float32Array);
      expect(await db('mse')).toBeGreaterThan(await db('absmax'));
    }
  });
});
