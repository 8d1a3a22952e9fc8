/** Rounding by output error: never worse than round-to-nearest on the layer's own error, and it stays what it was once written. */
import { afterAll, describe, expect, it } from 'vitest';
import { quantize as toIntegers } from '../../../src/numerics';
import { type Model, makeModel, node } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { buildQdq, planQuantization, readOptions } from '../../../src/steps/quantize';
import { biasCorrection } from '../../../src/steps/quantize/repairs/bias-correction';
import { rounding } from '../../../src/steps/quantize/repairs/rounding';
import { descend, gptq, inverseFactor, roundForOutput, roundNearest, rowError } from '../../../src/steps/quantize/repairs/rounding/round';
import type { QuantState, RepairContext } from '../../../src/steps/quantize/repairs/types';
import { createRandom, engine, f32, feed, normals, quiet, rangesOf, run, value } from './helpers';

const random = createRandom(21);
afterAll(async () => (await engine()).dispose());

/** Correlated inputs: a few hidden causes and some noise. */
function gramOf(inputs: number, samples: number, noise: number): Float64Array {
  const mix = normals(random, inputs * 3);
  const gram = new Float64Array(inputs * inputs);
  for (let s = 0; s < samples; s++) {
    const hidden = normals(random, 3);
    const a = Float64Array.from(
      { length: inputs },
      (_, i) => hidden[0]! * mix[i * 3]! + hidden[1]! * mix[i * 3 + 1]! + hidden[2]! * mix[i * 3 + 2]! + noise * random.normal(),
    );
    for (let i = 0; i < inputs; i++) for (let j = 0; j < inputs; j++) gram[i * inputs + j]! += a[i]! * a[j]!;
  }
  return gram;
}

const errorOf = (gram: Float64Array, rows: Float64Array, integers: Float64Array, inputs: number, scales: readonly number[]): number[] =>
  Array.from({ length: rows.length / inputs }, (_, row) =>
    rowError(
      gram,
      Float64Array.from(
        { length: inputs },
        (_, i) => integers[row * inputs + i]! * scales[scales.length === 1 ? 0 : row]! - rows[row * inputs + i]!,
      ),
    ),
  );

describe('roundForOutput', () => {
  it.each([
    [1, 1, 5, 0.5, false],
    [4, 3, 40, 0.3, false],
    [16, 8, 100, 0.1, false],
    [16, 8, 100, 0.1, true],
    [33, 5, 20, 0, false],
    [48, 12, 500, 0.5, true],
  ])('%i inputs, %i rows, %i samples, noise %f, one scale: %s', (inputs, outputs, samples, noise, oneScale) => {
    for (let round = 0; round < 5; round++) {
      const gram = gramOf(inputs, samples, noise);
      const rows = Float64Array.from(normals(random, inputs * outputs));
      const bound = (row: number) => Math.max(...rows.subarray(row * inputs, (row + 1) * inputs).map(Math.abs));
      const bounds = Array.from({ length: outputs }, (_, row) => bound(row));
      const scale = (oneScale ? [Math.max(...bounds)] : bounds).map((b) => Math.fround(b / 7));
      const grid = { scale, qmin: -7, qmax: 7 };
      const nearest = errorOf(gram, rows, roundNearest(rows, inputs, grid), inputs, scale);
      const chosen = roundForOutput(gram, rows, inputs, grid);
      const better = errorOf(gram, rows, chosen, inputs, scale);
      better.forEach((error, row) => {
        expect(error).toBeLessThanOrEqual(nearest[row]! * (1 + 1e-9));
      });
      expect(chosen.every((q) => Number.isInteger(q) && Math.abs(q) <= 7)).toBe(true);
      if (inputs >= 16 && noise < 0.5) {
        const total = (errors: number[]) => errors.reduce((a, b) => a + b);
        expect(total(better)).toBeLessThan(0.7 * total(nearest));
      }
    }
  });

  it('is as good as trying every combination, nearly, on few weights', () => {
    const inputs = 5;
    let [found, best] = [0, 0];
    for (let trial = 0; trial < 20; trial++) {
      const gram = gramOf(inputs, 50, 0.3);
      const rows = Float64Array.from(normals(random, inputs));
      const grid = { scale: [0.4], qmin: -7, qmax: 7 };
      found += errorOf(gram, rows, roundForOutput(gram, rows, inputs, grid), inputs, [0.4])[0]!;
      let least = Number.POSITIVE_INFINITY;
      for (let k = 0; k < 3 ** inputs; k++) {
        const integers = roundNearest(rows, inputs, grid).map((q, i) => q + (Math.floor(k / 3 ** i) % 3) - 1);
        least = Math.min(least, errorOf(gram, rows, integers, inputs, [0.4])[0]!);
      }
      best += least;
    }
    expect(found).toBeLessThan(1.3 * best);
  });

  it('uncorrelated inputs leave nothing to gain: the nearest integers', () => {
    const gram = new Float64Array(16);
    for (let i = 0; i < 4; i++) gram[i * 5] = 1 + i;
    const rows = Float64Array.from([0.2, 1.4, -2.6, 0.9]);
    expect([...gptq(inverseFactor(gram, 4)!, rows, 4, { scale: [1], qmin: -127, qmax: 127 })]).toEqual([0, 1, -3, 1]);
    expect([...roundForOutput(gram, rows, 4, { scale: [1], qmin: -127, qmax: 127 })]).toEqual([0, 1, -3, 1]);
  });

  it('two equal inputs share what is lost: 0.4 + 0.4 is 1, not 0', () => {
    const gram = Float64Array.from([1, 1, 1, 1]);
    const rows = Float64Array.from([0.4, 0.4]);
    const integers = roundForOutput(gram, rows, 2, { scale: [1], qmin: -127, qmax: 127 });
    expect(integers[0]! + integers[1]!).toBe(1);
  });

  it('descend never leaves the grid', () => {
    const gram = gramOf(8, 30, 0.1);
    const rows = Float64Array.from(normals(random, 8, 10));
    const integers = new Float64Array(8).fill(3);
    descend(gram, rows, integers, 8, { scale: [0.1], qmin: -3, qmax: 3 });
    expect(integers.every((q) => Math.abs(q) <= 3)).toBe(true);
  });
});

