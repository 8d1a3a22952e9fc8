/** Task-aware clipping: the search, the network whose parameters are inputs, and the repair on networks with a known answer. */
import { describe, expect, it } from 'vitest';
import { qparamsFromRange } from '../../../src/numerics';
import { type Model, makeModel, node } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { outputError } from '../../../src/steps/output-error';
import { buildQdq, planQuantization, readOptions, replanConstants } from '../../../src/steps/quantize';
import { taskClipping } from '../../../src/steps/quantize/repairs/task-clipping';
import { type Ladder, laddersOf, type Position } from '../../../src/steps/quantize/repairs/task-clipping/ladders';
import { type Budget, searchAlone, searchTogether } from '../../../src/steps/quantize/repairs/task-clipping/search';
import { openTrials } from '../../../src/steps/quantize/repairs/task-clipping/trials';
import type { RepairContext } from '../../../src/steps/quantize/repairs/types';
import { createRandom, engine, f32, feed, normals, quiet, rangesOf, run, value } from './helpers';

const UINT8 = { bits: 8, signed: false, symmetric: false } as const;

describe('the searches', () => {
  const rungs = [1, 2, 3, 4, 5, 6];
  const ladder = (root: string, low: number, high: number): Ladder => ({
    root,
    low: rungs.map((r) => -r),
    high: rungs,
    at: { low, high },
  });
  const ladders = [ladder('a', 0, 5), ladder('b', 2, 2), ladder('c', 5, 0)];
  const best: Record<string, Position> = { a: { low: 3, high: 1 }, b: { low: 2, high: 2 }, c: { low: 1, high: 5 } };
  const weight: Record<string, number> = { a: 1, b: 10, c: 3 };
  const same = (_: Ladder, a: Position, b: Position) => a.low === b.low && a.high === b.high;
  const bowl = (root: string, { low, high }: Position): number => {
    const to = best[root]!;
    return weight[root]! * ((low - to.low) ** 2 + (high - to.high) ** 2 + 0.1 * (low - to.low) * (high - to.high));
  };
  const budgetOf = (left: number): Budget & { seen: number[] } => {
    const budget = { left, seen: [] as number[], used: (now: number) => budget.seen.push(now) };
    return budget;
  };

  describe('alone', () => {
    const setting = (budget: Budget) => {
      const input = {
        ladders,
        images: 4,
        same,
        budget,
        runs: 0,
        error: async ({ root }: Ladder, at: Position, image: number) => {
          input.runs++;
          return (0.25 + bowl(root, at)) * (image + 1);
        },
      };
      return input;
    };

    it('finds both ends of every group, from inside, from outside and from the place itself', async () => {
      const found = await searchAlone(setting(budgetOf(400)));
      expect(Object.fromEntries(found.map(({ ladder: { root }, at }) => [root, at]))).toEqual(best);
      for (const { after } of found) expect(after).toBe(0.25 * 10);
      expect(found[0]!.before).toBeGreaterThan(found[0]!.after);
    });

    it('keeps to its trials, counts them, spends them on the worst groups first, and does the same again', async () => {
      for (const left of [1, 3, 4, 12, 18]) {
        const budget = budgetOf(left);
        const found = await searchAlone(setting(budget));
        expect(budget.seen).toEqual(Array.from({ length: left }, (_, i) => left - 1 - i));
        for (const { before, after } of found) expect(after).toBeLessThanOrEqual(before);
        expect(await searchAlone(setting(budgetOf(left)))).toEqual(found);
      }
      expect((await searchAlone(setting(budgetOf(400)))).map(({ ladder: { root } }) => root)).toEqual(['c', 'a', 'b']);
      expect((await searchAlone(setting(budgetOf(5)))).map(({ ladder: { root }, before, after }) => [root, after < before])).toEqual([
        ['c', true],
      ]);
    });

    it('gives a range up on the first images that show it to be worse', async () => {
      const budget = budgetOf(400);
      const input = setting(budget);
      await searchAlone(input);
      expect(input.runs).toBeLessThan(0.8 * input.images * (400 - budget.left));
    });
  });

  describe('together', () => {
    /** A small gain on each image beside noise of a given size, the same at every call. */
    const setting = (noise: number, budget = budgetOf(200)) => ({
      ladders,
      start: new Map(ladders.map(({ root, at }) => [root, at])),
      images: 24,
      same,
      budget,
      error: async (positions: ReadonlyMap<string, Position>, image: number) => {
        const sum = [...positions].reduce((total, [root, at]) => total + bowl(root, at), 0);
        const random = createRandom(image * 1000 + Math.round(sum * 10));
        return 100 + 0.1 * sum + noise * random.normal();
      },
    });

    it('moves to where the error is least', async () => {
      expect(Object.fromEntries(await searchTogether(setting(0)))).toEqual(best);
    });

    it('stays where gains drown in chance, more often than not', async () => {
      const moved = [...(await searchTogether(setting(50)))].filter(
        ([root, at]) => !same(ladders[0]!, at, ladders.find((l) => l.root === root)!.at),
      );
      expect(moved.length).toBeLessThanOrEqual(1);
    });

    it('stops with its trials', async () => {
      const budget = budgetOf(5);
      await searchTogether(setting(0, budget));
      expect(budget.left).toBe(0);
      const none = setting(0, budgetOf(0));
      expect(await searchTogether(none)).toEqual(none.start);
    });
  });
});

