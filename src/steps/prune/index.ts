/** Prune: a smaller network with the same outputs' shapes, by whole channels, or single weights zeroed. May import the rooms below steps. */

import type { ImageSet } from '../../data';
import { matchFamily } from '../../models';
import { StudioError } from '../../numerics';
import { analyze, hashModel, type Model, serializeModel } from '../../onnx';
import { type OptionValues, resolveOptions } from '../common';
import type { ModelArtifact, RangesArtifact, StepContext } from '../types';
import { channelGroups, type GroupOptions, withSizes } from './groups';
import { type PruneOptions, pruneMeta } from './meta';
import { type Removal, removeFrom } from './remove';
import { sparsityNote } from './report';
import { breathe, type Pruned, type PruneResult, type PruneStep, pruneStructured } from './structured';
import { pruneWeights } from './unstructured';

export { type Branch, removeBranches, residualBranches } from './branches';
export { type ChannelGroup, type ChannelGroups, channelGroups, type GroupOptions, groupText, type Member } from './groups';
export { IMPORTANCES, type Importance, type ImportanceInput, type PlainImportanceId } from './importance';
export { type ImportanceId, type PruneOptions, pruneMeta, type Reduction } from './meta';
export type { Objective } from './objective';
export { type Cut, type Plan, type PlanOptions, type Pricing, planRemoval } from './plan';
export type { Region } from './regions';
export { applyRemoval, type Removal } from './remove';
export type { BlockReport, GroupReport, PruneReport, ResolveReport } from './report';
export { type SensitivityOptions, type SensitivityReport, scanSensitivity, sensitivityHash } from './sensitivity';
export { composeKept, type PruneResult, type PruneStep } from './structured';
export type { SparsityReport } from './unstructured';

/**
 * A smaller model without these channels and everything coupled to them; the graph's outputs keep their shapes.
 * @throws StudioError 'bad-option' when the channels are fixed or a tensor would become empty
 */
export function removeChannels(model: Model, removals: readonly Removal[], options: GroupOptions = {}): Model {
  return removeFrom(channelGroups(model, options).trace, removals);
}

const QUANTIZED = /^(QLinear|QuantizeLinear|DequantizeLinear|ConvInteger|MatMulInteger|DynamicQuantizeLinear)/;

function refuse({ name, model }: ModelArtifact): void {
  if (model.graph.nodes.some(({ op }) => QUANTIZED.test(op)))
    throw new StudioError(
      'unsupported',
      `"${name}" is already INT8: it can be evaluated, not pruned.`,
      'Prune the float model it was made from.',
    );
}

/** Same function family, re-read from the pruned graph; what the user chose about its input stays. */
async function finish(artifact: ModelArtifact, model: Model): Promise<ModelArtifact> {
  const spec = artifact.spec && {
    ...artifact.spec,
    ...matchFamily(model),
    preprocess: artifact.spec.preprocess,
    classNames: artifact.spec.classNames,
  };
  return { ...artifact, hash: await hashModel(serializeModel(model)), model, spec };
}

function pruneUnstructured(artifact: ModelArtifact, options: PruneOptions): Pruned {
  const { macs, parameters } = analyze(withSizes(artifact.model));
  const { model, report } = pruneWeights(channelGroups(artifact.model).trace, options.sparsity / 100);
  return {
    model,
    report: {
      method: 'unstructured',
      macs: { before: macs, after: macs },
      parameters: { before: parameters, after: parameters },
      objective: { id: 'macs', before: macs, after: macs },
      importance: null,
      groups: [],
      blocks: [],
      resolved: null,
      sparsity: report,
      notes: [sparsityNote(report)],
    },
    kept: new Map(),
    replaced: new Map(),
  };
}

/**
 * Prunes a network without any training, by one step relative to what is given; deterministic for equal inputs and engine.
 * @param ranges statistics of this very model, for importance 'activation'; without them weights alone decide
 * @param images for the importances that look at images (labels aren't used); without them ranges or weights decide
 * @param step where this call is one of several
 * @throws StudioError 'unsupported' for an INT8 model or one without prunable channels, 'bad-option' for stale ranges
 */
export async function prune(
  artifact: ModelArtifact,
  values: OptionValues | PruneOptions,
  ctx: StepContext,
  ranges: RangesArtifact | null = null,
  images: ImageSet | null = null,
  step: PruneStep = {},
): Promise<PruneResult> {
  const options = resolveOptions(pruneMeta, values as OptionValues) as unknown as PruneOptions;
  refuse(artifact);
  if (ranges && ranges.modelHash !== artifact.hash)
    throw new StudioError('bad-option', 'The calibration belongs to another model.', 'Calibrate this model again.');
  await breathe(ctx, 0);
  const { model, ...rest } =
    options.method === 'structured'
      ? await pruneStructured(artifact, options, ctx, ranges, images, step)
      : pruneUnstructured(artifact, options);
  const pruned = await finish(artifact, model);
  ctx.progress({ step: 'prune', label: 'Pruning', done: 4, total: 4 });
  return { artifact: pruned, ...rest };
}
