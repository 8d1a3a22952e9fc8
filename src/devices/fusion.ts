/** Which nodes a device runs as parts of one layer. */
import type { Model, Node } from '../onnx';
import { siluOf } from './patterns';
import type { Device, FusedActivation, NodeView } from './types';

const soleConsumer = (view: NodeView, value: string): Node | null => {
  const readers = view.consumers(value);
  return readers.length === 1 ? readers[0]! : null;
};

/** Clip with the bounds 0 and 6, as attributes (opset 6) or as inputs. */
function isRelu6(node: Node, view: NodeView): boolean {
  if (node.op !== 'Clip') return false;
  const bound = (key: 'min' | 'max', input: number) => {
    const attribute = node.attributes[key];
    return attribute?.type === 'float' ? attribute.value : view.constantValues(node.inputs[input] ?? '')?.[0];
  };
  return bound('min', 1) === 0 && bound('max', 2) === 6;
}

/** The activation that reads `value` alone, with every node that it takes along and the value that leaves it. */
function activationAt(value: string, allowed: ReadonlySet<FusedActivation>, view: NodeView): readonly Node[] {
  if (allowed.has('SiLU')) {
    const readers = view.consumers(value);
    const product = readers.find((node) => siluOf(node, view));
    const sigmoid = product && siluOf(product, view);
    if (product && sigmoid && readers.length === 2 && readers.includes(sigmoid) && soleConsumer(view, sigmoid.outputs[0]!) === product)
      return [sigmoid, product];
  }
  const next = soleConsumer(view, value);
  if (next?.domain !== '') return [];
  const taken = allowed.has(next.op as FusedActivation) || (allowed.has('ReLU6') && isRelu6(next, view));
  return taken ? [next] : [];
}

/** Node → the node whose layer it is part of, for every node that is not a layer of its own. */
export function fusedNodes(model: Model, device: Device, view: NodeView): ReadonlyMap<Node, Node> {
  const fused = new Map<Node, Node>();
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  for (const node of model.graph.nodes) {
    const fusion = device.fusions.find(({ value }) => (value.layers as readonly string[]).includes(node.op))?.value;
    if (!fusion || node.domain !== '' || fused.has(node)) continue;
    let value = node.outputs[0]!;
    const next = outputs.has(value) ? null : soleConsumer(view, value);
    if (next?.op === 'BatchNormalization') {
      fused.set(next, node);
      value = next.outputs[0]!;
    }
    if (outputs.has(value)) continue;
    for (const part of activationAt(value, new Set(fusion.activations), view)) if (!fused.has(part)) fused.set(part, node);
  }
  return fused;
}
