/** Node names that every tool accepts. */
import { withGraph } from '../build';
import type { Model, Node } from '../graph';

const PLAIN = /^[A-Za-z0-9_./]+$/;

/** Every node gets a unique name of letters, digits and _ . / (others become _); plain ones stay as they are. */
export function nameNodes(model: Model): Model {
  const { nodes } = model.graph;
  const taken = new Set<string>();
  const plain = nodes.map(({ name }) => {
    if (!PLAIN.test(name) || taken.has(name)) return null;
    taken.add(name);
    return name;
  });
  if (plain.every((name) => name !== null)) return model;
  const rename = (node: Node, i: number): Node => {
    if (plain[i] !== null) return node;
    const base = node.name.replace(/[^A-Za-z0-9_./]/g, '_') || `${node.op.replace(/[^A-Za-z0-9_]/g, '_')}_${i}`;
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
    taken.add(name);
    return { ...node, name };
  };
  return withGraph(model, { nodes: nodes.map(rename) });
}