const OPTIONS = { calibrator: 'minmax', clipping: 'task', clipTrials: 200 };
const SHAPE = [1, 4, 12, 12] as const;

/** x → Conv → Relu → pooled copy beside it → Conv → y; the last Conv reads channel 0 with `gain`. */
function network(gain: number): Model {
  const random = createRandom(40);
  const first = normals(random, 24, 0.5);
  const last = normals(random, 3 * 12, 0.4).map((w, i) => (i % 6 === 0 ? gain * w : w));
  for (let c = 0; c < 4; c++) first[c] = c === 0 ? 1 : 0;
  return makeModel({
    inputs: [value('x', SHAPE)],
    outputs: [value('y', [1, 3, 12, 12])],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c'], {}, 'first'),
      node('Relu', ['c'], ['a']),
      node('MaxPool', ['a'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Concat', ['a', 'p'], ['j'], { axis: 1 }),
      node('Conv', ['j', 'w2'], ['y'], {}, 'last'),
    ],
    initializers: [f32('w1', [6, 4, 1, 1], first), f32('b1', [6], normals(random, 6, 0.2)), f32('w2', [3, 12, 1, 1], last)],
  });
}

/** Ordinary values, and in a corner of channel 0 one that is `spike` large. */
function images(count: number, seed: number, spike: number): Tensors[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => ({
    x: feed(
      SHAPE,
      normals(random, 576).map((v, i) => (i === 0 ? spike * (1 + 0.2 * random.next()) : v)),
    ),
  }));
}

async function setup(model: Model, fit: readonly Tensors[], options: Record<string, string | number | boolean>) {
  const settings = readOptions({ ...OPTIONS, ...options });
  const ranges = await rangesOf(model, fit);
  const state = { float: model, plan: planQuantization(model, ranges, settings, null) };
  const notes: string[] = [];
  const ctx = {
    ...quiet,
    engine: await engine(),
    gpu: null,
    seed: 1,
    teacher: model,
    spec: null,
    ranges,
    options: settings,
    fit: { count: fit.length, at: async (i: number) => fit[i]! },
    held: { count: 6, at: async (i: number) => images(6, 55, 60)[i]! },
    note: (text: string) => notes.push(text),
  } as unknown as RepairContext;
  return { state, ctx, notes };
}

/** Mean error of the exported network on images. */
async function exported(model: Model, state: { float: Model; plan: Parameters<typeof buildQdq>[1] }, feeds: readonly Tensors[]) {
  let sum = 0;
  for (const one of feeds) sum += outputError(null, await run(model, one))(await run(buildQdq(state.float, state.plan), one));
  return sum / feeds.length;
}

