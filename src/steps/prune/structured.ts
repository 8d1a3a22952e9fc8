/** Structured pruning: which channels and branches go, the graph without them, and what is left of the original's values. */
import type { ImageSet } from '../../data';
import { StudioError } from '../../numerics';
import { analyze, type Model } from '../../onnx';
import type { ModelArtifact, RangesArtifact, StepContext } from '../types';
import { type Branch, removeBranches, replacements, residualBranches } from './branches';
import { type Costs, judge } from './costs';
import { type ChannelGroup, channelGroups, withSizes } from './groups';
import type { PruneOptions } from './meta';
import { objectiveOf, objectiveTerms, termSize } from './objective';
import { type Plan, type PlanOptions, type Pricing, planRemoval } from './plan';
import { applyRemoval } from './remove';
import { blockReports, groupReports, type PruneReport, structuredNotes } from './report';
import { type Resolved, type ResolveRequest, resolveLayers } from './resolve';
import { keptIndices } from './space';
import type { Trace } from './trace';

/** What a call of {@link prune} may be told beyond a recipe's options, where it is one step of several. */
export interface PruneStep {
  /** Percent of the given network's objective that goes in this call; absent: the option `macsReduction`. */
  readonly reduction?: number;
  /** The network before any pruning, which importance 'taylor' and least squares compare with; absent: the given one. */
  readonly teacher?: ModelArtifact | null;
  /** What the given network has of the teacher's channels, and what stands for the teacher's values that are gone; see {@link PruneResult}. */
  readonly kept?: PruneResult['kept'];
  readonly replaced?: PruneResult['replaced'];
}

export interface PruneResult {
  readonly artifact: ModelArtifact;
  readonly report: PruneReport;
  /** Values whose channels changed → the indices of their former axis 1 that stay, ascending. Values that are gone have none. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
  /** Values that went with a whole block → what stands in their place (same shape but for `kept`). */
  readonly replaced: ReadonlyMap<string, string>;
}

/** Progress of one call; lets messages (cancel) through. */
export async function breathe(ctx: StepContext, done: number): Promise<void> {
  ctx.progress({ step: 'prune', label: 'Pruning', done, total: 4 });
  await new Promise((resolve) => setTimeout(resolve, 0));
  ctx.cancel.throwIfAborted();
}

interface Structure {
  readonly trace: Trace;
  readonly groups: readonly ChannelGroup[];
  readonly branches: readonly Branch[];
}

function structureOf({ model, spec }: ModelArtifact, options: PruneOptions): Structure {
  const protectedNodes = spec?.protectedNodes ?? [];
  const { trace, groups } = channelGroups(model, { protectedNodes });
  const whole = options.headProtection === 'full';
  const branches = options.removeBlocks ? residualBranches(trace, new Set(protectedNodes)) : [];
  return {
    trace,
    groups: groups.map((group) =>
      whole && group.region === 'head' ? { ...group, reason: group.reason ?? 'the head is protected' } : group,
    ),
    branches: branches.filter((branch) => !(whole && branch.region === 'head')),
  };
}

const BACKBONE_FIRST: Readonly<Record<ChannelGroup['region'], number>> = { backbone: 1, neck: 1.5, head: 2 };

function limitsOf(options: PruneOptions): Omit<PlanOptions, 'keep'> {
  const { channelMultiple, minChannels, maxGroupReduction, headProtection } = options;
  return {
    channelMultiple,
    minChannels,
    groupReduction: ({ region }) => (maxGroupReduction / 100) * (region === 'head' && headProtection === 'half' ? 0.5 : 1),
    costFactor: (region) => (options.regions === 'backbone-first' ? BACKBONE_FIRST[region] : 1),
  };
}

interface Smaller {
  readonly model: Model;
  readonly plan: Plan;
  readonly after: number;
}

/**
 * Plans on the terms that depend on channels; the result is checked by the analysis that everybody sees, and planned tighter
 * if it is over.
 * @param percentage of the objective to remove
 */
async function cut(
  structure: Structure,
  costs: Costs,
  options: PruneOptions,
  before: number,
  percentage: number,
  ctx: StepContext,
): Promise<Smaller> {
  const { trace, groups, branches } = structure;
  const terms = objectiveTerms(trace, options.objective);
  const own = terms.reduce((total, term) => total + termSize(term), 0);
  const goal = before * (1 - percentage / 100);
  const limits = limitsOf(options);
  const { scores, branchCosts } = costs;
  const pricing = costs.pricing && reporting(costs.pricing, ctx);
  // Where nothing that is counted depends on channels, the goal stays out of reach whatever goes.
  let keep = own > 0 ? (goal - (before - own)) / own : 0;
  for (;;) {
    const plan = await planRemoval({ trace, groups, branches, terms, scores, pricing, branchCosts }, { keep, ...limits });
    const gone = [...plan.branches].map((at) => branches[at]!);
    const model = removeBranches(applyRemoval(trace, plan.classes), gone, trace.model);
    const after = objectiveOf(model, options.objective);
    if (after <= goal || plan.exhausted || own === 0) return { model, plan, after };
    keep -= Math.max((after - goal) / own, 1e-4);
  }
}

