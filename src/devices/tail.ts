/**
 * The end of a detector: where its branches end, and where boxes and scores come together. Read from operators and
 * shapes alone, so that it also works on networks of no known family.
 */
import type { Model, Node } from '../onnx';
import { siluOf } from './patterns';
import type { NodeView } from './types';

const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'QLinearConv', 'QLinearMatMul']);
const SHAPE_OPS = new Set(['Shape', 'Size', 'ConstantOfShape', 'Constant', 'Range']);
const PROBABILITY = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);
const MOVES = new Set([
  ...['Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Split', 'Gather', 'Identity', 'Dropout', 'Expand', 'Tile'],
  ...['Cast', 'QuantizeLinear', 'DequantizeLinear'],
]);
const ARITHMETIC = new Set(['Mul', 'Add', 'Sub', 'Div', 'Exp', 'Pow', 'Neg']);

/** What a value at the end of a detector holds. */
type Content = 'score' | 'raw' | 'decoded' | 'mixed' | 'other';

export interface DetectorTail {
  /** Nodes that no layer with weights depends on. */
  readonly nodes: ReadonlySet<Node>;
  /** Concats that put scores beside boxes, and whether those boxes are decoded (pixels) or raw. */
  readonly mixing: ReadonlyMap<Node, 'raw' | 'decoded'>;
  /** Values to end the network at; empty where it ends there already. */
  readonly ends: readonly string[];
}

/** A 1×1 Conv with the weights 0, 1, 2, … and one output: the mean of a box distribution, i.e. decoding. */
function isExpectation(node: Node, view: NodeView): boolean {
  if (node.op !== 'Conv') return false;
  const dims = view.constantDims(node.inputs[1] ?? '');
  if (dims?.[0] !== 1 || dims.slice(2).some((d) => d !== 1) || (dims[1] ?? 0) < 2) return false;
  return view.constantValues(node.inputs[1]!)!.every((w, i) => w === i);
}

function isLayer(node: Node, view: NodeView): boolean {
  return LAYERS.has(node.op) && !isExpectation(node, view);
}

function tailNodes(model: Model, view: NodeView): ReadonlySet<Node> {
  const needed = new Set<string>();
  const tail = new Set<Node>();
  for (const node of [...model.graph.nodes].reverse()) {
    if (isLayer(node, view) || node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) needed.add(name);
    else tail.add(node);
  }
  return tail;
}

function contents(view: NodeView): (value: string) => Content {
  const known = new Map<string, Content>();
  const found = (value: string): Content => {
    const node = view.producer(value);
    if (!node || SHAPE_OPS.has(node.op)) return 'other';
    if (PROBABILITY.has(node.op)) return 'score';
    if (isExpectation(node, view) || isLayer(node, view)) return 'raw';
    if (MOVES.has(node.op)) return of(node.inputs[0] ?? '');
    const inputs = node.inputs.map(of).filter((content) => content !== 'other');
    if (node.op === 'Concat')
      return inputs.length > 0 && inputs.every((c) => c === inputs[0]) ? inputs[0]! : inputs.length > 0 ? 'mixed' : 'other';
    if (!ARITHMETIC.has(node.op)) return 'other';
    return node.op === 'Mul' && inputs.length > 1 && inputs.every((c) => c === 'score') ? 'score' : 'decoded';
  };
  const of = (value: string): Content => {
    const before = known.get(value);
    if (before) return before;
    known.set(value, 'other');
    const content = found(value);
    known.set(value, content);
    return content;
  };
  return of;
}

function mixingConcats(tail: ReadonlySet<Node>, view: NodeView): Map<Node, 'raw' | 'decoded'> {
  const contentOf = contents(view);
  const mixing = new Map<Node, 'raw' | 'decoded'>();
  for (const node of tail) {
    if (node.op !== 'Concat') continue;
    const inputs = new Set(node.inputs.map(contentOf));
    if (inputs.has('decoded') && (inputs.has('score') || inputs.has('mixed'))) mixing.set(node, 'decoded');
    else if (inputs.has('raw') && inputs.has('score')) mixing.set(node, 'raw');
  }
  return mixing;
}

/** The values that the last layers of each branch make, with the Sigmoid right behind a score's where `at` says so. */
function branchEnds(model: Model, view: NodeView, at: 'sigmoid' | 'layer'): readonly string[] {
  const ends: string[] = [];
  const seen = new Set<Node>();
  const visit = (value: string): void => {
    const node = view.producer(value);
    if (!node || seen.has(node)) return;
    seen.add(node);
    const before = view.producer(node.inputs[0] ?? '');
    const closes = at === 'sigmoid' && PROBABILITY.has(node.op) && before !== undefined && isLayer(before, view);
    if (isLayer(node, view) || closes || siluOf(node, view)) ends.push(node.outputs[0]!);
    else if (!SHAPE_OPS.has(node.op)) for (const input of node.inputs) visit(input);
  };
  for (const { name } of model.graph.outputs) visit(name);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  return ends.length === outputs.size && ends.every((name) => outputs.has(name)) ? [] : ends;
}

export function detectorTail(model: Model, view: NodeView, at: 'sigmoid' | 'layer'): DetectorTail {
  const nodes = tailNodes(model, view);
  return { nodes, mixing: mixingConcats(nodes, view), ends: branchEnds(model, view, at) };
}
