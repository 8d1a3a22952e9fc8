/** Scores that look at images, objectives, and several steps in a row. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { analyze, type Model, tensor, withGraph } from '../../../src/onnx';
import type { RunTensor } from '../../../src/runtime';
import { channelGroups, composeKept, type Objective, prune } from '../../../src/steps/prune';
import { IMPORTANCES } from '../../../src/steps/prune/importance';
import { reconstructionOn } from '../../../src/steps/prune/reconstruction';
import { gaussNewtonSignals, taylorSignals } from '../../../src/steps/prune/signals';
import { runModel } from '../../onnx/ort';
import { Net } from './helpers';
import { artifactOf, context, detector, pictures } from './images';

/** a (4 channels) → Relu → s = conv(r) + r → y: the channels of r are read by two layers. */
function twice(): Model {
  const net = new Net(6);
  net.conv('a', 'x', 3, 4);
  net.op('Relu', 'r', ['a']);
  net.conv('b', 'r', 4, 5);
  net.conv('y1', 'b', 5, 2);
  net.conv('y2', 'r', 4, 2);
  net.op('Add', 'y', ['y1', 'y2']);
  return net.model([['y', [1, 2, 8, 8]]]);
}

function input(seed: number, dims: readonly number[] = [1, 3, 8, 8]): RunTensor {
  const random = createRandom(seed);
  return { dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()) };
}

async function groupOf(model: Model, source: string) {
  const { trace, groups } = channelGroups(model);
  return { trace, group: groups.find((group) => group.source === source)! };
}

describe('gauss-newton', () => {
  it('is the squared change of the outputs, in units of their σ, where they are linear in the channel', async () => {
    const model = twice();
    const { trace, group } = await groupOf(model, 'a');
    const image = input(3);
    const { position, list } = await gaussNewtonSignals({ trace, spec: null, branches: [], inputs: [image], ctx: await context() }, 800);
    const { OrtTensor, run } = await outputs(image);
    const whole = await run(model, OrtTensor);
    const mean = whole.reduce((a, b) => a + b, 0) / whole.length;
    const variance = whole.reduce((sum, v) => sum + (v - mean) ** 2, 0) / whole.length;
    for (const [channel, root] of group.classes.entries()) {
      const without = await run(withoutReads(model, channel), OrtTensor);
      const change = whole.reduce((sum, v, i) => sum + (v - without[i]!) ** 2, 0) / variance;
      const found = list.reduce((sum, { classes }) => sum + classes[position.get(root)!]! ** 2, 0) / list.length;
      expect(Math.abs(found / change - 1)).toBeLessThan(0.2);
    }
  });

  it('is what the step goes by, gives the same twice and leaves no session open', async () => {
    const artifact = await artifactOf(detector());
    const ctx = await context();
    const run = () => prune(artifact, { macsReduction: 12, resolve: 'off' }, ctx, null, pictures(5));
    const [first, second] = [await run(), await run()];
    expect(first.report.importance).toBe('gauss-newton');
    expect(second.artifact.hash).toBe(first.artifact.hash);
    expect(first.report.macs.after / first.report.macs.before).toBeLessThanOrEqual(0.88);
    expect(ctx.engine.liveSessions).toBe(0);
  });

  it.each(['sum', 'joint'])('sums removal costs by reduction "%s"', async (reduction) => {
    const { report } = await prune(
      await artifactOf(detector()),
      { macsReduction: 12, reduction, resolve: 'off' },
      await context(),
      null,
      pictures(4),
    );
    expect(report.macs.after / report.macs.before).toBeLessThanOrEqual(0.88);
  });

  it('gives way to measuring where a layer has no gradient, and says so', async () => {
    const net = new Net(2);
    net.conv('a', 'x', 3, 16);
    net.conv('c', net.op('Relu', 'r', ['a']), 16, 4);
    net.op('LRN', 'y', ['c'], { size: 3 });
    const model = net.model([['y', [1, 4, 32, 32]]], 13, [1, 3, 32, 32]);
    const { report } = await prune(await artifactOf(model), { macsReduction: 20, resolve: 'off' }, await context(), null, pictures(3, 32));
    expect(report.importance).toBe('measured');
    expect(report.notes.join(' ')).toContain('Channels were measured by removing them: y (LRN) has no gradient here');
  });

  it('needs images, and says what it went by without them', async () => {
    const { report } = await prune(await artifactOf(detector()), { macsReduction: 10 }, await context());
    expect(report.importance).toBe('flow');
    expect(report.notes).toContain('No images were given: channels were judged by their weights alone.');
  });
});

