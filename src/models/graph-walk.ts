/** Walks from a detector's outputs back to its last convolutions. Names are never read, only operators and shapes. */
import { consumers, type Dim, type Graph, inferShapes, type Model, type Node, producers, type ValueInfo } from '../onnx';

const CONVS = new Set(['Conv', 'QLinearConv', 'ConvTranspose']);
/** Values that carry a shape, not data, end here. */
const SHAPE_OPS = new Set(['Shape', 'Size', 'ConstantOfShape', 'Constant', 'Range']);
/** Operators that only move or re-encode values. */
const PASSING = new Set([
  'QuantizeLinear',
  'DequantizeLinear',
  'Identity',
  'Reshape',
  'Transpose',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Cast',
]);
const SIGMOIDS = new Set(['Sigmoid', 'QLinearSigmoid']);

/** One of the last convolutions before the outputs. */
export interface HeadConv {
  readonly node: Node;
  /** Output channels. */
  readonly channels: number;
  /** Value that the convolution reads, behind any QuantizeLinear/DequantizeLinear. */
  readonly source: string;
  /** Grid of its output; null where shapes are unknown. */
  readonly rows: number | null;
  readonly cols: number | null;
  /** Name of the Sigmoid right behind it, else null. */
  readonly sigmoid: string | null;
}

export interface GraphView {
  readonly graph: Graph;
  readonly producer: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  readonly shapes: ReadonlyMap<string, ValueInfo>;
}

export function viewGraph(model: Model): GraphView {
  return { graph: model.graph, producer: producers(model.graph), consumers: consumers(model.graph), shapes: inferShapes(model) };
}

const known = (d: Dim | undefined) => (typeof d === 'number' && d >= 0 ? d : null);

/** Sizes of a value, null where open; null when the rank is unknown. */
export function dimsOf(view: GraphView, name: string): readonly (number | null)[] | null {
  const declared = view.graph.outputs.find((output) => output.name === name);
  const shape = view.shapes.get(name)?.shape ?? declared?.shape;
  return shape?.map((d, i) => known(d) ?? known(declared?.shape?.[i])) ?? null;
}

/** Dims of the constant behind a value, through QuantizeLinear/DequantizeLinear and identities. */
function constantDims(view: GraphView, name: string): readonly number[] | null {
  const tensor = view.graph.initializers.get(name);
  if (tensor) return tensor.dims;
  const node = view.producer.get(name);
  if (node?.op === 'Constant') return node.attributes.value?.type === 'tensor' ? node.attributes.value.value.dims : null;
  return node && PASSING.has(node.op) && node.op !== 'Transpose' && node.op !== 'Reshape' ? constantDims(view, node.inputs[0]!) : null;
}

function throughQuantization(view: GraphView, name: string): string {
  const node = view.producer.get(name);
  return node && (node.op === 'DequantizeLinear' || node.op === 'QuantizeLinear') ? throughQuantization(view, node.inputs[0]!) : name;
}

function sigmoidBehind(view: GraphView, name: string): string | null {
  for (const node of view.consumers.get(name) ?? []) {
    if (SIGMOIDS.has(node.op)) return node.name;
    const further = PASSING.has(node.op) && node.outputs[0] ? sigmoidBehind(view, node.outputs[0]) : null;
    if (further) return further;
  }
  return null;
}

function describe(view: GraphView, node: Node): HeadConv | null {
  const weight = constantDims(view, node.inputs[node.op === 'QLinearConv' ? 3 : 1] ?? '');
  if (weight?.length !== 4) return null;
  const dims = dimsOf(view, node.outputs[0]!);
  return {
    node,
    channels: node.op === 'ConvTranspose' ? weight[1]! : weight[0]!,
    source: throughQuantization(view, node.inputs[0]!),
    rows: dims?.[2] ?? null,
    cols: dims?.[3] ?? null,
    sigmoid: sigmoidBehind(view, node.outputs[0]!),
  };
}

/** True for the fixed convolution that turns a distribution over distances into its mean (DFL of YOLOv8). */
function isIntegral(conv: HeadConv, view: GraphView): boolean {
  const weight = constantDims(view, conv.node.inputs[1]!);
  return conv.channels === 1 && weight?.[1] === 16 && conv.rows === 4;
}

/** The last convolutions before the given values, each once, in the order in which the graph joins them. */
export function lastConvs(view: GraphView, outputs: readonly string[]): readonly HeadConv[] {
  const found: HeadConv[] = [];
  const seen = new Set<Node>();
  const visit = (name: string) => {
    const node = view.producer.get(name);
    if (!node || seen.has(node)) return;
    seen.add(node);
    if (SHAPE_OPS.has(node.op)) return;
    const conv = CONVS.has(node.op) ? describe(view, node) : null;
    if (conv && !isIntegral(conv, view)) {
      found.push(conv);
      return;
    }
    for (const input of node.inputs) visit(input);
  };
  for (const output of outputs) visit(output);
  return found;
}

/** True when a value depends on an operator of the set before the last convolutions are reached. */
export function tailHas(view: GraphView, output: string, ops: ReadonlySet<string>): boolean {
  const seen = new Set<Node>();
  const visit = (name: string): boolean => {
    const node = view.producer.get(name);
    if (!node || seen.has(node) || CONVS.has(node.op)) return false;
    seen.add(node);
    return ops.has(node.op) || node.inputs.some(visit);
  };
  return visit(output);
}