describe('the network whose parameters are inputs', () => {
  it.each([
    ['uint8', false],
    ['int8', true],
  ] as const)('computes what the exported one does with these parameters (%s, symmetric %s)', async (activations, symmetric) => {
    const model = network(1);
    const fit = images(2, 3, 8);
    const { state, ctx } = await setup(model, fit, { activations, symmetric });
    expect(state.plan.activations.get('j')!.sharesWith).toBe('a');
    const trials = await openTrials(state.float, state.plan, fit, ctx);
    try {
      for (const [hi, lo] of [
        [9, 0],
        [2, -0.5],
      ] as const) {
        const scheme = { bits: 8, signed: activations === 'int8', symmetric } as const;
        const params = new Map([
          ['a', qparamsFromRange(lo, hi, scheme)],
          ['y', qparamsFromRange(-hi, hi, scheme)],
        ]);
        const moved = new Map(
          [...state.plan.activations].map(([name, quant]) => [
            name,
            { ...quant, params: params.get(quant.sharesWith ?? name) ?? quant.params },
          ]),
        );
        const plan = replanConstants(state.float, { ...state.plan, activations: moved }, ctx.options, null);
        for (const [i, one] of fit.entries()) {
          const expected = await exported(model, { float: model, plan }, [one]);
          expect(expected).toBeGreaterThan(0);
          expect((await trials.together(params, i)) / expected).toBeCloseTo(1, 3);
        }
      }
    } finally {
      await trials.release();
    }
  });
});

describe('one group alone', () => {
  it('errs by its own rounding only, a quarter with half the step, and hardly at all where its grid is fine', async () => {
    const model = network(1);
    const fit = images(1, 3, 1);
    const { state, ctx } = await setup(model, fit, {});
    const trials = await openTrials(state.float, state.plan, fit, ctx);
    try {
      const { scale } = state.plan.activations.get('a')!.params;
      const grid = (step: number) => ({ ...qparamsFromRange(0, 255 * step, UINT8), dtype: 'uint16' as const, qmax: 65535 });
      const [coarse, half, fine] = [
        await trials.alone('a', grid(4 * scale[0]!), 0),
        await trials.alone('a', grid(2 * scale[0]!), 0),
        await trials.alone('a', grid(scale[0]! / 256), 0),
      ];
      expect(coarse / half).toBeGreaterThan(3);
      expect(coarse / half).toBeLessThan(5.5);
      expect(fine).toBeLessThan(1e-4 * half);
      expect(await trials.together(new Map(), 0)).toBeGreaterThan(fine);
    } finally {
      await trials.release();
    }
  });
});

describe('laddersOf', () => {
  it('has one ladder per scale, the present range and the full one on it, innermost first', async () => {
    const { state, ctx } = await setup(network(1), images(3, 5, 30), { calibrator: 'percentile', percentile: 99.7 });
    const ladders = laddersOf(state, ctx.options, ctx.ranges);
    expect(ladders.map(({ root }) => root)).toEqual(['a', 'y']);
    const [a] = ladders as [Ladder, Ladder];
    const { params } = state.plan.activations.get('a')!;
    expect(a.high[a.at.high]! - a.low[a.at.low]!).toBeCloseTo(255 * params.scale[0]!, 5);
    expect(a.high).toEqual([...a.high].sort((p, q) => p - q));
    expect(a.high.length).toBeGreaterThan(2);
    expect(Math.abs(a.low[0]!)).toBe(0);
    const largest = Math.max(ctx.ranges.tensors.get('a')!.max, ctx.ranges.tensors.get('p')!.max);
    expect(a.high.at(-1)! / largest).toBeCloseTo(1, 2);
  });

  it('leaves out what is fixed: probabilities, the input, and 16-bit values', async () => {
    const model = makeModel({
      inputs: [value('x', [1, 4, 8, 8])],
      outputs: [value('y', [1, 4, 8, 8])],
      nodes: [
        node('Conv', ['x', 'w'], ['c'], {}, 'first'),
        node('Sigmoid', ['c'], ['s']),
        node('Mul', ['c', 's'], ['m']),
        node('Conv', ['m', 'w'], ['y'], {}, 'last'),
      ],
      initializers: [f32('w', [4, 4, 1, 1], normals(createRandom(1), 16, 0.3))],
    });
    const fit = [{ x: feed([1, 4, 8, 8], normals(createRandom(2), 256)) }];
    const roots = async (options: Record<string, string | boolean>) => {
      const { state, ctx } = await setup(model, fit, { fuseActivations: false, ...options });
      return { state, ctx, roots: laddersOf(state, ctx.options, ctx.ranges).map(({ root }) => root) };
    };
    expect((await roots({})).roots).toEqual(['c', 'm', 'y']);
    const free = await roots({ fixedRanges: false });
    expect(free.roots).toEqual(['c', 's', 'm', 'y']);
    const wide = { ...free.state.plan.activations.get('m')!, params: qparamsFromRange(-1, 1, { ...UINT8, bits: 16 }) };
    const activations = new Map(free.state.plan.activations).set('m', wide);
    const mixed = { ...free.state, plan: { ...free.state.plan, activations } };
    expect(laddersOf(mixed, free.ctx.options, free.ctx.ranges).map(({ root }) => root)).toEqual(['c', 's', 'y']);
  });
});