describe('taylor', () => {
  it('is 0 for a network against itself but for the noise, and larger against another', async () => {
    const model = twice();
    const { trace, group } = await groupOf(model, 'a');
    const request = { trace, spec: null, branches: [], inputs: [input(1), input(2)], ctx: await context() };
    const size = async (teacher: Model | null): Promise<number> => {
      const { position, list } = await taylorSignals(request, teacher);
      return Math.max(...group.classes.map((root) => Math.max(...list.map(({ classes }) => Math.abs(classes[position.get(root)!]!)))));
    };
    expect(await size(model)).toBeLessThan(1e-6);
    expect(await size(null)).toBeGreaterThan(1e-4);
    const y2 = model.graph.initializers.get('y2_w')!;
    const other = tensor(
      'y2_w',
      'float32',
      y2.dims,
      (y2.data as Float32Array).map((v) => 1.5 * v),
    );
    expect(await size(withGraph(model, { initializers: new Map([...model.graph.initializers, ['y2_w', other]]) }))).toBeGreaterThan(1e-2);
  });
});

describe('reconstruction', () => {
  it('costs nothing where others can make up for a channel', async () => {
    const net = new Net(8);
    net.conv('a', 'x', 3, 4);
    net.op('Concat', 'twin', ['a', 'a'], { axis: 1 });
    net.conv('y', net.op('Relu', 'r', ['a']), 4, 6);
    const model = net.model([['y', [1, 6, 8, 8]]]);
    const weights = model.graph.initializers.get('a_w')!;
    // Channel 3 makes what channel 1 makes.
    const data = Float32Array.from(weights.data as Float32Array);
    data.copyWithin(3 * 3, 3, 6);
    const bias = Float32Array.from(model.graph.initializers.get('a_b')!.data as Float32Array);
    bias[3] = bias[1]!;
    const twin = withGraph(model, {
      nodes: model.graph.nodes.filter(({ op }) => op !== 'Concat'),
      initializers: new Map([
        ...model.graph.initializers,
        ['a_w', tensor('a_w', 'float32', weights.dims, data)],
        ['a_b', tensor('a_b', 'float32', [4], bias)],
      ]),
    });
    const { trace, group } = await groupOf(twin, 'a');
    const { scores, pricing } = await reconstructionOn(trace, [input(1), input(2)], await context());
    const own = group.classes.map((root) => scores.get(root)!);
    expect(own[1]).toBeLessThan(0.1 * own[0]!);
    expect(own[3]).toBeLessThan(0.1 * own[2]!);
    const cut = (...channels: number[]) => ({ classes: new Set(channels.map((i) => group.classes[i]!)), branches: new Set<number>() });
    const none = cut();
    // The first of the twins is free, the second then is not.
    expect(await pricing(none, cut(1))).toBeLessThan(0.01);
    expect(await pricing(cut(1), cut(3))).toBeGreaterThan(10 * (await pricing(none, cut(1))));
  });
});

describe('bn-scale', () => {
  it('reads γ, relative to its layer', async () => {
    const net = new Net(9);
    net.conv('a', 'x', 3, 4);
    net.op('BatchNormalization', 'n', [
      'a',
      net.values('g', [0.1, -2, 1, 0.9]),
      net.values('b', [0, 0, 0, 0]),
      net.values('m', [0, 0, 0, 0]),
      net.values('v', [1, 1, 1, 1]),
    ]);
    net.conv('y', net.op('Relu', 'r', ['n']), 4, 2);
    const { trace, groups } = channelGroups(net.model([['y', [1, 2, 8, 8]]]));
    const scores = IMPORTANCES['bn-scale']({ trace, groups, ranges: null, seed: 1 })[groups.findIndex(({ source }) => source === 'a')]!;
    [0.1, 2, 1, 0.9].forEach((size, i) => {
      expect(scores[i]).toBeCloseTo(size, 5);
    });
  });

  it('falls back with a note where BatchNorm was folded', async () => {
    const { report } = await prune(await artifactOf(detector()), { importance: 'bn-scale', macsReduction: 10 }, await context());
    expect(report.notes.join(' ')).toContain('no BatchNorm any more');
  });
});

