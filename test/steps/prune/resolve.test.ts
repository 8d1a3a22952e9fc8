/** Least squares behind a cut, and the scan of what each group is worth. */
import { describe, expect, it } from 'vitest';
import { createRandom, StudioError } from '../../../src/numerics';
import { type Model, tensor, withGraph } from '../../../src/onnx';
import { channelGroups, prune, removeChannels, scanSensitivity, sensitivityHash } from '../../../src/steps/prune';
import { confidenceWeights } from '../../../src/steps/prune/confidence';
import { resolveLayers } from '../../../src/steps/prune/resolve';
import type { Progress } from '../../../src/steps/types';
import { difference, Net, weightDims } from './helpers';
import { artifactOf, context, detector, pictures } from './images';

/** a (8 channels, 4–7 mixtures of 0–3 before no nonlinearity) → y: what 4–7 say, 0–3 can say too. */
function redundant(k = 1): Model {
  const net = new Net(12);
  net.conv('a', 'x', 3, 8);
  net.op('Identity', 'i', ['a']);
  net.conv('y', 'i', 8, 5, k);
  const model = net.model([['y', [1, 5, 32, 32]]], 13, [1, 3, 32, 32]);
  const random = createRandom(5);
  const weights = Float32Array.from(model.graph.initializers.get('a_w')!.data as Float32Array, (v) => v / 100);
  const bias = Float32Array.from(model.graph.initializers.get('a_b')!.data as Float32Array);
  for (let c = 4; c < 8; c++) {
    const mix = Array.from({ length: 4 }, () => random.normal());
    for (let i = 0; i < 3; i++) weights[c * 3 + i] = mix.reduce((sum, m, from) => sum + m * weights[from * 3 + i]!, 0);
    bias[c] = mix.reduce((sum, m, from) => sum + m * bias[from]!, 0);
  }
  return withGraph(model, {
    initializers: new Map([
      ...model.graph.initializers,
      ['a_w', tensor('a_w', 'float32', [8, 3, 1, 1], weights)],
      ['a_b', tensor('a_b', 'float32', [8], bias)],
    ]),
  });
}

describe('least squares behind a cut', () => {
  it.each([1, 3])('gives back what other channels can say (kernel size %i)', async (k) => {
    const teacher = redundant(k);
    const pruned = removeChannels(teacher, [{ value: 'a', indices: [5, 6] }]);
    const kept = new Map(['a', 'i'].map((value) => [value, [0, 1, 2, 3, 4, 7]]));
    const request = { pruned, teacher, spec: null, kept, replaced: new Map<string, string>(), set: pictures(6, 32), ctx: await context() };
    const resolved = (await resolveLayers(request))!;
    expect(resolved.layers).toBe(1);
    expect(resolved.after).toBeLessThan(0.01 * resolved.before);
    expect(weightDims(resolved.model, 'y')).toEqual(weightDims(pruned, 'y'));
    expect(weightDims(resolved.model, 'a')).toEqual([6, 3, 1, 1]);
    // In front of the cut nothing changes.
    expect(resolved.model.graph.initializers.get('a_w')).toBe(pruned.graph.initializers.get('a_w'));
    // Noise, unlike any image: the pull to the old weights holds back most there.
    expect(await difference(teacher, resolved.model)).toBeLessThan(0.5 * (await difference(teacher, pruned)));
  });

  it('lowers the loss of a detector, keeps its shapes, and says so', async () => {
    const artifact = await artifactOf(detector());
    const ctx = await context();
    const set = pictures(24);
    const options = { macsReduction: 20, importance: 'flow' };
    const raw = await prune(artifact, { ...options, resolve: 'off' }, ctx, null, set);
    const solved = await prune(artifact, options, ctx, null, set);
    const { lossBefore, lossAfter, layers } = solved.report.resolved!;
    expect(raw.report.resolved).toBeNull();
    expect(layers).toBeGreaterThan(10);
    expect(lossAfter).toBeLessThan(lossBefore);
    expect(solved.report.notes.join(' ')).toContain(`solved ${layers} layers`);
    const dims = (model: Model) => [...model.graph.initializers].map(([name, t]) => `${name} ${t.dims}`).sort();
    expect(dims(solved.artifact.model)).toEqual(dims(raw.artifact.model));
    expect(ctx.engine.liveSessions).toBe(0);
  });

  it('leaves a network alone whose outputs it cannot bring closer', async () => {
    const teacher = redundant();
    const nothing = { kept: new Map(), replaced: new Map<string, string>(), spec: null, set: pictures(6, 32), ctx: await context() };
    expect(await resolveLayers({ pruned: teacher, teacher, ...nothing })).toBeNull();
  });

  it('compares with the unpruned network over several cuts', async () => {
    const original = await artifactOf(detector());
    const ctx = await context();
    const set = pictures(12);
    const options = { importance: 'flow', channelMultiple: 2 };
    const first = await prune(original, { ...options, resolve: 'off' }, ctx, null, set, { reduction: 8 });
    const step = { reduction: 8, teacher: original, kept: first.kept };
    const second = await prune(first.artifact, options, ctx, null, set, step);
    const alone = await prune(first.artifact, options, ctx, null, set, { reduction: 8 });
    expect(second.report.resolved!.lossBefore).toBeGreaterThan(alone.report.resolved!.lossBefore);
    expect(second.report.resolved!.lossAfter).toBeLessThan(second.report.resolved!.lossBefore);
  });
});

