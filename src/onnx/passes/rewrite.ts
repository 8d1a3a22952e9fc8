/** Renaming and fresh names: the common part of the passes. */
import type { Attribute, Graph, Node } from '../graph';
import { subgraphs } from '../topology';

/** A node with its subgraphs replaced by `map` of them. */
export function mapSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  if (subgraphs(node).length === 0) return node;
  const entries = Object.entries(node.attributes).map(([key, a]): [string, Attribute] => {
    if (a.type === 'graph') return [key, { ...a, value: map(a.value) }];
    return [key, a.type === 'graphs' ? { ...a, value: a.value.map(map) } : a];
  });
  return { ...node, attributes: Object.fromEntries(entries) };
}

/** Renames what nodes read, in subgraphs too unless they define the name themselves; shares nodes that don't change. */
export function renameReads(nodes: readonly Node[], names: ReadonlyMap<string, string>): readonly Node[] {
  if (names.size === 0) return nodes;
  const to = (name: string) => names.get(name) ?? name;
  return nodes.map((node) => {
    const inner = mapSubgraphs(node, (graph) => {
      const own = new Set([...graph.initializers.keys(), ...graph.inputs.map((i) => i.name), ...graph.nodes.flatMap((n) => n.outputs)]);
      const visible = new Map([...names].filter(([name]) => !own.has(name)));
      const outputs = graph.outputs.map((o) => ({ ...o, name: visible.get(o.name) ?? o.name }));
      return { ...graph, nodes: renameReads(graph.nodes, visible), outputs };
    });
    return inner.inputs.some((name) => names.has(name)) ? { ...inner, inputs: inner.inputs.map(to) } : inner;
  });
}

/** Every value and node name of a graph and its subgraphs. */
function allNames(graph: Graph): string[] {
  return [
    ...graph.inputs.map((i) => i.name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((n) => [n.name, ...n.outputs, ...subgraphs(n).flatMap(allNames)]),
  ];
}

/** Gives names that aren't in `taken` and puts them there, each call another: `base`, `base_2`, … */
export function uniqueNames(taken: Set<string>): (base: string) => string {
  const last = new Map<string, number>();
  return (base) => {
    let n = last.get(base) ?? 1;
    let name = n === 1 ? base : `${base}_${n}`;
    while (taken.has(name)) name = `${base}_${++n}`;
    last.set(base, n);
    taken.add(name);
    return name;
  };
}

/** Gives names that the graph doesn't use, each call another: `base`, `base_2`, … */
export function freshNames(graph: Graph): (base: string) => string {
  return uniqueNames(new Set(allNames(graph)));
}
