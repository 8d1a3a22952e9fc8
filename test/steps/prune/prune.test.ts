/** The step: targets, limits, measures and reports, on a small YOLOX. */
import { describe, expect, it } from 'vitest';
import { matchFamily } from '../../../src/models';
import { StudioError } from '../../../src/numerics';
import { analyze, hashModel, inferShapes, type Model, serializeModel } from '../../../src/onnx';
import { channelGroups, IMPORTANCES, type PlainImportanceId, type PruneOptions, prune } from '../../../src/steps/prune';
import type { ModelArtifact, Progress, RangesArtifact, StepContext, TensorStats } from '../../../src/steps/types';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { randomFeeds, runModel } from '../../onnx/ort';
import { difference, masked, Net } from './helpers';

const progress: Progress[] = [];
const ctx: StepContext = {
  cancel: { aborted: false, throwIfAborted() {} },
  progress: (p) => progress.push(p),
  engine: null as never,
  gpu: null,
  seed: 3,
};

async function artifactOf(model: Model, name = 'tiny.onnx'): Promise<ModelArtifact> {
  return { kind: 'model', hash: await hashModel(serializeModel(model)), name, model, spec: matchFamily(model) };
}

const tiny = tinyYolox({ channels: 16, seed: 5 });

describe('prune', () => {
  it('reaches the target without overshooting, keeps the outputs and the family', async () => {
    const artifact = await artifactOf(tiny);
    expect(artifact.spec?.family).toBe('yolox');
    const { artifact: pruned, report } = await prune(artifact, { macsReduction: 10 }, ctx);
    const left = report.macs.after / report.macs.before;
    expect(left).toBeLessThanOrEqual(0.9);
    expect(left).toBeGreaterThan(0.87);
    expect(report.macs.after).toBe(analyze(pruned.model).macs);
    expect(report.parameters.after).toBe(analyze(pruned.model).parameters);
    expect(report.parameters.after).toBeLessThan(report.parameters.before);
    expect(pruned.spec).toEqual(artifact.spec);
    expect(pruned.hash).not.toBe(artifact.hash);
    const [before, after] = [await runModel(tiny, randomFeeds(tiny)), await runModel(pruned.model, randomFeeds(tiny))];
    expect(Object.values(after).map(({ dims }) => dims)).toEqual(Object.values(before).map(({ dims }) => dims));
    expect(progress.at(-1)).toMatchObject({ step: 'prune', done: 4, total: 4 });
  });

  it.each([25, 50, 65])('P04: leaves the output channels of the last layers at −%i %', async (macsReduction) => {
    const artifact = await artifactOf(tiny);
    const limits = { minChannels: 2, maxGroupReduction: 90 };
    const { artifact: pruned, report } = await prune(artifact, { macsReduction, importance: 'flow', ...limits }, ctx);
    expect(report.macs.after / report.macs.before).toBeLessThanOrEqual(1 - macsReduction / 100);
    const shapes = [inferShapes(tiny), inferShapes(pruned.model)] as const;
    const width = (at: 0 | 1, value: string): unknown => shapes[at].get(value)!.shape![1];
    const ends = artifact.spec!.protectedNodes.map((name) =>
      [tiny, pruned.model].map((model) => model.graph.nodes.find((node) => node.name === name)!),
    );
    expect(ends).toHaveLength(9);
    for (const [old, now] of ends) expect(width(1, now!.outputs[0]!)).toBe(width(0, old!.outputs[0]!));
    if (macsReduction > 50) expect(ends.some(([old, now]) => width(1, now!.inputs[0]!) !== width(0, old!.inputs[0]!))).toBe(true);
    const output = tiny.graph.outputs[0]!;
    expect((await runModel(pruned.model, randomFeeds(tiny)))[output.name]!.dims).toEqual(output.shape);
  });

  it('leaves the whole head alone when asked to', async () => {
    const { report } = await prune(await artifactOf(tiny), { headProtection: 'full', macsReduction: 5 }, ctx);
    const head = report.groups.filter(({ region }) => region === 'head');
    expect(head.length).toBeGreaterThan(3);
    expect(head.every(({ channelsBefore, channelsAfter, reason }) => channelsAfter === channelsBefore && reason !== null)).toBe(true);
    expect(new Set(report.groups.map(({ region }) => region))).toEqual(new Set(['backbone', 'neck', 'head']));
  });

  it('keeps multiples of 8 in wide layers and says where it could not', async () => {
    const { report } = await prune(await artifactOf(tiny), { macsReduction: 20 }, ctx);
    for (const group of report.groups)
      if (group.channelsAfter < group.channelsBefore && group.block === 8) expect(group.channelsAfter % 8).toBe(0);
    expect(report.groups.some(({ channelsAfter, channelsBefore }) => channelsAfter < channelsBefore)).toBe(true);
  });

  it('is equal to the zeroed original', async () => {
    const artifact = await artifactOf(tiny);
    const { artifact: pruned, report } = await prune(artifact, { macsReduction: 20, importance: 'flow' }, ctx);
    const { trace, groups } = channelGroups(tiny, { protectedNodes: artifact.spec!.protectedNodes });
    const classes = new Set(report.groups.flatMap(({ removed }, i) => removed.map((position) => groups[i]!.classes[position]!)));
    expect(classes.size).toBeGreaterThan(10);
    expect(await difference(masked(trace, classes), pruned.model)).toBeLessThan(1e-5);
  });

  it('refuses what it cannot do in one sentence', async () => {
    const net = new Net();
    net.conv('y', 'x', 3, 4);
    const nothing = await artifactOf(net.model([['y', [1, 4, 8, 8]]]), 'flat.onnx');
    await expect(prune(nothing, {}, ctx)).rejects.toThrow('"flat.onnx" has no channels that can be pruned within these limits.');
    const int8 = new Net();
    int8.op('QuantizeLinear', 'q', ['x', int8.values('scale', [0.1])]);
    int8.op('DequantizeLinear', 'y', ['q', 'scale']);
    await expect(prune(await artifactOf(int8.model([['y', [1, 3, 8, 8]]]), 'q.onnx'), {}, ctx)).rejects.toThrow('"q.onnx" is already INT8');
    const stale: RangesArtifact = { kind: 'ranges', hash: '', modelHash: 'other', images: 1, backend: '', tensors: new Map() };
    await expect(prune(await artifactOf(tiny), {}, ctx, stale)).rejects.toThrow('The calibration belongs to another model.');
    await expect(prune(await artifactOf(tiny), { macsReduction: 0 }, ctx)).rejects.toBeInstanceOf(StudioError);
  });

  it('stops at its limits and says so', async () => {
    const { report } = await prune(await artifactOf(tiny), { macsReduction: 80, maxGroupReduction: 20, channelMultiple: 2 }, ctx);
    expect(report.macs.after / report.macs.before).toBeGreaterThan(0.3);
    expect(report.notes.join(' ')).toContain('80 % was asked');
    for (const { channelsBefore, channelsAfter } of report.groups) expect(channelsAfter).toBeGreaterThanOrEqual(channelsBefore * 0.8);
  });
});

