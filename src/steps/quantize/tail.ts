/** The tail: everything after the last layers with weights (sigmoid, grids, exp, joining boxes and scores, NMS). */
import type { DetectorSpec } from '../../models';
import { attrInt, type Node, toFloat32 } from '../../onnx';
import type { GraphIndex } from './graph-index';
import { opKind } from './rules';

/** A 1×1 Conv with one output and the weights 0, 1, 2, …: the expectation over a box distance's bins, i.e. decoding. */
function isExpectation(index: GraphIndex, node: Node): boolean {
  const weight = node.op === 'Conv' ? index.constant(node.inputs[1] ?? '') : undefined;
  if (weight?.dims[0] !== 1 || weight.data.length < 2) return false;
  return toFloat32(weight).every((w, i) => w === i);
}

/** Whether a node multiplies an activation by constant weights. */
export function isLayer(index: GraphIndex, node: Node): boolean {
  if (opKind(node) !== 'layer') return false;
  const weight = index.constant(node.inputs[1] ?? '');
  if (!weight || index.constant(node.inputs[0] ?? '')) return false;
  // A MatMul whose constant is a plain matrix; Gemm with a transposed activation would mix batch and features.
  if (node.op === 'MatMul') return weight.dims.length === 2;
  return node.op !== 'Gemm' || attrInt(node, 'transA', 0) === 0;
}

/**
 * Nodes of the tail: those that no layer depends on, and those after a known detector's last convolutions. Layers
 * themselves are never in it, except decoding ones.
 */
export function findTail(index: GraphIndex, spec: DetectorSpec | null): ReadonlySet<Node> {
  const { nodes } = index.graph;
  const needed = new Set<string>();
  const tail = new Set<Node>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const body = (isLayer(index, node) && !isExpectation(index, node)) || node.outputs.some((name) => needed.has(name));
    if (body) for (const name of node.inputs) needed.add(name);
    else tail.add(node);
  }
  for (const end of endLayers(index, spec)) addDescendants(index, end, tail);
  return tail;
}

/** The last layer of each of the detector's branches, found by going back from its end nodes. */
function endLayers(index: GraphIndex, spec: DetectorSpec | null): readonly Node[] {
  const byName = new Map(index.graph.nodes.map((node) => [node.name, node]));
  const names = spec?.endNodes.flatMap(({ reg, obj, cls }) => (obj === null ? [reg, cls] : [reg, obj, cls])) ?? [];
  return names.flatMap((name) => {
    let node = byName.get(name);
    while (node && !isLayer(index, node)) node = index.producer(node.inputs[0] ?? '');
    return node ? [node] : [];
  });
}

function addDescendants(index: GraphIndex, from: Node, into: Set<Node>): void {
  const stack = [...from.outputs];
  while (stack.length > 0) {
    for (const reader of index.consumers(stack.pop()!)) {
      if (into.has(reader)) continue;
      into.add(reader);
      stack.push(...reader.outputs);
    }
  }
}