describe('the repair', () => {
  const unseen = (spike: number) => images(6, 77, spike);

  it('cuts off what the outputs hardly read', async () => {
    const model = network(0.001);
    const { state, ctx, notes } = await setup(model, images(8, 5, 60), {});
    const next = await taskClipping.apply(state, ctx);
    const [before, after] = [await exported(model, state, unseen(60)), await exported(model, next, unseen(60))];
    expect(before).toBeGreaterThan(0);
    expect(after).toBeLessThan(0.6 * before);
    const scale = (plan: typeof state.plan, name: string) => plan.activations.get(name)!.params.scale[0]!;
    expect(scale(next.plan, 'a')).toBeLessThan(0.3 * scale(state.plan, 'a'));
    for (const shared of ['p', 'j']) expect(next.plan.activations.get(shared)!.params).toEqual(next.plan.activations.get('a')!.params);
    expect(notes.join()).toMatch(
      /^task-clipping moved \d of 2 activation ranges by their effect on the outputs \(\d+ trials\): .* fell from/,
    );
  });

  it('widens a range whose rare large values are what counts', async () => {
    const model = network(1);
    const { state, ctx } = await setup(model, images(8, 5, 60), { calibrator: 'percentile', percentile: 99, headOutputs: 'minmax' });
    const next = await taskClipping.apply(state, ctx);
    const [before, after] = [await exported(model, state, unseen(60)), await exported(model, next, unseen(60))];
    expect(after).toBeLessThan(0.3 * before);
  });

  it('leaves the plan alone, and says so, where other images don’t agree', async () => {
    const model = network(0.001);
    const { state, ctx, notes } = await setup(model, images(8, 5, 60), {});
    // Held images on which channel 0 is all that there is: what the search cuts off is what they need.
    const held = images(8, 9, 60).map(({ x }) => ({
      x: feed(
        SHAPE,
        Float32Array.from({ length: 576 }, (_, i) => (i < 144 ? 40 + (x.data[i] as number) : 0)),
      ),
    }));
    const wide = { ...ctx, fit: { count: 1, at: ctx.fit.at }, held: { count: held.length, at: async (i: number) => held[i]! } };
    expect(await taskClipping.apply(state, wide)).toBe(state);
    expect(notes.join()).toMatch(/^task-clipping was left out: .* rose from/);
  });

  it('is what the biases are planned for: their scale follows the new input scale', async () => {
    const { state, ctx } = await setup(network(0.001), images(8, 5, 60), { fuseActivations: false });
    const next = await taskClipping.apply(state, ctx);
    expect(next).not.toBe(state);
    for (const { role, node: name, params } of next.plan.constants) {
      if (role !== 'bias') continue;
      const layer = next.plan.layers.find((l) => l.node === name)!;
      const weight = next.plan.constants.find((c) => c.node === name && c.role === 'weight')!;
      const input = next.plan.activations.get(layer.input)!.params.scale[0]!;
      expect(params.scale).toEqual(weight.params.scale.map((s) => Math.fround(s * input)));
    }
    expect(next.plan.constants.some(({ role }) => role === 'bias')).toBe(true);
  });

  it('gives the same ranges again, stops when cancelled, and releases its sessions', async () => {
    const { state, ctx } = await setup(network(0.001), images(8, 5, 60), { clipTrials: 20 });
    const once = await taskClipping.apply(state, ctx);
    expect((await taskClipping.apply(state, ctx)).plan).toEqual(once.plan);
    let calls = 0;
    const cancel = {
      aborted: true,
      throwIfAborted() {
        if (++calls > 15) throw new Error('cancelled');
      },
    };
    await expect(taskClipping.apply(state, { ...ctx, cancel })).rejects.toThrow('cancelled');
    expect((await engine()).liveSessions).toBe(0);
  });
});
