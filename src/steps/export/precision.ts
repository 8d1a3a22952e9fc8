/** What of a quantization plan goes into a Hailo model script: 16-bit layers and activation ranges, in its own commands. */
import { type Device, deviceReport, widened } from '../../devices';
import { integerLimits } from '../../numerics';
import type { Model, Node } from '../../onnx';
import type { TensorQuant } from '../types';

const hole = (node: string) => `{{${node}}}`;

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** One layer of the device: the node that names it, the values that it reads, and those that any of its nodes makes. */
interface DeviceLayer {
  readonly root: Node;
  readonly reads: readonly string[];
  readonly makes: readonly string[];
}

function layersOf(model: Model, device: Device): readonly DeviceLayer[] {
  const byName = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const groups = new Map<string, Node[]>();
  for (const { node, layer } of deviceReport(model, device).layers) {
    const found = byName.get(node);
    if (found) groups.set(layer, [...(groups.get(layer) ?? []), found]);
  }
  return [...groups].map(([layer, nodes]) => {
    const makes = nodes.flatMap(({ outputs }) => outputs);
    const constant = (name: string) => name === '' || model.graph.initializers.has(name);
    const reads = nodes.flatMap(({ inputs }) => inputs).filter((name) => !constant(name) && !makes.includes(name));
    return { root: byName.get(layer)!, reads, makes };
  });
}

export interface Precision {
  readonly lines: readonly string[];
  readonly notes: readonly string[];
}

/**
 * The plan's 16-bit activations as `quantization_param` commands. A layer that makes one from 8-bit inputs takes
 * a8_w8_a16; a layer that reads one computes in 16 bits (with 8-bit weights where the compiler has that mode). Widths
 * pass through Concat, Add and what only moves values; head outputs that the runtime joins all get one width.
 * @param model the exported network, whose values keep the plan's names
 * @param joined values that must have one type: the heads that suppression in the runtime reads; or none
 */
export function precisionCommands(model: Model, device: Device, plan: readonly TensorQuant[], joined: readonly string[]): Precision {
  const made = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs));
  const asked = plan.filter(({ role, dtype, tensor }) => role === 'activation' && dtype.endsWith('16') && made.has(tensor));
  if (asked.length === 0) return { lines: [], notes: [] };
  const start = new Set(asked.map(({ tensor }) => tensor));
  const heads = joined.some((name) => start.has(name)) ? joined : [];
  const wide = new Set(widened(model, device, [...start, ...heads]));
  const modes = device.precision.modes.value;
  const byMode = new Map<string, string[]>();
  for (const { root, reads, makes } of layersOf(model, device)) {
    const [wideIn, wideOut] = [reads.some((name) => wide.has(name)), makes.some((name) => wide.has(name))];
    if (!wideIn && !wideOut) continue;
    const narrowWeights = WEIGHTED.has(root.op) && modes.includes('a16_w8');
    const mode = !wideIn ? 'a8_w8_a16' : !narrowWeights ? 'a16_w16' : wideOut ? 'a16_w8_a16' : 'a16_w8';
    byMode.set(mode, [...(byMode.get(mode) ?? []), hole(root.name)]);
  }
  const more = [...wide].filter((name) => !start.has(name));
  const notes =
    more.length === 0
      ? []
      : [
          `${more.length} more tensors get 16 bits with those of the plan, because their operators can't change width or the runtime joins them.`,
        ];
  return { lines: [...byMode].map(([mode, names]) => `quantization_param([${names.join(', ')}], precision_mode=${mode})`), notes };
}

/** Digits that a range is written with. */
const DIGITS = 6;

/**
 * The plan's activation ranges as manual clipping, one command a layer with weights. Equalization is switched off with
 * them: it rescales channels, after which a range of the float network's values means nothing.
 */
export function rangeCommands(model: Model, device: Device, plan: readonly TensorQuant[]): readonly string[] {
  const planned = new Map(plan.filter(({ role }) => role === 'activation').map((quant) => [quant.tensor, quant]));
  const lines = layersOf(model, device).flatMap(({ root, makes }) => {
    const quant = WEIGHTED.has(root.op) ? makes.map((name) => planned.get(name)).find((q) => q?.scale.length === 1) : undefined;
    if (!quant) return [];
    const [scale, zero] = [quant.scale[0]!, quant.zeroPoint[0]!];
    const [low, high] = integerLimits(quant.dtype).map((q) => Number(((q - zero) * scale).toPrecision(DIGITS)));
    return [
      `pre_quantization_optimization(activation_clipping, layers=[${hole(root.name)}], mode=manual, clipping_values=[${low}, ${high}])`,
    ];
  });
  return lines.length === 0 ? [] : ['pre_quantization_optimization(equalization, policy=disabled)', ...lines];
}
