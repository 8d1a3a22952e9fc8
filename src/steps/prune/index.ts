/** Prune: a smaller network with the same outputs' shapes, by whole channels, or single weights zeroed. May import the rooms below steps. */

import type { ImageSet } from '../../data';
import { matchFamily } from '../../models';
import { StudioError } from '../../numerics';
import { analyze, hashModel, type Model, serializeModel } from '../../onnx';
import { type OptionValues, resolveOptions } from '../common';
import type { ModelArtifact, RangesArtifact, StepContext } from '../types';
import { type ChannelGroup, channelGroups, type GroupOptions, withSizes } from './groups';
import { IMPORTANCES, type ImportanceId } from './importance';
import { measureOn } from './measure';
import { pruneMeta } from './meta';
import { type Plan, type Pricing, planRemoval } from './plan';
import { applyRemoval, type Removal, removeFrom } from './remove';
import { groupReports, type PruneReport, sparsityNote, structuredNotes } from './report';
import type { Trace } from './trace';
import { pruneWeights } from './unstructured';

export { type ChannelGroup, type ChannelGroups, channelGroups, type GroupOptions, groupText, type Member } from './groups';
export { IMPORTANCES, type Importance, type ImportanceId, type ImportanceInput } from './importance';
export { pruneMeta } from './meta';
export { type Plan, type PlanOptions, type Pricing, planRemoval } from './plan';
export type { Region } from './regions';
export { applyRemoval, type Removal } from './remove';
export type { GroupReport, PruneReport } from './report';
export type { SparsityReport } from './unstructured';

export interface PruneOptions {
  readonly method: 'structured' | 'unstructured';
  /** Percent of the MACs to remove. */
  readonly macsReduction: number;
  readonly importance: ImportanceId;
  readonly channelMultiple: number;
  readonly minChannels: number;
  /** Percent. */
  readonly maxGroupReduction: number;
  /** Images that importance 'measured' looks at. */
  readonly images: number;
  readonly protectHead: boolean;
  /** Percent of the weights to zero. */
  readonly sparsity: number;
}

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

