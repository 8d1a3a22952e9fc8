/** What a device makes of a network, node by node. */
import { consumers, type Model, type Node, opType, producers } from '../onnx';
import type { Device, DeviceFinding, Finding, NodeView } from './types';

export interface CheckOptions {
  /** Nodes at which the exporter cuts: what stands behind them runs on the host. */
  readonly cutAt?: readonly string[];
}

function viewOf(model: Model): NodeView {
  const { graph } = model;
  const made = producers(graph);
  const read = consumers(graph);
  const constantDims = (name: string): readonly number[] | null => {
    const constant = graph.initializers.get(name);
    if (constant) return constant.dims;
    const value = made.get(name)?.attributes.value;
    return value?.type === 'tensor' ? value.value.dims : null;
  };
  const dims = (name: string) => {
    const info = graph.valueInfo.get(name) ?? [...graph.inputs, ...graph.outputs].find((value) => value.name === name);
    const shape = info?.shape;
    return shape?.every((d) => typeof d === 'number') ? (shape as readonly number[]) : null;
  };
  return { constantDims, producer: (name) => made.get(name), consumers: (name) => read.get(name) ?? [], dims };
}

/** Names of the nodes that the cut keeps: the cut nodes and everything before them. */
function keptNodes(model: Model, view: NodeView, cutAt: readonly string[]): ReadonlySet<string> {
  const byName = new Map(model.graph.nodes.map((n) => [n.name, n]));
  const kept = new Set<string>();
  const waiting = cutAt.flatMap((name) => byName.get(name) ?? []);
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

function checkInputs(model: Model): DeviceFinding[] {
  return model.graph.inputs.flatMap(({ name, dtype, shape }) => {
    const found = (reason: string, advice: string): DeviceFinding => ({ node: name, op: 'input', state: 'unsupported', reason, advice });
    const findings: DeviceFinding[] = [];
    if (!shape?.every((d) => typeof d === 'number' && d > 0))
      findings.push(
        found(`The input's shape is [${shape?.join(', ') ?? '?'}]; the compiler wants fixed sizes.`, 'Fix the dimensions first.'),
      );
    else if (shape[0] !== 1) findings.push(found(`The input's batch is ${shape[0]}; the compiler wants 1.`, 'Export with batch 1.'));
    if (dtype !== 'float32')
      findings.push(found(`The input is ${dtype ?? 'not a tensor'}; the parser wants float32.`, 'Export a float model.'));
    return findings;
  });
}

function checkNode(node: Node, device: Device, view: NodeView): Finding | null {
  const op = opType(node);
  if (!op) {
    const name = node.domain ? `${node.domain}.${node.op}` : node.op;
    return { state: 'unsupported', reason: `The operator ${name} is unknown.`, advice: 'Replace it, or cut the network before it.' };
  }
  const special = device.checks[op]?.(node, view);
  if (special) return special;
  const { state, reason, advice } = device.operators[op];
  return state === 'runs' ? null : { state, reason, advice };
}

/**
 * Everything that doesn't simply run, in graph order; a node without a finding runs as it is. State 'runs' with a
 * finding means: outside of what is known to work.
 *
 * @example
 * checkDevice(model, DEVICES.hailo8, { cutAt: ['Conv_303', 'Sigmoid_305', …] });
 * // [{ node: 'Concat_21', op: 'Concat', state: 'runs differently', reason: 'All its inputs share the scale of its output.', … }]
 */
export function checkDevice(model: Model, device: Device, options: CheckOptions = {}): DeviceFinding[] {
  const view = viewOf(model);
  const kept = options.cutAt?.length ? keptNodes(model, view, options.cutAt) : null;
  const findings = model.graph.nodes.flatMap((node): DeviceFinding[] => {
    if (kept && !kept.has(node.name))
      return [{ node: node.name, op: node.op, state: 'falls back', reason: 'It stands behind the cut and runs on the host.', advice: '' }];
    const finding = checkNode(node, device, view);
    return finding ? [{ node: node.name, op: node.op, ...finding }] : [];
  });
  return [...checkInputs(model), ...findings];
}
