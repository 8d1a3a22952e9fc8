/** Every real model on this machine: pruned by 10 % it loads, keeps its outputs and equals the zeroed original. */
import { describe, expect, it } from 'vitest';
import { matchFamily } from '../../../src/models';
import { hashModel, parseModel, serializeModel } from '../../../src/onnx';
import { prepareModel } from '../../../src/steps/open';
import { channelGroups, prune } from '../../../src/steps/prune';
import type { ModelArtifact, StepContext } from '../../../src/steps/types';
import { maxDifference, randomFeeds, runModel } from '../../onnx/ort';
import { modelNames, realModel } from '../../onnx/real';
import { masked } from './helpers';
import { prove } from './prove';

const ctx: StepContext = { cancel: { aborted: false, throwIfAborted() {} }, progress() {}, engine: null as never, gpu: null, seed: 1 };

async function open(name: string): Promise<ModelArtifact> {
  const model = prepareModel(parseModel(realModel(name)));
  return { kind: 'model', hash: await hashModel(serializeModel(model)), name, model, spec: matchFamily(model) };
}

const size = (outputs: Awaited<ReturnType<typeof runModel>>): number =>
  Math.max(1, ...Object.values(outputs).map(({ data }) => Array.from(data, Number).reduce((a, b) => Math.max(a, Math.abs(b)), 0)));

describe.each(modelNames())('%s', (name) => {
  it('is pruned by 10 % or refused', async () => {
    const artifact = await open(name);
    if (name.includes('int8')) {
      await expect(prune(artifact, {}, ctx)).rejects.toThrow('is already INT8');
      return;
    }
    const { artifact: pruned, report } = await prune(artifact, { macsReduction: 10, importance: 'flow' }, ctx);
    const left = report.macs.after / report.macs.before;
    expect(left).toBeLessThanOrEqual(0.905);
    expect(left).toBeGreaterThan(0.8);
    expect(pruned.spec?.family).toBe(artifact.spec?.family);
    const feeds = randomFeeds(artifact.model, () => 64, 1, 0.5);
    const { trace, groups } = channelGroups(artifact.model, { protectedNodes: artifact.spec?.protectedNodes ?? [] });
    const classes = new Set(report.groups.flatMap(({ removed }, i) => removed.map((position) => groups[i]!.classes[position]!)));
    const before = await runModel(artifact.model, feeds);
    const after = await runModel(pruned.model, feeds);
    expect(Object.values(after).map(({ dims }) => dims)).toEqual(Object.values(before).map(({ dims }) => dims));
    const zeroed = await runModel(masked(trace, classes), feeds);
    expect(maxDifference(zeroed, after)).toBeLessThan(1e-4 * size(before));
  });

  it.skipIf(name.includes('int8'))('equals the zeroed original for random channels of every group', async () => {
    const { model, spec } = await open(name);
    const feeds = randomFeeds(model, () => 64, 1, 0.5);
    const proof = await prove(model, 0.3, 1, spec?.protectedNodes);
    expect(proof.removed).toBeGreaterThan(5);
    expect(proof.difference).toBeLessThan(1e-4 * size(await runModel(model, feeds)));
    expect(maxDifference(await runModel(proof.pruned, feeds), await runModel(model, feeds))).toBeGreaterThan(0);
  });
});