describe('objectives', () => {
  it.each(['parameters', 'weight-bytes', 'activation-bytes'] as const)('reaches the share of %s', async (objective: Objective) => {
    const artifact = await artifactOf(detector());
    const { artifact: pruned, report } = await prune(artifact, { objective, macsReduction: 15, importance: 'flow' }, await context());
    const { before, after } = report.objective;
    expect(after / before).toBeLessThanOrEqual(0.85);
    expect(after / before).toBeGreaterThan(0.8);
    const now = analyze(pruned.model);
    if (objective === 'parameters') expect(after).toBe(now.parameters);
    if (objective === 'activation-bytes') expect(after).toBe(now.activationBytes);
    if (objective === 'weight-bytes') expect(before - after).toBe(4 * (report.parameters.before - report.parameters.after));
  });
});

describe('limits by region', () => {
  it('lets the head lose half as much', async () => {
    const artifact = await artifactOf(detector());
    const most = async (headProtection: string): Promise<number> => {
      const options = { macsReduction: 60, importance: 'flow', headProtection, channelMultiple: 1, minChannels: 1, maxGroupReduction: 50 };
      const { report } = await prune(artifact, options, await context());
      const head = report.groups.filter(({ region }) => region === 'head');
      return Math.max(...head.map(({ channelsBefore, channelsAfter }) => 1 - channelsAfter / channelsBefore));
    };
    expect(await most('off')).toBe(0.5);
    expect(await most('half')).toBe(0.25);
    expect(await most('full')).toBe(0);
  });

  it('takes from the backbone first', async () => {
    const artifact = await artifactOf(detector());
    const backbone = async (regions: string): Promise<number> => {
      const { report } = await prune(artifact, { macsReduction: 25, importance: 'random', regions, channelMultiple: 2 }, await context());
      const removed = (only: boolean) =>
        report.groups.reduce((sum, group) => sum + (!only || group.region === 'backbone' ? group.removed.length : 0), 0);
      return removed(true) / removed(false);
    };
    expect(await backbone('backbone-first')).toBeGreaterThan(await backbone('even'));
  });
});

describe('several steps', () => {
  it('each counts from what it is given, and what is left adds up', async () => {
    const original = await artifactOf(detector());
    const ctx = await context();
    const options = { importance: 'flow', channelMultiple: 2 };
    const first = await prune(original, options, ctx, null, null, { reduction: 7.5 });
    const second = await prune(first.artifact, options, ctx, null, null, { reduction: 7.5, teacher: original, kept: first.kept });
    expect(second.report.macs.before).toBe(first.report.macs.after);
    expect(second.report.macs.after / second.report.macs.before).toBeLessThanOrEqual(0.925);
    expect(second.report.macs.after / second.report.macs.before).toBeGreaterThan(0.89);
    const { trace } = channelGroups(second.artifact.model);
    const whole = channelGroups(original.model).trace;
    for (const [value, indices] of composeKept(first.kept, second.kept)) {
      expect(trace.layouts.get(value)!.dims[1]).toBe(indices.length);
      expect(Math.max(...indices)).toBeLessThan(whole.layouts.get(value)!.dims[1]!);
    }
  });
});

/** The channel's weights at 0 wherever `r` is read. */
function withoutReads(model: Model, channel: number): Model {
  const initializers = new Map(model.graph.initializers);
  for (const name of ['b_w', 'y2_w']) {
    const t = initializers.get(name)!;
    const data = Float32Array.from(t.data as Float32Array, (v, i) => (i % t.dims[1]! === channel ? 0 : v));
    initializers.set(name, { ...t, data });
  }
  return withGraph(model, { initializers });
}

async function outputs(image: RunTensor) {
  const { f32 } = await import('../../onnx/ort');
  const OrtTensor = f32(image.dims, image.data as Float32Array);
  const run = async (each: Model, feed: typeof OrtTensor): Promise<number[]> =>
    Array.from((await runModel(each, { x: feed })).y!.data, Number);
  return { OrtTensor, run };
}
