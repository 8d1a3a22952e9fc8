/** Quantize: a float network and its calibrated ranges → an ordinary QDQ network in 8 bits. May import the rooms below steps. */

import { StudioError } from '../../numerics';
import { foldConstants, type Graph, hashModel, type Model, type Node, serializeModel, subgraphs, upgradeOpset } from '../../onnx';
import type { OptionValues } from '../common';
import type { ModelArtifact, QuantArtifact, RangesArtifact, StepContext } from '../types';
import { foldAffine } from './fold-affine';
import { type QuantizeOptions, quantizeMeta, readOptions } from './meta';
import { planQuantization, replanConstants } from './plan';
import { toTensorQuants } from './plan-types';
import { buildQdq } from './qdq';
import { type RepairSource, repaired, wantsRepair } from './repairs/repaired';
import type { QuantState } from './repairs/types';
import { isQuantizedOp } from './rules';

export {
  type AnalysisState,
  analyzeQuantization,
  followLayers,
  loadFeeds,
  newAnalysisState,
  tellStory,
} from './analysis';
export type * from './analysis/types';
export { CALIBRATORS, type Calibrator, type CalibratorId } from './calibrators';
export { type Equalized, equalize } from './equalize';
export { compareLayers, type LayerErrorInput, layerSqnr, sqnrDb } from './error';
export { type QuantizeOptions, quantizeMeta, readOptions } from './meta';
export { type PlanPart, partialPlan, planQuantization, replanConstants } from './plan';
export type { ActivationQuant, ConstantQuant, QuantLayer, QuantPlan } from './plan-types';
export { type Prepared, prepareFloat } from './prepare';
export { buildQdq } from './qdq';
export { type RepairSource, repaired, wantsRepair } from './repairs/repaired';
export { type ParetoOptions, paretoSixteenBit } from './repairs/sixteen-bit';
export type { QuantState } from './repairs/types';
export {
  neighbours,
  type SearchInput,
  type SearchResult,
  type SearchSets,
  type SearchState,
  type SearchTrial,
  searchRecipes,
  searchSets,
  starts,
} from './search';
export { type Split, splitChannels } from './split-channels';

/** QuantizeLinear per axis exists from this opset on. */
const OPSET = 13;

/** Nodes of a graph and of the graphs inside them. */
function allNodes(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => [node, ...subgraphs(node).flatMap(allNodes)]);
}

/** @throws StudioError 'unsupported' for a network that another tool has quantized already, or that isn't float32 */
export function refuse({ name, model }: ModelArtifact): void {
  const quantized = allNodes(model.graph).filter((node) => isQuantizedOp(node.op));
  if (quantized.length > 0)
    throw new StudioError(
      'unsupported',
      `${name} is already INT8: it can be evaluated, not quantized again (${quantized.length} quantized nodes, first "${quantized[0]!.name}", ${quantized[0]!.op}).`,
      'Open the float model that it was made from.',
    );
  const half = model.graph.inputs.find(({ dtype }) => dtype === 'float16' || dtype === 'bfloat16');
  if (half)
    throw new StudioError(
      'unsupported',
      `${name} computes in ${half.dtype}; only float32 networks are quantized.`,
      'Export it in float32.',
    );
}

/** What is planned on and written into: constants and affine steps folded, opset ≥ 13. Value names stay. */
export function quantizableModel(model: Model): Model {
  return upgradeOpset(foldAffine(foldConstants(model)), OPSET);
}

/**
 * Quantizes a network to 8 bits, and repairs what that breaks as the options say.
 * @param ranges from calibrating this very model
 * @param source what repairs fit and judge on; null where none is wanted
 * @param otherReading also write the network with the other weight granularity, for devices that don't say theirs
 * @throws StudioError 'unsupported' (already INT8, not float32), 'bad-data' (ranges of another model, no layer, no images),
 *   'missing-data' (a value was not calibrated), 'bad-option'
 */
export async function quantize(
  artifact: ModelArtifact,
  ranges: RangesArtifact,
  options: OptionValues,
  ctx: Pick<StepContext, 'cancel' | 'progress'>,
  source: RepairSource | null = null,
  otherReading = false,
): Promise<QuantArtifact> {
  const settings = readOptions(options);
  refuse(artifact);
  if (ranges.modelHash !== artifact.hash)
    throw new StudioError('bad-data', 'These ranges were calibrated on another network.', `Calibrate ${artifact.name} first.`);
  ctx.cancel.throwIfAborted();
  ctx.progress({ step: quantizeMeta.id, label: 'Planning', done: 0, total: 2 });
  const float = quantizableModel(artifact.model);
  const start: QuantState = { float, plan: planQuantization(float, ranges, settings, artifact.spec) };
  if (start.plan.layers.length === 0)
    throw new StudioError(
      'unsupported',
      `${artifact.name} has no layer with constant weights, so there is nothing to quantize.`,
      'Fold constants, or switch the quantize step off.',
    );
  const notes = [...start.plan.notes];
  if (wantsRepair(settings)) await source?.watch?.(start, false);
  const state = await repaired(artifact, start, ranges, settings, ctx, source, (text) => notes.push(text));
  await source?.watch?.(state, true);
  ctx.cancel.throwIfAborted();
  ctx.progress({ step: quantizeMeta.id, label: 'Quantizing weights', done: 1, total: 2 });
  const model = buildQdq(state.float, state.plan);
  const hash = await hashModel(serializeModel(model));
  ctx.progress({ step: quantizeMeta.id, label: 'Quantized', done: 2, total: 2 });
  return {
    kind: 'quant',
    hash,
    floatHash: artifact.hash,
    name: artifact.name,
    model,
    spec: artifact.spec,
    plan: toTensorQuants(state.plan),
    ...(state.plan.pareto ? { pareto: state.plan.pareto } : {}),
    ...(otherReading ? { reading: await reading(state, settings, artifact.spec) } : {}),
    notes,
  };
}

/** The same float weights and activation ranges, with weight scales of the other granularity. */
async function reading(state: QuantState, options: QuantizeOptions, spec: ModelArtifact['spec']): Promise<QuantArtifact['reading']> {
  const weights = options.weights === 'per-channel' ? 'per-tensor' : 'per-channel';
  const model = buildQdq(state.float, replanConstants(state.float, state.plan, { ...options, weights }, spec));
  return { weights, model, hash: await hashModel(serializeModel(model)) };
}