function network(): Model {
  return makeModel({
    inputs: [value('x', [1, 6, 10, 10])],
    outputs: [value('y', [1, 5, 10, 10])],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'wd', 'bd'], ['d'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 8 }),
      node('Relu', ['d'], ['e']),
      node('Conv', ['e', 'w2', 'b2'], ['y']),
    ],
    initializers: [
      f32('w1', [8, 6, 3, 3], normals(random, 432)),
      f32('b1', [8], normals(random, 8)),
      f32('wd', [8, 1, 3, 3], normals(random, 72)),
      f32('bd', [8], normals(random, 8)),
      f32('w2', [5, 8, 1, 1], normals(random, 40)),
      f32('b2', [5], normals(random, 5)),
    ],
  });
}

async function start(weights: string): Promise<{ state: QuantState; ctx: RepairContext; feeds: readonly Tensors[] }> {
  const model = network();
  const feeds = Array.from({ length: 4 }, () => ({ x: feed([1, 6, 10, 10], normals(random, 600)) }));
  const ranges = await rangesOf(model, feeds);
  const options = readOptions({ calibrator: 'minmax', tail: 'all', weights, rounding: 'gptq', biasCorrection: true });
  const all = { count: feeds.length, at: async (i: number) => feeds[i]! };
  const ctx: RepairContext = {
    ...quiet,
    engine: await engine(),
    gpu: null,
    seed: 1,
    teacher: model,
    spec: null,
    ranges,
    options,
    fit: all,
    held: all,
    judge: { score: async () => 0 },
    note: () => undefined,
  };
  return { state: { float: model, plan: planQuantization(model, ranges, options, null) }, ctx, feeds };
}

describe('the repair', () => {
  it.each(['per-channel', 'per-tensor'])('%s: snaps weights to the planned grid, so that they are written as chosen', async (weights) => {
    const { state, ctx } = await start(weights);
    const next = await rounding.apply(state, ctx);
    expect(next.plan.constants).toEqual(state.plan.constants);
    let changed = 0;
    for (const { role, tensor, params } of next.plan.constants) {
      if (role !== 'weight') continue;
      const [old, now] = [state, next].map(({ float }) => float.graph.initializers.get(tensor)!);
      const [before, after] = [old!, now!].map(({ dims, data }) => toIntegers({ dims, data: data as Float32Array }, params));
      after!.forEach((q, i) => {
        const c = params.axis === null ? 0 : Math.floor(i / (after!.length / now!.dims[0]!));
        expect(Math.fround(q * params.scale[c]!)).toBe((now!.data as Float32Array)[i]);
        if (q !== before![i]) changed++;
      });
    }
    expect(changed).toBeGreaterThan(10);
  });
});

describe('bias correction', () => {
  it.each(['per-channel', 'per-tensor'])('%s: takes the mean error that weight rounding makes out of every layer', async (weights) => {
    const { state, ctx, feeds } = await start(weights);
    const next = await biasCorrection.apply(state, ctx);
    const weightsOnly = ({ float, plan }: QuantState): Model =>
      buildQdq(float, { ...plan, activations: new Map(), constants: plan.constants.filter(({ role }) => role === 'weight') });
    const means = async (model: Model): Promise<number[]> => {
      const sums = new Array<number>(5).fill(0);
      for (const one of feeds) {
        const y = (await run(model, one)).y!.data as Float32Array;
        y.forEach((v, i) => {
          sums[Math.floor(i / 100)]! += v / 400;
        });
      }
      return sums;
    };
    const exact = await means(state.float);
    const off = async (s: QuantState) => (await means(weightsOnly(s))).reduce((t, m, c) => t + Math.abs(m - exact[c]!), 0);
    expect(await off(next)).toBeLessThan(0.5 * (await off(state)));
    expect(next.plan).toEqual(state.plan);
    expect(next.float.graph.initializers.get('w1')!.data).toEqual(state.float.graph.initializers.get('w1')!.data);
  });

  it('does nothing where weights stand on their grid', async () => {
    const { state, ctx } = await start('per-channel');
    const snapped = await rounding.apply(state, ctx);
    expect(await biasCorrection.apply(snapped, ctx)).toBe(snapped);
  });
});
