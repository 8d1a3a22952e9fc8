/** The layers that an analysis lists, and the parts of a plan that go with them. */
import type { DetectorSpec } from '../../../models';
import { attrInt, inferShapes, type Model, type Node } from '../../../onnx';
import { findLayers, type Layering } from '../layers';
import type { QuantizeOptions } from '../meta';
import type { ConstantQuant, QuantPlan } from '../plan-types';
import { opKind } from '../rules';
import type { LayerKind } from './types';

/** A layer with weights, or another operator whose output has a quantizer that can change it. */
export interface Row {
  /** null = a graph input. */
  readonly made: Node | null;
  readonly node: string;
  readonly op: string;
  readonly kind: LayerKind;
  readonly value: string;
  /** Output of the weights alone, before a fused activation; = value for other rows. */
  readonly rawValue: string;
  /** Whether `value` has a quantizer. */
  readonly quantized: boolean;
  readonly hasWeights: boolean;
  readonly isHead: boolean;
  /** Position in graph order of what makes `value`; −1 for inputs. */
  readonly order: number;
}

export interface Rows {
  /** In graph order. */
  readonly rows: readonly Row[];
  readonly layering: Layering;
  /** What a plan quantizes of one row: its value, or its weights and bias. */
  valuePart(plan: QuantPlan, row: Row): QuantPlan;
  weightPart(plan: QuantPlan, row: Row): QuantPlan;
  /** Everything that a plan quantizes up to and with row `index`. */
  prefix(plan: QuantPlan, index: number): QuantPlan;
}

/** Pictures from the float network to the last layer. */
const FRAMES = 12;

/** After how many of `count` layers a picture is shown, ascending. */
export function frameStops(count: number): ReadonlySet<number> {
  return new Set(Array.from({ length: FRAMES }, (_, i) => Math.round(((i + 1) * count) / FRAMES)));
}

export const NOTHING: Pick<QuantPlan, 'activations' | 'constants'> = { activations: new Map(), constants: [] };

function kindOf(node: Node, layering: Layering): LayerKind {
  if (node.op === 'Concat') return 'concat';
  if (opKind(node) !== 'layer') return 'other';
  const weight = layering.index.constant(node.inputs[1] ?? '');
  if (node.op === 'Gemm' || node.op === 'MatMul') return 'linear';
  if (!weight) return 'other';
  const group = attrInt(node, 'group', 1);
  if (group > 1 && weight.dims[1] === 1) return 'depthwise';
  return node.op === 'Conv' && weight.dims.slice(2).every((d) => d === 1) ? 'pointwise' : 'conv';
}

/** What runs may hold of a network's values at once. */
const TAP_BYTES = 128e6;

/** What is asked about rows, in groups whose rows' values fit in memory together. */
export function chunked<T extends { readonly row: Row }>(float: Model, items: readonly T[]): T[][] {
  const shapes = inferShapes(float);
  const size = (value: string): number =>
    (shapes.get(value)?.shape ?? []).reduce<number>((bytes, d) => bytes * (typeof d === 'number' ? d : 1), 4);
  const chunks: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const { value, rawValue } = item.row;
    const own = size(value) + (rawValue === value ? 0 : size(rawValue));
    if (bytes + own > TAP_BYTES) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)!.push(item);
    bytes += own;
  }
  return chunks;
}

/** Rows of `plan`. Values that are only moved (pooling, Reshape, a Concat of equal scales) round nothing and have none. */
export function findRows(float: Model, plan: QuantPlan, options: QuantizeOptions, spec: DetectorSpec | null): Rows {
  const layering = findLayers(float.graph, spec, options.fuseActivations);
  const position = new Map(float.graph.nodes.flatMap((node, i) => node.outputs.map((name) => [name, i] as const)));
  const orderOf = (value: string): number => position.get(value) ?? -1;
  const layers = new Map(plan.layers.map((layer) => [layer.node, layer]));
  const rows: Row[] = [];
  for (const { name } of float.graph.inputs)
    if (plan.activations.has(name))
      rows.push({
        made: null,
        node: name,
        op: 'Input',
        kind: 'input',
        value: name,
        rawValue: name,
        quantized: true,
        hasWeights: false,
        isHead: false,
        order: -1,
      });
  const exitOf = (node: Node): string => layering.exits.get(node) ?? node.outputs[0]!;
  const weighted = new Set(plan.constants.filter(({ role }) => role === 'weight').map(({ node }) => node));
  for (const node of float.graph.nodes) {
    const layer = layers.get(node.name);
    const value = layer?.output ?? exitOf(node);
    const quantized = plan.activations.has(value);
    const moves = opKind(node) === 'share' || (node.op === 'Concat' && joinsOne(plan, layering, node));
    if (layer ? !quantized && !weighted.has(node.name) : !quantized || moves || layering.absorbed.has(node)) continue;
    rows.push({
      made: node,
      node: node.name,
      op: node.op,
      kind: kindOf(node, layering),
      value,
      rawValue: layer?.rawOutput ?? value,
      quantized,
      hasWeights: weighted.has(node.name),
      isHead: layer?.isHead ?? false,
      order: orderOf(value),
    });
  }
  rows.sort((a, b) => a.order - b.order);
  const byName = new Map(float.graph.nodes.map((node) => [node.name, node]));
  /** A MatMul's bias is an Add's operand: what the Add's value is, its layer's is. */
  const orderOfConstant = ({ node }: ConstantQuant): number => {
    const made = byName.get(node)!;
    return orderOf(layers.get(node)?.output ?? exitOf(made));
  };
  const biasAdds = new Map([...layering.biasAdds].map(([node, add]) => [add.name, node.name]));
  return {
    rows,
    layering,
    valuePart(plan, { value }) {
      const found = plan.activations.get(value);
      return { ...plan, ...NOTHING, activations: new Map(found ? [[value, found]] : []) };
    },
    weightPart: (plan, row) => ({
      ...plan,
      ...NOTHING,
      constants: plan.constants.filter(({ node }) => (biasAdds.get(node) ?? node) === row.node),
    }),
    prefix(plan, index) {
      const limit = rows[index]?.order ?? Number.NEGATIVE_INFINITY;
      return {
        ...plan,
        activations: new Map([...plan.activations].filter(([value]) => orderOf(value) <= limit)),
        constants: plan.constants.filter((constant) => orderOfConstant(constant) <= limit),
      };
    },
  };
}

/** Whether a Concat only joins what one quantizer made, moved about at most: then all of it is on its grid already. */
function joinsOne(plan: QuantPlan, layering: Layering, node: Node): boolean {
  const source = (value: string): string => {
    const made = layering.index.producer(value);
    const shares = made && opKind(made) === 'share' && plan.activations.get(value)?.sharesWith;
    return shares ? source(made.inputs[0]!) : value;
  };
  return plan.activations.get(node.outputs[0]!)?.sharesWith !== null && new Set(node.inputs.map(source)).size === 1;
}
