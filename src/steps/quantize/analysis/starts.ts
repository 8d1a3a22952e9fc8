/** Where a network can be entered half way, given the values that cross there: what lies before need not be run again. */
import { type Graph, inferShapes, type Model, reads, type ValueInfo } from '../../../onnx';

export interface Start {
  /** Index of the first node that is run. */
  readonly node: number;
  /** Values of the part before that the rest reads, with the types that they have. */
  readonly crossing: readonly ValueInfo[];
}

/** Shares of the work that lie before each start. */
const SHARES = [0.2, 0.4, 0.55, 0.7, 0.8, 0.9];
/** How far from its share a start may lie to cross fewer values. */
const SLACK = 0.05;
/** Values that may cross: they are kept for every image. */
const MOST_ELEMENTS = 4e6;
/** Below this many nodes a network is quick anyway. */
const FEWEST_NODES = 40;

function elements(info: ValueInfo | undefined): number {
  return (info?.shape ?? []).reduce<number>((product, d) => product * (typeof d === 'number' ? d : 1), 1);
}

/** Values made before node `at` (or graph inputs) that a node from there on reads. */
function crossingAt(graph: Graph, at: number): readonly string[] {
  const before = new Set([...graph.inputs.map(({ name }) => name), ...graph.nodes.slice(0, at).flatMap(({ outputs }) => outputs)]);
  return [...new Set(graph.nodes.slice(at).flatMap(reads))].filter((name) => before.has(name));
}

/** Good places to enter, in graph order; none where values of unknown type would cross. */
export function findStarts(model: Model): readonly Start[] {
  const { graph } = model;
  if (graph.nodes.length < FEWEST_NODES) return [];
  const shapes = inferShapes(model);
  const cost = graph.nodes.map(({ outputs }) => outputs.reduce((sum, name) => sum + elements(shapes.get(name)), 0));
  const total = cost.reduce((a, b) => a + b, 0);
  let done = 0;
  const shares = cost.map((own) => {
    const share = done / total;
    done += own;
    return share;
  });
  const starts: Start[] = [];
  for (const wanted of SHARES) {
    let best: { start: Start; size: number } | null = null;
    for (let node = (starts.at(-1)?.node ?? 0) + 1; node < graph.nodes.length; node++) {
      if (Math.abs(shares[node]! - wanted) > SLACK) continue;
      const crossing = crossingAt(graph, node).map((name) => shapes.get(name));
      if (crossing.some((info) => !info?.dtype)) continue;
      const size = crossing.reduce((sum, info) => sum + elements(info), 0);
      if (size <= MOST_ELEMENTS && (!best || size < best.size)) best = { start: { node, crossing: crossing as ValueInfo[] }, size };
    }
    if (best) starts.push(best.start);
  }
  return starts;
}
