/** Sequences of nodes that devices treat as one thing. */
import type { Node } from '../onnx';
import type { NodeView } from './types';

/** The Sigmoid of x · sigmoid(x) where `node` is its Mul, else null. */
export function siluOf(node: Node, view: NodeView): Node | null {
  if (node.op !== 'Mul') return null;
  const sigmoid = node.inputs.map((name) => view.producer(name)).find((p) => p?.op === 'Sigmoid');
  return sigmoid && node.inputs.includes(sigmoid.inputs[0]!) ? sigmoid : null;
}

/** The Concat of YOLOX's Focus (every second pixel, four times) where `node` is one of its Slices, else null. */
export function focusOf(node: Node, view: NodeView): Node | null {
  const joined = view.consumers(node.outputs[0]!)[0];
  const slices = joined?.inputs.map((name) => view.producer(name));
  return joined?.op === 'Concat' && slices?.length === 4 && slices.every((p) => p?.op === 'Slice') ? joined : null;
}
