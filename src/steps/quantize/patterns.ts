/** Activation patterns: sequences of nodes that a device runs as the output stage of one layer. */
import type { Node, Tensor } from '../../onnx';
import type { GraphIndex } from './graph-index';
import { SQUASHING, UNARY_ACTIVATIONS } from './rules';

/** Nodes absorbed after a layer's own output; `output` is the pattern's only result. */
export interface Fused {
  readonly nodes: readonly Node[];
  readonly output: string;
}

const BINARY = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** The longest gate that {@link gated} follows: Add, Clip, Div of a decomposed HardSwish, and one more. */
const GATE_LENGTH = 4;

/** The constant operand of a binary node whose other operand is `value`; undefined when it isn't of this form. */
function constantOperand(index: GraphIndex, node: Node, value: string): Tensor | undefined {
  if (node.domain !== '' || !BINARY.has(node.op) || node.inputs.length !== 2) return undefined;
  const [a, b] = node.inputs as [string, string];
  if (a === value && b !== value) return index.constant(b);
  // 1 / x and c − x are not affine in the form that a layer's scale absorbs; c + x and c · x are.
  return b === value && a !== value && (node.op === 'Add' || node.op === 'Mul') ? index.constant(a) : undefined;
}

/** One elementwise step on `value` alone: a unary activation, or a binary node with a constant. */
function isElementwise(index: GraphIndex, node: Node, value: string): boolean {
  if (node.domain === '' && UNARY_ACTIVATIONS.has(node.op) && node.inputs[0] === value)
    return node.inputs.slice(1).every((name) => name === '' || index.constant(name) !== undefined);
  return constantOperand(index, node, value) !== undefined;
}

/** x · g(x), with g a short chain of elementwise nodes: SiLU, HardSwish written out, Mish. */
function gated(index: GraphIndex, value: string): Fused | null {
  const readers = index.consumers(value);
  if (readers.length !== 2 || index.isOutput(value)) return null;
  for (const [first, product] of [
    [readers[0]!, readers[1]!],
    [readers[1]!, readers[0]!],
  ] as const) {
    if (product.op !== 'Mul' || product.domain !== '' || !product.inputs.includes(value)) continue;
    const nodes: Node[] = [];
    let node: Node | null = first;
    let current = value;
    while (node && nodes.length < GATE_LENGTH && isElementwise(index, node, current)) {
      nodes.push(node);
      current = node.outputs[0]!;
      if (product.inputs.includes(current) && index.soleConsumer(current) === product)
        return { nodes: [...nodes, product], output: product.outputs[0]! };
      node = index.soleConsumer(current);
    }
  }
  return null;
}

/** Scalar Mul, Div, Add or Sub after the activation: on a quantized value it only relabels scale and zero point. */
function scalarTrail(index: GraphIndex, value: string): Fused {
  const nodes: Node[] = [];
  let output = value;
  for (;;) {
    const next = index.soleConsumer(output);
    const operand = next && constantOperand(index, next, output);
    if (!next || !operand || operand.data.length !== 1) return { nodes, output };
    nodes.push(next);
    output = next.outputs[0]!;
  }
}

/**
 * What is fused to the layer that makes `value`: nothing, or one activation with a scalar affine step after it.
 * @param inTail nodes after the network's last layers; a Sigmoid or Tanh there stays apart, so that the layer's logits
 *   are what is quantized
 */
export function fuseActivation(index: GraphIndex, value: string, inTail: (node: Node) => boolean): Fused {
  const gate = gated(index, value);
  if (gate) {
    const trail = scalarTrail(index, gate.output);
    return { nodes: [...gate.nodes, ...trail.nodes], output: trail.output };
  }
  const next = index.soleConsumer(value);
  if (next?.domain !== '' || !UNARY_ACTIVATIONS.has(next.op) || !isElementwise(index, next, value)) return { nodes: [], output: value };
  if (inTail(next) && SQUASHING.has(next.op)) return { nodes: [], output: value };
  const trail = inTail(next) ? { nodes: [], output: next.outputs[0]! } : scalarTrail(index, next.outputs[0]!);
  return { nodes: [next, ...trail.nodes], output: trail.output };
}
