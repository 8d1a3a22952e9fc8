/** A network as the checks look at it. */
import { consumers, type Model, type Node, producers, type Tensor, toNumbers } from '../onnx';
import type { NodeView } from './types';

export function viewOf(model: Model): NodeView {
  const { graph } = model;
  const made = producers(graph);
  const read = consumers(graph);
  const values = new Map([...graph.inputs, ...graph.outputs].map((value) => [value.name, value]));
  const constant = (name: string): Tensor | null => {
    const stored = graph.initializers.get(name);
    if (stored) return stored;
    const value = made.get(name)?.attributes.value;
    return value?.type === 'tensor' ? value.value : null;
  };
  const dims = (name: string) => {
    const shape = (graph.valueInfo.get(name) ?? values.get(name))?.shape;
    return shape?.every((d) => typeof d === 'number') ? (shape as readonly number[]) : null;
  };
  return {
    constantDims: (name) => constant(name)?.dims ?? null,
    constantValues: (name) => {
      const found = constant(name);
      return found ? Array.from(toNumbers(found)) : null;
    },
    producer: (name) => made.get(name),
    consumers: (name) => read.get(name) ?? [],
    dims,
  };
}

/** Names of the nodes that a cut keeps: the cut nodes and everything before them. */
export function keptNodes(model: Model, view: NodeView, cutAt: readonly string[]): ReadonlySet<string> {
  const byName = new Map(model.graph.nodes.map((n) => [n.name, n]));
  const kept = new Set<string>();
  const waiting: Node[] = cutAt.flatMap((name) => byName.get(name) ?? []);
  for (let n = waiting.pop(); n; n = waiting.pop()) {
    if (kept.has(n.name)) continue;
    kept.add(n.name);
    for (const input of n.inputs) {
      const before = view.producer(input);
      if (before) waiting.push(before);
    }
  }
  return kept;
}
