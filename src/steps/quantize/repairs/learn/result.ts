/** What was learned, written back into weights and plan. */
import { dequantize, type QParams, quantize } from '../../../../numerics';
import { type Model, type Node, tensor, toFloat32, withGraph } from '../../../../onnx';
import type { Values, Variable } from '../../../../training';
import { weightLayout } from '../../constants';
import type { ActivationQuant, ConstantQuant, QuantPlan } from '../../plan-types';
import type { QuantState } from '../types';
import { gainsOf, layerOfBias } from './affine';
import { rootOf, scaleName, zeroName } from './student';

/** A bias may fill half of the int32 accumulator, as the plan allows it (see constants.ts). */
const BIAS_LIMIT = 2 ** 30;

function learnedParams(planned: ActivationQuant, values: Values): QParams {
  const { params } = planned;
  const scale = values[scaleName(rootOf(planned))]?.[0];
  const zero = values[zeroName(rootOf(planned))]?.[0];
  const rounded = zero === undefined ? params.zeroPoint[0]! : Math.min(Math.max(Math.round(zero), params.qmin), params.qmax);
  return { ...params, scale: scale === undefined ? params.scale : [Math.fround(Math.exp(scale))], zeroPoint: [rounded] };
}

/**
 * The layer's constants for another input scale: the bias moves to the new accumulator's scale; a weight scale is enlarged
 * only where the bias would overflow int32 otherwise.
 */
function rescaled(
  weight: ConstantQuant,
  bias: ConstantQuant,
  node: Node,
  model: Model,
  inputScale: number,
): readonly [ConstantQuant, ConstantQuant] {
  const layout = weightLayout(node, model.graph.initializers.get(weight.tensor)!);
  const slice = weight.params.axis === null ? () => 0 : layout.slice;
  const biases = toFloat32(model.graph.initializers.get(bias.tensor)!);
  const scale = [...weight.params.scale];
  biases.forEach((b, c) => {
    scale[slice(c)] = Math.max(scale[slice(c)]!, Math.fround(Math.abs(b) / (inputScale * BIAS_LIMIT)));
  });
  const biasScale =
    bias.params.axis === null
      ? [Math.fround(inputScale * scale[0]!)]
      : Array.from(biases, (_, c) => Math.fround(inputScale * scale[slice(c)]!));
  return [
    { ...weight, params: { ...weight.params, scale } },
    { ...bias, params: { ...bias.params, scale: biasScale } },
  ];
}

/** Moves every bias to the accumulator scale that the plan's activations give; weights keep their integers. */
export function followScales(model: Model, plan: QuantPlan): QuantPlan {
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const weights = new Map(plan.constants.flatMap((c) => (c.role === 'weight' ? [[c.node, c] as const] : [])));
  const layerOf = layerOfBias(model, plan);
  const changed = new Map<ConstantQuant, ConstantQuant>();
  for (const bias of plan.constants) {
    const layer = bias.role === 'bias' ? layerOf(bias) : undefined;
    if (!layer) continue;
    const weight = weights.get(layer.node);
    const inputScale = plan.activations.get(layer.input)?.params.scale[0];
    if (!weight || inputScale === undefined) continue;
    const [newWeight, newBias] = rescaled(weight, bias, nodes.get(layer.node)!, model, inputScale);
    changed.set(weight, newWeight).set(bias, newBias);
  }
  return { ...plan, constants: plan.constants.map((constant) => changed.get(constant) ?? constant) };
}

/** Weight scales times their learned factors; the float weights become what the same integers stand for. */
function withGains(state: QuantState, values: Values): QuantState {
  const gains = gainsOf(state.float, state.plan);
  const initializers = new Map(state.float.graph.initializers);
  const constants = state.plan.constants.map((constant) => {
    const factors = values[gains.get(constant.node)?.name ?? ''];
    if (constant.role !== 'weight' || !factors) return constant;
    const source = initializers.get(constant.tensor)!;
    const integers = quantize({ dims: source.dims, data: toFloat32(source) }, constant.params);
    const params = { ...constant.params, scale: constant.params.scale.map((s, c) => Math.fround(s * factors[c]!)) };
    initializers.set(constant.tensor, { ...source, data: dequantize({ dims: source.dims, data: integers }, params) });
    return { ...constant, params };
  });
  return { ...state, float: withGraph(state.float, { initializers }), plan: { ...state.plan, constants } };
}

/** The state with learned scales, zero points (rounded) and biases, and learned factors of weight scales; the weights' integers as they were. */
export function learnedState(start: QuantState, variables: readonly Variable[], values: Values): QuantState {
  const state = withGains(start, values);
  const activations = new Map(
    [...state.plan.activations].map(([value, planned]) => [value, { ...planned, params: learnedParams(planned, values) }]),
  );
  const initializers = new Map(state.float.graph.initializers);
  for (const { name } of variables) {
    const before = initializers.get(name);
    if (before) initializers.set(name, tensor(name, 'float32', before.dims, values[name]!.slice()));
  }
  const float = withGraph(state.float, { initializers });
  return { ...state, float, plan: followScales(float, { ...state.plan, activations }) };
}