describe('confidence', () => {
  it('weighs pixels by what the detector sees there, with a mean of 1, at every size', async () => {
    const { model, spec } = await artifactOf(detector());
    const { engine } = await context();
    const image = { dtype: 'float32' as const, dims: [1, 3, 64, 64], data: new Float32Array(3 * 64 * 64).map((_, i) => (i * 37) % 255) };
    const weights = (await confidenceWeights(model, spec, [image], engine))!;
    for (const [rows, columns] of [
      [32, 32],
      [8, 8],
      [2, 2],
      [5, 7],
    ] as const) {
      const map = weights(0, rows, columns);
      expect(map.length).toBe(rows * columns);
      expect(map.reduce((a, b) => a + b, 0) / map.length).toBeCloseTo(1, 4);
      expect(Math.min(...map)).toBeGreaterThan(0);
    }
    const [fine, coarse] = [weights(0, 16, 16), weights(0, 4, 4)];
    const top = (map: Float32Array, side: number) => {
      const at = map.indexOf(Math.max(...map));
      return [Math.floor(at / side) / side, (at % side) / side];
    };
    const [a, b] = [top(fine, 16), top(coarse, 4)];
    expect(Math.abs(a[0]! - b[0]!) + Math.abs(a[1]! - b[1]!)).toBeLessThan(0.6);
    expect(await confidenceWeights(model, null, [image], engine)).toBeNull();
  });
});

describe('sensitivity scan', () => {
  it('cuts each group and branch alone, and is plain data that rises with the cut', async () => {
    const artifact = await artifactOf(detector());
    const progress: Progress[] = [];
    const ctx = await context((p) => p.label === 'Scanning sensitivity' && progress.push(p));
    const set = pictures(4);
    const report = await scanSensitivity(artifact, set, ctx, { images: 2 });
    expect(structuredClone(report)).toEqual(report);
    expect(report.hash).toBe(await sensitivityHash(artifact, set, { images: 2 }));
    expect(report.hash).not.toBe(await sensitivityHash(artifact, set, { images: 3 }));
    const prunable = channelGroups(artifact.model, { protectedNodes: artifact.spec!.protectedNodes }).groups.filter(
      ({ reason, channels }) => reason === null && channels > 1,
    );
    expect(report.groups.map(({ id }) => id)).toEqual(prunable.map(({ id }) => id));
    expect(report.groups.every(({ cuts }) => cuts.length === 3 && cuts.every(({ loss }) => loss >= -1e-6))).toBe(true);
    const mean = (i: number) => report.groups.reduce((sum, { cuts }) => sum + cuts[i]!.loss, 0);
    expect(mean(2)).toBeGreaterThan(mean(1));
    expect(mean(1)).toBeGreaterThan(mean(0));
    expect(report.blocks.length).toBeGreaterThan(2);
    expect(report.blocks.every(({ loss }) => loss > 0)).toBe(true);
    const total = report.groups.length * 3 + report.blocks.length;
    expect(progress.map(({ done }) => done)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
    expect(progress.at(-1)!.total).toBe(total);
    expect(ctx.engine.liveSessions).toBe(0);
  });

  it('can be cancelled, and leaves no session open', async () => {
    const ctx = await context();
    let runs = 0;
    const cancel = {
      aborted: false,
      throwIfAborted() {
        if (++runs > 40) throw new StudioError('cancelled', 'Cancelled.', '');
      },
    };
    await expect(scanSensitivity(await artifactOf(detector()), pictures(4), { ...ctx, cancel }, { images: 2 })).rejects.toThrow(
      'Cancelled.',
    );
    expect(ctx.engine.liveSessions).toBe(0);
  });
});
