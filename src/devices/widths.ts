/** Which values must be 16 bits wide where some are: operators that can't change width pass it on. */
import type { Model, Node } from '../onnx';
import type { Device, NodeView } from './types';
import { viewOf } from './view';

/** Behind QuantizeLinear and DequantizeLinear: the value that they are about. */
export function sourceOf(view: NodeView, value: string): string {
  const node = view.producer(value);
  return node?.op === 'DequantizeLinear' || node?.op === 'QuantizeLinear' ? sourceOf(view, node.inputs[0]!) : value;
}

/** The activations that a node reads and makes. */
export function activationsOf(node: Node, view: NodeView): readonly string[] {
  return [...node.inputs.map((name) => sourceOf(view, name)), ...node.outputs].filter((name) => name !== '' && !view.constantDims(name));
}

/** True where the device gives a node's activations one width: operators of one width, and those that keep the input's scale. */
export function keepsWidth(node: Node, device: Device): boolean {
  const op = node.op as (typeof device.precision.uniform.value)[number];
  return node.domain === '' && (device.precision.uniform.value.includes(op) || Object.hasOwn(device.sharing, op));
}

/**
 * The given values and those that must become 16 bits with them, in the order in which they are found.
 *
 * @example
 * widened(model, DEVICES.hailo8, ['/neck/Concat_output']); // also what the Concat joins
 */
export function widened(model: Model, device: Device, values: Iterable<string>): readonly string[] {
  const view = viewOf(model);
  const wide = new Set(values);
  for (const value of wide) {
    const maker = view.producer(value);
    const touching = [...(maker ? [maker] : []), ...view.consumers(value)];
    for (const node of touching) if (keepsWidth(node, device)) for (const other of activationsOf(node, view)) wide.add(other);
  }
  return [...wide];
}