async function breathe(ctx: StepContext, done: number): Promise<void> {
  ctx.progress({ step: 'prune', label: 'Pruning', done, total: 4 });
  await new Promise((resolve) => setTimeout(resolve, 0));
  ctx.cancel.throwIfAborted();
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

function protect(groups: readonly ChannelGroup[], head: boolean): ChannelGroup[] {
  return groups.map((group) => (head && group.region === 'head' ? { ...group, reason: group.reason ?? 'the head is protected' } : group));
}

interface Cut {
  readonly model: Model;
  readonly plan: Plan;
}

/** Plans on the layers' own MACs; the result is checked by the analysis that everybody sees, and planned tighter if it is over. */
async function cut(
  trace: Trace,
  groups: readonly ChannelGroup[],
  scores: readonly Float64Array[],
  options: PruneOptions,
  before: number,
  pricing: Pricing | null,
): Promise<Cut> {
  const own = trace.layers.reduce((total, layer) => total + layer.unit * layer.outSize * layer.inSize, 0);
  const goal = before * (1 - options.macsReduction / 100);
  let keep = (goal - (before - own)) / own;
  for (;;) {
    const limits = {
      keep,
      channelMultiple: options.channelMultiple,
      minChannels: options.minChannels,
      maxGroupReduction: options.maxGroupReduction / 100,
    };
    const plan = await planRemoval(trace, groups, scores, limits, pricing);
    const model = applyRemoval(trace, plan.classes);
    const over = analyze(withSizes(model)).macs - goal;
    if (over <= 0 || plan.exhausted) return { model, plan };
    keep -= Math.max(over / own, 1e-4);
  }
}

/** Passes a cost on; lets messages (cancel) through now and then. */
function reporting(pricing: Pricing, ctx: StepContext): Pricing {
  let last = performance.now();
  return async (gone, next) => {
    if (performance.now() - last > 50) {
      await breathe(ctx, 2);
      last = performance.now();
    }
    return pricing(gone, next);
  };
}

async function pruneStructured(
  artifact: ModelArtifact,
  options: PruneOptions,
  ctx: StepContext,
  ranges: RangesArtifact | null,
  images: ImageSet | null,
) {
  const before = analyze(withSizes(artifact.model));
  await breathe(ctx, 0);
  const { trace, groups: found } = channelGroups(artifact.model, { protectedNodes: artifact.spec?.protectedNodes ?? [] });
  const groups = protect(found, options.protectHead);
  await breathe(ctx, 1);
  const wanted = options.importance === 'measured';
  const measurement = wanted && images ? await measureOn(trace, artifact.spec, images, options.images, ctx) : null;
  const fallback: ImportanceId = ranges ? 'activation' : 'flow';
  const importance = wanted && !measurement ? fallback : options.importance;
  const { model, plan } = await (async () => {
    try {
      const scores = IMPORTANCES[importance]({ trace, groups, ranges, sizes: measurement?.sizes ?? null, seed: ctx.seed });
      await breathe(ctx, 2);
      return await cut(trace, groups, scores, options, before.macs, measurement && reporting(measurement.pricing, ctx));
    } finally {
      await measurement?.release();
    }
  })();
  await breathe(ctx, 3);
  if (plan.classes.size === 0)
    throw new StudioError(
      'unsupported',
      `"${artifact.name}" has no channels that can be pruned within these limits.`,
      'Lower the minimum number of channels or the channel multiple.',
    );
  const after = analyze(withSizes(model));
  const macs = { before: before.macs, after: after.macs };
  const reports = groupReports(groups, plan);
  const notes = structuredNotes(reports, plan, options.channelMultiple, macs, options.macsReduction);
  if (importance === 'flow' && wanted) notes.push('No images were given: channels were judged by their weights alone.');
  else if (importance === 'activation' && wanted) notes.push('No images were given: channels were judged by calibrated ranges.');
  else if (importance === 'activation' && !ranges) notes.push('No calibration was given: channels were judged by their weights alone.');
  const report: PruneReport = {
    method: 'structured',
    macs,
    parameters: { before: before.parameters, after: after.parameters },
    groups: reports,
    sparsity: null,
    notes,
  };
  return { model, report };
}

function pruneUnstructured(artifact: ModelArtifact, options: PruneOptions): { readonly model: Model; readonly report: PruneReport } {
  const { macs, parameters } = analyze(withSizes(artifact.model));
  const { model, report } = pruneWeights(channelGroups(artifact.model).trace, options.sparsity / 100);
  return {
    model,
    report: {
      method: 'unstructured',
      macs: { before: macs, after: macs },
      parameters: { before: parameters, after: parameters },
      groups: [],
      sparsity: report,
      notes: [sparsityNote(report)],
    },
  };
}

/**
 * Prunes a network without any training.
 * @param ranges statistics of this very model, for importance 'activation'; without them weights alone decide
 * @param images for importance 'measured' (labels aren't used); without them ranges or weights decide
 * @throws StudioError 'unsupported' for an INT8 model or one without prunable channels, 'bad-option' for stale ranges
 */
export async function prune(
  artifact: ModelArtifact,
  values: OptionValues | PruneOptions,
  ctx: StepContext,
  ranges: RangesArtifact | null = null,
  images: ImageSet | null = null,
): Promise<{ readonly artifact: ModelArtifact; readonly report: PruneReport }> {
  const options = resolveOptions(pruneMeta, values as OptionValues) as unknown as PruneOptions;
  refuse(artifact);
  if (ranges && ranges.modelHash !== artifact.hash)
    throw new StudioError('bad-option', 'The calibration belongs to another model.', 'Calibrate this model again.');
  await breathe(ctx, 0);
  const { model, report } =
    options.method === 'structured' ? await pruneStructured(artifact, options, ctx, ranges, images) : pruneUnstructured(artifact, options);
  const pruned = await finish(artifact, model);
  ctx.progress({ step: 'prune', label: 'Pruning', done: 4, total: 4 });
  return { artifact: pruned, report };
}
