/** Residual branches: x + f(x) where f reads nothing but x and only the sum reads f, so that f can go and x stays. */
import { type Model, type Node, producers, reads, subgraphs, withGraph } from '../../onnx';
import { type Region, regions } from './regions';
import type { Trace } from './trace';
import { constants } from './trace-model';

export interface Branch {
  /** Index of the Add in the graph's nodes, its name and its output. */
  readonly sum: number;
  readonly name: string;
  readonly output: string;
  readonly region: Region;
  /** Which input of the Add is the branch. */
  readonly side: number;
  /** The branch's output and what it is added to. */
  readonly value: string;
  readonly trunk: string;
  /** Size of the branch's output on axis 1, and its rank. */
  readonly channels: number;
  readonly rank: number;
  /** Indices of the nodes that go: the branch and the Add. */
  readonly nodes: ReadonlySet<number>;
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Nodes that lead from `trunk` to `value`; null where anything else leads there too. */
function between(
  value: string,
  trunk: string,
  producer: ReadonlyMap<string, Node>,
  fixed: (name: string) => boolean,
): ReadonlySet<Node> | null {
  const found = new Set<Node>();
  const stack = [value];
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    if (name === trunk || name === '' || fixed(name)) continue;
    const node = producer.get(name);
    if (!node || subgraphs(node).length > 0) return null;
    if (found.has(node)) continue;
    found.add(node);
    stack.push(...reads(node));
  }
  return found;
}

/**
 * Every residual branch of a network, in graph order.
 * @param protectedNodes names of nodes that no branch may contain
 */
export function residualBranches(trace: Trace, protectedNodes: ReadonlySet<string> = new Set()): Branch[] {
  const { graph } = trace.model;
  const producer = producers(graph);
  const known = constants(trace.model);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const region = regions(trace.model);
  const index = new Map(graph.nodes.map((node, i) => [node, i]));
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) for (const name of new Set(reads(node))) readers.set(name, [...(readers.get(name) ?? []), node]);

  const branchAt = (add: Node, side: number): Branch | null => {
    const [value, trunk] = [add.inputs[side]!, add.inputs[1 - side]!];
    const [own, other] = [trace.layouts.get(value), trace.layouts.get(trunk)];
    if (!own || !other || own.dims.length < 2 || own.dims.join() !== other.dims.join()) return null;
    const channels = own.dims[1];
    const nodes = between(value, trunk, producer, (name) => known.has(name));
    if (!nodes || typeof channels !== 'number' || ![...nodes].some(({ op }) => WEIGHTED.has(op))) return null;
    if ([...nodes].some(({ name }) => protectedNodes.has(name))) return null;
    const inside = (name: string): boolean =>
      !outputs.has(name) && (readers.get(name) ?? []).every((node) => nodes.has(node) || (node === add && name === value));
    if (![...nodes].every((node) => node.op === 'Constant' || node.outputs.every(inside))) return null;
    return {
      sum: index.get(add)!,
      name: add.name,
      output: add.outputs[0]!,
      region: region.get(add.name) ?? 'backbone',
      side,
      value,
      trunk,
      channels,
      rank: own.dims.length,
      nodes: new Set([...nodes, add].filter(({ op }) => op !== 'Constant').map((node) => index.get(node)!)),
    };
  };
  return graph.nodes.flatMap((add) => {
    const simple = add.op === 'Add' && add.domain === '' && add.inputs[0] !== add.inputs[1] && !outputs.has(add.outputs[0]!);
    if (!simple || protectedNodes.has(add.name) || add.inputs.some((name) => known.has(name))) return [];
    const found = branchAt(add, 0) ?? branchAt(add, 1);
    return found ? [found] : [];
  });
}

/** Values that are gone with the branches, and what stands in their place. */
export function replacements(branches: readonly Branch[]): ReadonlyMap<string, string> {
  const instead = new Map(branches.map(({ output, trunk }) => [output, trunk]));
  const standing = (name: string): string => {
    const next = instead.get(name);
    return next === undefined ? name : standing(next);
  };
  return new Map([...instead].map(([output, trunk]) => [output, standing(trunk)]));
}

/**
 * The model without these branches; whoever read a sum reads its trunk.
 * @param source the model that the branches were found in: its nodes have the same names
 */
export function removeBranches(model: Model, branches: readonly Branch[], source: Model): Model {
  if (branches.length === 0) return model;
  const gone = new Set(branches.flatMap(({ nodes }) => [...nodes].map((at) => source.graph.nodes[at]!.name)));
  const instead = replacements(branches);
  const nodes = model.graph.nodes
    .filter(({ name }) => !gone.has(name))
    .map((node) => ({ ...node, inputs: node.inputs.map((name) => instead.get(name) ?? name) }));
  const read = new Set([...nodes.flatMap(reads), ...model.graph.outputs.map(({ name }) => name)]);
  return withGraph(model, {
    nodes: nodes.filter((node) => node.op !== 'Constant' || node.outputs.some((name) => read.has(name))),
    initializers: new Map([...model.graph.initializers].filter(([name]) => read.has(name))),
    valueInfo: new Map(),
  });
}
