/**
 * Cuts a network into stages, so that layers can be solved in graph order while every node runs once per image: layers
 * of one stage depend on solved layers of earlier stages only, and each stage is a network of its own on kept values.
 */
import { type Model, type Node, reads, withGraph } from '../../onnx';
import type { RunTensor } from '../../runtime';

/** Node name → the stage that runs it. */
export type Schedule = ReadonlyMap<string, number>;

/**
 * @param solved nodes whose weights change: they run one stage after the one that shows their input
 */
export function schedule(model: Model, solved: ReadonlySet<string>): Schedule {
  const values = new Map<string, number>();
  const nodes = new Map<string, number>();
  for (const node of model.graph.nodes) {
    const ready = Math.max(0, ...reads(node).map((name) => values.get(name) ?? 0));
    const stage = solved.has(node.name) ? ready + 1 : ready;
    nodes.set(node.name, stage);
    for (const name of node.outputs) values.set(name, stage);
  }
  return nodes;
}

export interface Segment {
  readonly nodes: readonly Node[];
  /** Values kept from earlier stages, or inputs of the network. */
  readonly inputs: readonly string[];
  /** Values that later stages read. */
  readonly kept: readonly string[];
  /** Kept values that no later stage reads. */
  readonly spent: readonly string[];
}

/** Values in 8 bits are kept, and expanded again by whoever reads them: a quarter of the memory. */
function isExpansion(model: Model, node: Node): boolean {
  return node.op === 'DequantizeLinear' && !model.graph.initializers.has(node.inputs[0]!);
}

/**
 * @param stages as many as `wanted` has
 * @param wanted values to be computed by each stage
 * @returns one segment a stage; nodes that no wanted value depends on are in none
 */
export function segments(model: Model, stageOf: (node: Node) => number, wanted: readonly (readonly string[])[]): readonly Segment[] {
  const { graph } = model;
  const order = new Map(graph.nodes.map((node, i) => [node, i]));
  const maker = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const live = new Set(wanted.flat());
  const needed = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => name !== '' && live.has(name))) continue;
    needed.add(node);
    for (const name of reads(node)) live.add(name);
  }
  const drafts = wanted.map((targets, stage) => {
    const own = new Set([...needed].filter((node) => stageOf(node) === stage && !isExpansion(model, node)));
    const nodes = new Set(own);
    const inputs = new Set<string>();
    const visit = (name: string): void => {
      const node = maker.get(name);
      if (name === '' || graph.initializers.has(name) || (node && own.has(node))) return;
      if (node && isExpansion(model, node)) {
        nodes.add(node);
        for (const read of reads(node)) visit(read);
      } else inputs.add(name);
    };
    for (const node of own) reads(node).forEach(visit);
    targets.forEach(visit);
    return { nodes: [...nodes].sort((a, b) => order.get(a)! - order.get(b)!), own, inputs };
  });
  const lastRead = new Map<string, number>();
  drafts.forEach(({ inputs }, stage) => {
    for (const name of inputs) lastRead.set(name, stage);
  });
  return drafts.map(({ nodes, own, inputs }, stage) => ({
    nodes,
    inputs: [...inputs],
    kept: [...own].flatMap((node) => node.outputs.filter((name) => (lastRead.get(name) ?? -1) > stage)),
    spent: [...inputs].filter((name) => lastRead.get(name) === stage),
  }));
}

/**
 * A segment as a network.
 * @param values the tensors that its inputs will be fed with: their types and shapes are declared
 * @param outputs what it must give besides the kept values
 */
export function segmentModel(
  model: Model,
  segment: Segment,
  values: Readonly<Record<string, RunTensor>>,
  outputs: readonly string[],
): Model {
  const initializers = new Map(
    segment.nodes.flatMap(reads).flatMap((name) => {
      const found = model.graph.initializers.get(name);
      return found ? [[name, found] as const] : [];
    }),
  );
  const inputs = Object.entries(values).map(([name, { dtype, dims }]) => ({ name, dtype, shape: dims }));
  return withGraph(model, {
    inputs,
    nodes: segment.nodes,
    initializers,
    outputs: [...new Set([...segment.kept, ...outputs])].map((name) => ({ name, dtype: null, shape: null })),
    valueInfo: new Map(),
  });
}
