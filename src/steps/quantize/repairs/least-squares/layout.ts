/** Layers as matrices: y[g] = W[g] · a[g] + b[g], with a the unfolded input of group g. What least squares and rounding solve on. */
import type { DetectorSpec } from '../../../../models';
import { inferShapes, type Model } from '../../../../onnx';
import { type MatrixLayer as AnyLayer, matrixLayer } from '../../../lock-step';
import { findLayers } from '../../layers';
import type { QuantLayer, QuantPlan } from '../../plan-types';

export interface MatrixLayer extends AnyLayer {
  readonly layer: QuantLayer;
}

/** Which layers are taken on. */
export interface LayerChoice {
  /** Most inputs of one row; larger systems cost more than they give. */
  readonly maxInputs: number;
  /** Whether convolutions with more groups than one (depthwise) are taken too. */
  readonly grouped: boolean;
}

/**
 * The layers of a plan that can be written as matrices, in graph order.
 * @param model with definite sizes (fixDimensions); weights that several nodes read are left alone
 */
export function matrixLayers(
  model: Model,
  plan: QuantPlan,
  spec: DetectorSpec | null,
  fuseActivations: boolean,
  choice: LayerChoice,
): readonly MatrixLayer[] {
  const { index, layers, biasAdds } = findLayers(model.graph, spec, fuseActivations);
  const shapes = inferShapes(model);
  const shapeOf = (value: string): readonly number[] | null => {
    const shape = shapes.get(value)?.shape;
    return shape?.every((d) => typeof d === 'number') ? (shape as readonly number[]) : null;
  };
  const planned = new Set(plan.constants.filter(({ role }) => role === 'weight').map((c) => c.node));
  const byName = new Map(model.graph.nodes.map((node) => [node.name, node]));
  return layers.flatMap((layer) => {
    const node = byName.get(layer.node)!;
    const weight = index.constant(node.inputs[1]!)!;
    if (!planned.has(node.name) || weight.dtype !== 'float32' || index.consumers(weight.name).length > 1) return [];
    const found = matrixLayer(node, weight, biasAdds.get(node) ?? node, shapeOf, (name) => index.constant(name));
    const fits = found && found.inputs <= choice.maxInputs && (found.groups === 1 || choice.grouped);
    return fits ? [{ ...found, layer }] : [];
  });
}
