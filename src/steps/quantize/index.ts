/** Quantize: a float network and its calibrated ranges → an ordinary QDQ network in 8 bits. May import the rooms below steps. */
import { StudioError } from '../../numerics';
import { foldConstants, hashModel, type Model, serializeModel, upgradeOpset } from '../../onnx';
import type { OptionValues } from '../common';
import type { ModelArtifact, QuantArtifact, RangesArtifact, StepContext } from '../types';
import { foldAffine } from './fold-affine';
import { quantizeMeta, readOptions } from './meta';
import { planQuantization } from './plan';
import { type QuantPlan, toTensorQuants } from './plan-types';
import { buildQdq } from './qdq';
import { isQuantizedOp } from './rules';

export { CALIBRATORS, type Calibrator, type CalibratorId } from './calibrators';
export { compareLayers, type LayerErrorInput, layerSqnr, sqnrDb } from './error';
export { type QuantizeOptions, quantizeMeta, readOptions } from './meta';
export { planQuantization } from './plan';
export type { ActivationQuant, ConstantQuant, QuantLayer, QuantPlan } from './plan-types';
export { buildQdq } from './qdq';

/** QuantizeLinear per axis exists from this opset on. */
const OPSET = 13;

/** @throws StudioError 'unsupported' for a network that another tool has quantized already, or that isn't float32 */
function refuse({ name, model }: ModelArtifact): void {
  const quantized = model.graph.nodes.filter((node) => isQuantizedOp(node.op));
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
 * Quantizes a network to 8 bits.
 * @param ranges from calibrating this very model
 * @throws StudioError 'unsupported' (already INT8, not float32), 'bad-data' (ranges of another model, no layer),
 *   'missing-data' (a value was not calibrated), 'bad-option'
 */
export async function quantize(
  artifact: ModelArtifact,
  ranges: RangesArtifact,
  options: OptionValues,
  ctx: Pick<StepContext, 'cancel' | 'progress'>,
): Promise<QuantArtifact> {
  const settings = readOptions(options);
  refuse(artifact);
  if (ranges.modelHash !== artifact.hash)
    throw new StudioError('bad-data', 'These ranges were calibrated on another network.', `Calibrate ${artifact.name} first.`);
  ctx.cancel.throwIfAborted();
  ctx.progress({ step: quantizeMeta.id, label: 'Planning', done: 0, total: 2 });
  const float = quantizableModel(artifact.model);
  const plan: QuantPlan = planQuantization(float, ranges, settings, artifact.spec);
  if (plan.layers.length === 0)
    throw new StudioError('unsupported', `${artifact.name} has no layer with constant weights, so there is nothing to quantize.`);
  ctx.cancel.throwIfAborted();
  ctx.progress({ step: quantizeMeta.id, label: 'Quantizing weights', done: 1, total: 2 });
  const model = buildQdq(float, plan);
  const hash = await hashModel(serializeModel(model));
  ctx.progress({ step: quantizeMeta.id, label: 'Quantized', done: 2, total: 2 });
  return {
    kind: 'quant',
    hash,
    floatHash: artifact.hash,
    name: artifact.name,
    model,
    spec: artifact.spec,
    plan: toTensorQuants(plan),
    notes: plan.notes,
  };
}
