/** Order, names and references of a graph's nodes: sorted, unique, and every read value defined. */
import { StudioError } from '../numerics';
import type { Attribute, Graph, Node } from './graph';

/** The graphs inside a node's attributes (If, Loop, Scan). */
export function subgraphs(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap((a: Attribute) => (a.type === 'graph' ? [a.value] : a.type === 'graphs' ? a.value : []));
}

/** Values that a graph reads from outside itself. */
function captured(graph: Graph): Set<string> {
  const own = new Set([...graph.inputs.map((i) => i.name), ...graph.initializers.keys(), ...graph.nodes.flatMap((n) => n.outputs)]);
  const read = [...graph.nodes.flatMap(reads), ...graph.outputs.map((o) => o.name)];
  return new Set(read.filter((name) => !own.has(name)));
}

/** Every value that a node reads: its inputs that are present and what its subgraphs take from outside. */
export function reads(node: Node): readonly string[] {
  const inputs = node.inputs.filter((name) => name !== '');
  const inner = subgraphs(node);
  return inner.length === 0 ? inputs : [...inputs, ...inner.flatMap((g) => [...captured(g)])];
}

function cycleError(graph: string, a: Node, b: Node): StudioError {
  const where = a === b ? `"${a.name}" reads its own output` : `"${a.name}" and "${b.name}" each wait for the other's output`;
  return new StudioError('bad-model', `The graph${graph ? ` "${graph}"` : ''} has a cycle: ${where}.`, 'Export the model again.');
}

/**
 * Nodes in topological order; the given order where it is one already (same array), else the nearest depth-first one.
 * @throws StudioError 'bad-model' naming two nodes of a cycle, or a value that two nodes produce
 */
export function sortNodes(nodes: readonly Node[], graphName: string): readonly Node[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const output of node.outputs) {
      if (output === '') continue;
      const other = producer.get(output);
      if (other !== undefined)
        throw new StudioError(
          'bad-model',
          `"${nodes[other]!.name}" and "${node.name}" both produce "${output}".`,
          'Export the model again.',
        );
      producer.set(output, i);
    }
  });
  const needs = nodes.map((node) =>
    reads(node)
      .map((name) => producer.get(name))
      .filter((i) => i !== undefined),
  );
  if (needs.every((list, i) => list.every((j) => j < i))) return nodes;
  const sorted: Node[] = [];
  const state = new Uint8Array(nodes.length); // 0 new, 1 on the stack, 2 done
  for (let root = 0; root < nodes.length; root++) {
    if (state[root]) continue;
    const stack = [{ node: root, next: 0 }];
    state[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const need = needs[top.node]![top.next++];
      if (need === undefined) {
        state[top.node] = 2;
        sorted.push(nodes[top.node]!);
        stack.pop();
      } else if (state[need] === 1) throw cycleError(graphName, nodes[top.node]!, nodes[need]!);
      else if (state[need] === 0) {
        state[need] = 1;
        stack.push({ node: need, next: 0 });
      }
    }
  }
  return sorted;
}

/**
 * Every value that nodes and outputs read must be an input, an initializer, a node's output, or `outer`.
 * @throws StudioError 'bad-model' naming the reader and the value
 */
export function checkReferences(graph: Graph, outer: ReadonlySet<string>, alsoDefined: readonly string[]): void {
  const defined = new Set([
    ...outer,
    ...alsoDefined,
    ...graph.inputs.map((i) => i.name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((n) => n.outputs),
  ]);
  defined.delete(''); // An output that a node leaves out.
  for (const node of graph.nodes)
    for (const name of reads(node))
      if (!defined.has(name))
        throw new StudioError(
          'bad-model',
          `"${node.name}" (${node.op}) reads "${name}", which the file does not contain.`,
          'A weight or a node is missing: export the model again.',
        );
  for (const { name } of graph.outputs)
    if (!defined.has(name)) throw new StudioError('bad-model', `Output "${name}" is produced by no node.`, 'Export the model again.');
}
