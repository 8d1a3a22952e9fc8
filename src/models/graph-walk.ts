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

/** The value that `name` comes from, back through the nodes that `passes` lets through by their first input. */
function origin(view: GraphView, name: string, passes: (node: Node) => boolean): string {
  let at = name;
  for (let node = view.producer.get(at); node && passes(node); node = view.producer.get(at)) at = node.inputs[0]!;
  return at;
}

/** Dims of the constant behind a value, through QuantizeLinear/DequantizeLinear and identities. */
function constantDims(view: GraphView, name: string): readonly number[] | null {
  const from = origin(view, name, ({ op }) => PASSING.has(op) && op !== 'Transpose' && op !== 'Reshape');
  const value = view.producer.get(from)?.op === 'Constant' ? view.producer.get(from)!.attributes.value : undefined;
  return view.graph.initializers.get(from)?.dims ?? (value?.type === 'tensor' ? value.value.dims : null);
}

function throughQuantization(view: GraphView, name: string): string {
  return origin(view, name, ({ op }) => op === 'DequantizeLinear' || op === 'QuantizeLinear');
}

/**
 * Walks from values to their neighbours, depth first and each node once, until `visit` returns something.
 * @param visit the values to go on from, or an answer
 */
function walk<T>(
  starts: readonly string[],
  nodesAt: (name: string) => readonly Node[],
  visit: (node: Node) => { readonly on: readonly string[] } | { readonly answer: T },
): T | null {
  const seen = new Set<Node>();
  const stack = [...starts].reverse().flatMap((name) => [...nodesAt(name)].reverse());
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    const found = visit(node);
    if ('answer' in found) return found.answer;
    for (const name of [...found.on].reverse()) for (const next of [...nodesAt(name)].reverse()) if (!seen.has(next)) stack.push(next);
  }
  return null;
}

const NOTHING = { on: [] };

function sigmoidBehind(view: GraphView, name: string): string | null {
  return walk<string>(
    [name],
    (value) => view.consumers.get(value) ?? [],
    (node) => (SIGMOIDS.has(node.op) ? { answer: node.name } : PASSING.has(node.op) ? { on: node.outputs.slice(0, 1) } : NOTHING),
  );
}

function makersOf(view: GraphView): (name: string) => readonly Node[] {
  return (name) => {
    const node = view.producer.get(name);
    return node ? [node] : [];
  };
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
  walk(outputs, makersOf(view), (node) => {
    if (SHAPE_OPS.has(node.op)) return NOTHING;
    const conv = CONVS.has(node.op) ? describe(view, node) : null;
    if (!conv || isIntegral(conv, view)) return { on: node.inputs };
    found.push(conv);
    return NOTHING;
  });
  return found;
}

/** True when a value depends on an operator of the set before the last convolutions are reached. */
export function tailHas(view: GraphView, output: string, ops: ReadonlySet<string>): boolean {
  const answer = walk<true>([output], makersOf(view), (node) =>
    CONVS.has(node.op) ? NOTHING : ops.has(node.op) ? { answer: true } : { on: node.inputs },
  );
  return answer === true;
}
