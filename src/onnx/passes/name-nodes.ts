/** Node names that every tool accepts. */
import { withGraph } from '../build';
import type { Model, Node } from '../graph';
import { uniqueNames } from './rewrite';

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
  const fresh = uniqueNames(taken);
  const rename = (node: Node, i: number): Node => {
    if (plain[i] !== null) return node;
    const base = node.name.replace(/[^A-Za-z0-9_./]/g, '_') || `${node.op.replace(/[^A-Za-z0-9_]/g, '_')}_${i}`;
    return { ...node, name: fresh(base) };
  };
  return withGraph(model, { nodes: nodes.map(rename) });
}
