/** Finds the layers of a network: nodes with weights (or sums, pools…) with what is fused to each. */
import type { DetectorSpec } from '../../models';
import type { Graph, Node } from '../../onnx';
import { type GraphIndex, indexGraph } from './graph-index';
import { fuseActivation } from './patterns';
import type { QuantLayer } from './plan-types';
import { opKind } from './rules';
import { findTail, isLayer } from './tail';

/** Operators whose output stage takes an activation too. */
const FUSABLE = new Set(['Add', 'Sub', 'Mul', 'BatchNormalization', 'AveragePool', 'GlobalAveragePool']);

export interface Layering {
  readonly index: GraphIndex;
  readonly tail: ReadonlySet<Node>;
  /** Nodes inside a layer: their inputs and outputs, but for the pattern's own, are not quantized. */
  readonly absorbed: ReadonlySet<Node>;
  /** Node → the value that leaves its pattern. */
  readonly exits: ReadonlyMap<Node, string>;
  readonly layers: readonly QuantLayer[];
  /** MatMul node → the Add that gives it its bias. */
  readonly biasAdds: ReadonlyMap<Node, Node>;
}

/** MatMul followed by Add of one constant per output feature, as exporters write a linear layer. */
function biasAdd(index: GraphIndex, node: Node): Node | null {
  if (node.op !== 'MatMul') return null;
  const next = index.soleConsumer(node.outputs[0]!);
  const features = index.constant(node.inputs[1]!)!.dims[1]!;
  if (next?.op !== 'Add' || next.domain !== '') return null;
  const bias = index.constant(next.inputs.find((name) => name !== node.outputs[0])!);
  return bias && bias.data.length === features && bias.dims.at(-1) === features ? next : null;
}

export function findLayers(graph: Graph, spec: DetectorSpec | null, fuseActivations: boolean): Layering {
  const index = indexGraph(graph);
  const tail = findTail(index, spec);
  const absorbed = new Set<Node>();
  const exits = new Map<Node, string>();
  const biasAdds = new Map<Node, Node>();
  const layers: QuantLayer[] = [];
  for (const node of graph.nodes) {
    const layer = isLayer(index, node);
    if (absorbed.has(node) || (!layer && (tail.has(node) || opKind(node) !== 'rescale'))) continue;
    const rawOutput = node.outputs[0]!;
    let output = rawOutput;
    const bias = layer ? biasAdd(index, node) : null;
    if (bias) {
      biasAdds.set(node, bias);
      absorbed.add(bias);
      output = bias.outputs[0]!;
    }
    if (fuseActivations && (layer || FUSABLE.has(node.op))) {
      const fused = fuseActivation(index, output, (n) => tail.has(n));
      for (const n of fused.nodes) absorbed.add(n);
      output = fused.output;
    }
    exits.set(node, output);
    if (layer) {
      const isHead = index.consumers(output).every((reader) => tail.has(reader));
      layers.push({ node: node.name, input: node.inputs[0]!, rawOutput, output, isHead });
    }
  }
  return { index, tail, absorbed, exits, layers, biasAdds };
}