describe('unstructured', () => {
  it('zeroes the smallest weights and reports bytes, not time', async () => {
    const options: Partial<PruneOptions> = { method: 'unstructured', sparsity: 60 };
    const { artifact: pruned, report } = await prune(await artifactOf(tiny), options as Record<string, number | string>, ctx);
    const { sparsity } = report;
    expect(sparsity!.zerosAfter).toBe(Math.round(0.6 * sparsity!.weights));
    expect(sparsity!.bytesAfter).toBe(sparsity!.bytesBefore);
    expect(sparsity!.compressedAfter).toBeLessThan(0.7 * sparsity!.compressedBefore);
    expect(report.macs.after).toBe(report.macs.before);
    expect(report.notes.join(' ')).toContain('there is no speed-up');
    let kept = 0;
    for (const [name, tensor] of tiny.graph.initializers) {
      if (!(tensor.data instanceof Float32Array)) continue;
      const now = pruned.model.graph.initializers.get(name)!.data as Float32Array;
      tensor.data.forEach((value, i) => {
        if (now[i] !== 0 || value === 0) {
          expect(now[i]).toBe(value);
          kept++;
        }
      });
    }
    expect(kept).toBeGreaterThan(0.4 * sparsity!.weights - 1);
  });
});

describe('importance', () => {
  /** a → Relu → y, where channel 0 is tiny, 1 hardly read, 2 large and read, 3 average but silent in the data. */
  function fourChannels(): Model {
    const net = new Net();
    net.values('a_b', [0, 0, 0, 0]);
    net.initializers.push({
      name: 'a_w',
      dtype: 'float32',
      dims: [4, 3, 1, 1],
      data: Float32Array.of(0.01, 0.01, 0.01, 1, 1, 1, 3, 3, 3, 1, 1, 1),
    });
    net.initializers.push({ name: 'y_w', dtype: 'float32', dims: [2, 4, 1, 1], data: Float32Array.of(1, 0.02, 1, 1, 1, 0.02, 1, 1) });
    net.op('Conv', 'a', ['x', 'a_w', 'a_b']);
    net.op('Relu', 'r', ['a']);
    net.op('Conv', 'y', ['r', 'y_w']);
    return net.model([['y', [1, 2, 8, 8]]]);
  }

  function scoresOf(id: PlainImportanceId, ranges: RangesArtifact | null = null, seed = 1): number[] {
    const { trace, groups } = channelGroups(fourChannels());
    const at = groups.findIndex(({ source }) => source === 'a');
    return Array.from(IMPORTANCES[id]({ trace, groups, ranges, seed })[at]!);
  }

  const lowest = (scores: number[]): number => scores.indexOf(Math.min(...scores));

  it('l1 and l2 see weights, relative to their layer', () => {
    const scores = scoresOf('l2');
    const mean = (0.01 + 1 + 3 + 1) / 4;
    [0.01, 1, 3, 1].forEach((size, i) => {
      expect(scores[i]).toBeCloseTo(size / mean, 5);
    });
    expect(scoresOf('l1')[2]).toBeCloseTo(3 / mean, 5);
  });

  it('flow sees who reads a channel', () => {
    const scores = scoresOf('flow');
    const energy = [0.01 ** 2 * 2, 2 * 0.02 ** 2, 9 * 2, 2];
    const total = energy.reduce((a, b) => a + b);
    energy.forEach((own, i) => {
      expect(scores[i]).toBeCloseTo(own / total, 5);
    });
  });

  it('activation sees what really flows', () => {
    const stats = {
      channelMin: Float32Array.of(0, 0, 0, 0),
      channelMax: Float32Array.of(2, 2, 2, 0.001),
    } as Partial<TensorStats> as TensorStats;
    const ranges: RangesArtifact = { kind: 'ranges', hash: '', modelHash: '', images: 1, backend: '', tensors: new Map([['r', stats]]) };
    const scores = scoresOf('activation', ranges);
    expect(lowest(scores)).toBe(3);
    expect(scores[0]).toBeCloseTo(scores[2]!, 6);
    expect(scores[0]! / scores[1]!).toBeCloseTo(1 / 0.02 ** 2, 0);
    expect(scoresOf('activation')).toEqual(scoresOf('flow'));
  });

  it('random depends on the seed alone', () => {
    expect(scoresOf('random', null, 4)).toEqual(scoresOf('random', null, 4));
    expect(scoresOf('random', null, 4)).not.toEqual(scoresOf('random', null, 5));
  });
});
