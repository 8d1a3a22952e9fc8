/** Walks a graph once, in order, and collects how its channels hang together. */
import { attrTensor, type Model, type Node, opType, reads, subgraphs, type Tensor } from '../../onnx';
import { COUPLING_RULES } from './rules';
import { createSpace, fixLabels } from './space';
import { fix, fixInputs, nodeText, type RuleContext, type Trace } from './trace';

export type Dims = (value: string) => readonly (number | null)[] | null;

/** Constants by name: initializers and the outputs of Constant nodes. */
export function constants(model: Model): ReadonlyMap<string, Tensor> {
  const found = new Map(model.graph.initializers);
  for (const node of model.graph.nodes) {
    const tensor = node.op === 'Constant' && node.domain === '' ? attrTensor(node, 'value') : undefined;
    if (tensor) found.set(node.outputs[0]!, tensor);
  }
  return found;
}

/** Nodes whose outputs keep every channel, by name. */
function protectOutputs(trace: Trace, node: Node, reason: string): void {
  for (const output of node.outputs)
    for (const labels of trace.layouts.get(output)?.labels ?? []) if (labels) fixLabels(trace.space, labels, reason);
}

/** What subgraphs read from outside is beyond the rules. */
function fixCaptured(cx: RuleContext): void {
  for (const name of reads(cx.node))
    for (const labels of cx.trace.layouts.get(name)?.labels ?? []) fix(cx, labels, `${nodeText(cx.node)} reads them in a subgraph`);
}

/**
 * @param dims sizes of every value, as far as they are known
 * @param sizes the same with open sizes assumed, to weigh layers against each other
 * @param protectedNodes names of nodes that keep their output channels
 */
export function traceModel(model: Model, dims: Dims, sizes: Dims, protectedNodes: ReadonlySet<string>): Trace {
  const { graph } = model;
  const known = constants(model);
  const trace: Trace = { model, space: createSpace(), layouts: new Map(), edits: [], layers: [] };
  graph.nodes.forEach((node, index) => {
    const cx: RuleContext = {
      node,
      index,
      opset: model.opsets[''] ?? 1,
      trace,
      constant: (input) => known.get(node.inputs[input] ?? ''),
      dims: (value) => known.get(value)?.dims ?? dims(value),
      sizes: (value) => known.get(value)?.dims ?? sizes(value) ?? [],
    };
    const op = opType(node);
    if (subgraphs(node).length > 0) fixCaptured(cx);
    else if (op) COUPLING_RULES[op](cx);
    else fixInputs(cx, `${nodeText(node)} isn't known to the pruner`);
    if (protectedNodes.has(node.name)) protectOutputs(trace, node, `${nodeText(node)} is protected`);
  });
  for (const output of graph.outputs)
    for (const labels of trace.layouts.get(output.name)?.labels ?? [])
      if (labels) fixLabels(trace.space, labels, `they are the output "${output.name}"`);
  return trace;
}
