/** What a device makes of a network, node by node. */
import { type Model, type Node, opType } from '../onnx';
import { fusedNodes } from './fusion';
import { type DetectorTail, detectorTail } from './tail';
import type { Device, DeviceFinding, Finding, LayerState, NodeView, OpState } from './types';
import { keptNodes, viewOf } from './view';

export interface CheckOptions {
  /** Nodes at which the exporter cuts: what stands behind them runs on the host. */
  readonly cutAt?: readonly string[];
  /** Values at which the network's branches end, where the caller knows them; otherwise they are found. */
  readonly ends?: readonly string[];
}

export interface DeviceReport {
  /** Every node, in graph order, behind the model's inputs that the device doesn't take. */
  readonly layers: readonly LayerState[];
  /** What doesn't simply run, the model's inputs first. */
  readonly findings: readonly DeviceFinding[];
  /** Nodes by state. */
  readonly counts: Readonly<Record<OpState, number>>;
}

function checkInputs(model: Model, device: Device): DeviceFinding[] {
  if (!device.staticShapes.value) return [];
  return model.graph.inputs.flatMap(({ name, dtype, shape }) => {
    const found = (reason: string, advice: string): DeviceFinding => ({ node: name, op: 'input', state: 'unsupported', reason, advice });
    const findings: DeviceFinding[] = [];
    if (!shape?.every((d) => typeof d === 'number' && d > 0))
      findings.push(
        found(
          `The input's shape is [${shape?.map((d) => d ?? '?').join(', ') ?? '?'}]; the compiler wants fixed sizes.`,
          'Fix the dimensions first.',
        ),
      );
    else if (shape[0] !== 1) findings.push(found(`The input's batch is ${shape[0]}; the compiler wants 1.`, 'Export with batch 1.'));
    if (dtype !== 'float32')
      findings.push(found(`The input is ${dtype ?? 'not a tensor'}; the parser wants float32.`, 'Export a float model.'));
    return findings;
  });
}

/** Inputs that hold sizes, by operator. */
const SIZES: ReadonlyMap<string, readonly number[]> = new Map(
  Object.entries({ Reshape: [1], Expand: [1], Tile: [1], Slice: [1, 2], Resize: [2, 3] }),
);

function computedSize(node: Node, device: Device, view: NodeView): Finding | null {
  const open = device.staticShapes.value && (SIZES.get(node.op) ?? []).some((i) => node.inputs[i] && !view.constantDims(node.inputs[i]!));
  if (!open) return null;
  return {
    state: 'unsupported',
    reason: 'Its sizes are computed at run time; the device wants them fixed.',
    advice: 'Fix the input size and fold constants: what computed sizes becomes constant.',
  };
}

function boxesAndScores(node: Node, device: Device, tail: DetectorTail): Finding | null {
  const boxes = tail.mixing.get(node);
  if (!boxes || !device.sharing.Concat) return null;
  const advice =
    tail.ends.length > 0
      ? `Cut the network at the ${tail.ends.length} ends of its branches and join them on the host.`
      : 'Give boxes and scores outputs of their own.';
  return {
    state: 'runs differently',
    reason:
      boxes === 'decoded'
        ? 'It joins boxes in pixels and scores under one scale: in 8 bits a score of 0…1 keeps about one level, and nothing is detected.'
        : 'It joins raw boxes and scores under one scale: scores keep only their part of the levels.',
    advice,
  };
}

/** What is special about the node as it stands; null where the operator's entry says all. */
function checkNode(node: Node, device: Device, view: NodeView, tail: DetectorTail): Finding | null {
  const op = opType(node);
  if (!op) {
    const name = node.domain ? `${node.domain}.${node.op}` : node.op;
    return { state: 'unsupported', reason: `The operator ${name} is unknown.`, advice: 'Replace it, or cut the network before it.' };
  }
  return boxesAndScores(node, device, tail) ?? computedSize(node, device, view) ?? device.checks[op]?.(node, view) ?? null;
}

const CURED: ReadonlySet<OpState> = new Set(['unsupported', 'falls back']);

/**
 * Every node of the network as the device runs it, with the reason, what to do, and the source; where ending the
 * network earlier cures it, `cut` says at which values: `cutAt(model, cut)`.
 *
 * @example
 * deviceReport(model, DEVICES.tflite).counts; // { runs: 214, 'runs differently': 139, 'falls back': 0, unsupported: 0 }
 */
export function deviceReport(model: Model, device: Device, options: CheckOptions = {}): DeviceReport {
  const view = viewOf(model);
  const kept = options.cutAt?.length ? keptNodes(model, view, options.cutAt) : null;
  const found = detectorTail(model, view, device.exports.ends.value === 'layer' ? 'layer' : 'sigmoid');
  const tail = options.ends ? { ...found, ends: options.ends } : found;
  const fused = fusedNodes(model, device, view);
  const inputs = checkInputs(model, device);
  const findings: DeviceFinding[] = [...inputs];
  const refused = inputs.map(
    (f): LayerState => ({ ...f, layer: f.node, mark: device.staticShapes.mark, source: device.staticShapes.source }),
  );
  const nodes = model.graph.nodes.map((node): LayerState => {
    const place = { node: node.name, op: node.op, layer: (fused.get(node) ?? node).name };
    if (kept && !kept.has(node.name)) {
      const behind = { state: 'falls back', reason: 'It stands behind the cut and runs on the host.', advice: '' } as const;
      findings.push({ node: node.name, op: node.op, ...behind });
      return { ...place, ...behind, mark: 'verified', source: 'the cut' };
    }
    const special = checkNode(node, device, view, tail);
    const op = opType(node);
    const entry = op ? device.operators[op] : null;
    const { state, reason, advice } = special ?? entry!;
    const cures = tail.ends.length > 0 && (tail.mixing.has(node) ? special !== null : tail.nodes.has(node) && CURED.has(state));
    const cut = cures ? { cut: tail.ends } : {};
    if (special || state !== 'runs') findings.push({ node: node.name, op: node.op, state, reason, advice, ...cut });
    const part = fused.has(node) && state === 'runs' ? `It is part of the layer "${place.layer}".` : reason;
    const sourced =
      special || !entry ? ({ mark: 'inferred', source: 'rule of the device' } as const) : { mark: entry.mark, source: entry.source };
    return { ...place, state, reason: part, advice, ...sourced, ...cut };
  });
  const layers = [...refused, ...nodes];
  const counts: Record<OpState, number> = { runs: 0, 'runs differently': 0, 'falls back': 0, unsupported: 0 };
  for (const { state } of layers) counts[state]++;
  return { layers, findings, counts };
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
  return [...deviceReport(model, device, options).findings];
}

/** {@link deviceReport}'s layers alone. */
export function checkLayers(model: Model, device: Device, options: CheckOptions = {}): readonly LayerState[] {
  return deviceReport(model, device, options).layers;
}
