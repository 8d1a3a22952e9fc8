/** Which activations change their width together. */
import type { Model, Node } from '../../../../onnx';
import { indexGraph } from '../../graph-index';
import type { QuantPlan } from '../../plan-types';
import { opKind } from '../../rules';

/** Activations of one width, in graph order. */
export interface WidthUnit {
  readonly values: readonly string[];
  /** Names of the nodes that make them; a layer goes by its convolution. */
  readonly layers: readonly string[];
}

/**
 * Operators that on a device with one width per shortcut can't change it: 16 bits in, 16 out
 * (Hailo: Concat, shortcut and feature splitter; the producers in front become a8_w8_a16).
 */
function keepsWidth(node: Node): boolean {
  return opKind(node) === 'concat' || node.op === 'Add' || node.op === 'Sub' || node.op === 'Sum';
}

/**
 * Every set of activations that must have the same width. Values of one scale always do.
 * @param uniform the device can't change the width in a Concat or a shortcut, and wants all last layers alike
 *   (HailoRT's decoders refuse outputs of mixed types)
 * @returns units without the graph's inputs: pixels have 8 bits
 */
export function widthUnits(model: Model, plan: QuantPlan, uniform: boolean): readonly WidthUnit[] {
  const { activations } = plan;
  const parent = new Map<string, string>();
  const find = (value: string): string => {
    const up = parent.get(value) ?? value;
    return up === value ? value : find(up);
  };
  const join = (values: readonly string[]): void => {
    const planned = values.filter((value) => activations.has(value));
    for (const value of planned) parent.set(find(value), find(planned[0]!));
  };
  for (const { value, sharesWith } of activations.values()) if (sharesWith !== null) join([sharesWith, value]);
  if (uniform) {
    const exits = exitsOf(model, plan);
    for (const node of model.graph.nodes) if (keepsWidth(node)) join([...node.inputs, ...node.outputs.map((name) => exits(name))]);
    join(plan.layers.filter(({ isHead }) => isHead).map(({ output }) => output));
  }
  const inputs = new Set(model.graph.inputs.filter(({ name }) => activations.has(name)).map(({ name }) => find(name)));
  const names = layerNames(model, plan);
  const members = new Map<string, string[]>();
  for (const value of activations.keys()) {
    const root = find(value);
    if (inputs.has(root)) continue;
    const known = members.get(root);
    if (known) known.push(value);
    else members.set(root, [value]);
  }
  return [...members.values()].map((values) => ({ values, layers: values.map((value) => names(value)) }));
}

/** The value that is quantized in place of a node's own output: behind the activation that is fused to it. */
function exitsOf(model: Model, { activations }: QuantPlan): (value: string) => string {
  const index = indexGraph(model.graph);
  const exit = (value: string): string => {
    if (activations.has(value)) return value;
    const ends = new Set(index.consumers(value).flatMap((node) => node.outputs.map((name) => exit(name))));
    return ends.size === 1 ? [...ends][0]! : value;
  };
  return exit;
}

/** Value → the node that a user knows it by. */
function layerNames(model: Model, { layers }: QuantPlan): (value: string) => string {
  const index = indexGraph(model.graph);
  const byOutput = new Map(layers.map(({ node, output }) => [output, node]));
  return (value) => byOutput.get(value) ?? index.producer(value)?.name ?? value;
}

/** Depthwise convolutions: one input channel for each group. */
function isDepthwise(model: Model, node: Node): boolean {
  const weight = model.graph.initializers.get(node.inputs[1] ?? '');
  const group = node.attributes.group;
  if (node.op !== 'Conv' || group?.type !== 'int' || group.value < 2 || !weight) return false;
  return weight.dims[1] === 1;
}

/** The seed's preset: units that a depthwise convolution reads or makes; the 1×1 convolutions between keep INT8 weights. */
export function depthwiseUnits(model: Model, plan: QuantPlan, units: readonly WidthUnit[]): readonly WidthUnit[] {
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const touched = new Set(
    plan.layers.filter(({ node }) => isDepthwise(model, nodes.get(node)!)).flatMap(({ input, output }) => [input, output]),
  );
  return units.filter(({ values }) => values.some((value) => touched.has(value)));
}