/** See {@link PruneResult}. */
function keptChannels(trace: Trace, removed: ReadonlySet<number>, model: Model): ReadonlyMap<string, readonly number[]> {
  const left = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs));
  const kept = new Map<string, readonly number[]>();
  for (const [value, { labels }] of trace.layouts) {
    const own = labels[1];
    if (!own || !left.has(value)) continue;
    const indices = keptIndices(trace.space, own, removed);
    if (indices.length < own.length) kept.set(value, indices);
  }
  return kept;
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

/** What the pruned network has of the teacher's channels: those of the given one, less this cut. */
function sinceTeacher(
  artifact: ModelArtifact,
  pruned: Model,
  kept: PruneResult['kept'],
  replaced: PruneResult['replaced'],
  step: PruneStep,
  set: ImageSet,
  ctx: StepContext,
): ResolveRequest {
  const known = step.teacher && step.kept ? { teacher: step.teacher.model, kept: step.kept } : { teacher: artifact.model, kept: new Map() };
  return {
    pruned,
    teacher: known.teacher,
    spec: artifact.spec,
    kept: composeKept(known.kept, kept),
    replaced: new Map([...(step.replaced ?? []), ...replaced]),
    set,
    ctx,
  };
}

/** Channels left after two cuts, one after the other, as indices of the first network's. */
export function composeKept(first: PruneResult['kept'], second: PruneResult['kept']): PruneResult['kept'] {
  const all = new Map(first);
  for (const [value, indices] of second) {
    const before = first.get(value);
    all.set(value, before ? indices.map((i) => before[i]!) : indices);
  }
  return all;
}

function resolveNotes(resolved: Resolved | null): string[] {
  if (!resolved) return [];
  const { layers, before, after } = resolved;
  return layers === 0
    ? ['Least squares did not help behind this cut: the weights stay.']
    : [
        `Least squares solved ${layers} layers behind the cut again; loss on unseen images ${before.toPrecision(3)} → ${after.toPrecision(3)}.`,
      ];
}

/** As {@link PruneResult}, before the graph becomes an artifact. */
export interface Pruned extends Omit<PruneResult, 'artifact'> {
  readonly model: Model;
}

/** @throws StudioError 'unsupported' where nothing can be pruned, 'cancelled' */
export async function pruneStructured(
  artifact: ModelArtifact,
  options: PruneOptions,
  ctx: StepContext,
  ranges: RangesArtifact | null,
  images: ImageSet | null,
  step: PruneStep,
): Promise<Pruned> {
  const { model: source } = artifact;
  const before = analyze(withSizes(source));
  await breathe(ctx, 0);
  const structure = structureOf(artifact, options);
  const { trace, groups, branches } = structure;
  await breathe(ctx, 1);
  const { importance, reduction, objective } = options;
  const teacher = step.teacher && step.teacher.hash !== artifact.hash ? step.teacher.model : null;
  const costs = await judge({
    artifact,
    trace,
    groups,
    branches,
    importance,
    reduction,
    images: options.images,
    ranges,
    set: images,
    teacher,
    ctx,
  });
  const whole = objectiveOf(source, objective);
  const percentage = step.reduction ?? options.macsReduction;
  const { model, plan, after } = await (async () => {
    try {
      await breathe(ctx, 2);
      return await cut(structure, costs, options, whole, percentage, ctx);
    } finally {
      await costs.release();
    }
  })();
  await breathe(ctx, 3);
  if (plan.classes.size + plan.branches.size === 0)
    throw new StudioError(
      'unsupported',
      `"${artifact.name}" has no channels that can be pruned within these limits.`,
      'Lower the minimum number of channels or the channel multiple.',
    );
  const kept = keptChannels(trace, plan.classes, model);
  const left = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs));
  const replaced = new Map([...replacements([...plan.branches].map((at) => branches[at]!))].filter(([, value]) => left.has(value)));
  const resolved =
    options.resolve === 'auto' && images ? await resolveLayers(sinceTeacher(artifact, model, kept, replaced, step, images, ctx)) : null;
  const analysis = analyze(withSizes(model));
  const found = {
    objective: { id: objective, before: whole, after },
    groups: groupReports(groups, plan),
    blocks: blockReports(branches, plan.branches, source.graph.nodes),
    resolved: resolved && { layers: resolved.layers, lossBefore: resolved.before, lossAfter: resolved.after },
  };
  const report: PruneReport = {
    method: 'structured',
    macs: { before: before.macs, after: analysis.macs },
    parameters: { before: before.parameters, after: analysis.parameters },
    importance: costs.importance,
    ...found,
    sparsity: null,
    notes: [...structuredNotes(found, plan, options.channelMultiple, percentage), ...costs.notes, ...resolveNotes(resolved)],
  };
  return { model: resolved?.model ?? model, report, kept, replaced };
}
