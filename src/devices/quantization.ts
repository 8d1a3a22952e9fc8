/** What a device makes of a quantization: of a plan (ours, or read from a QDQ network), or of the options alone. */
import type { Model, Node, OpType } from '../onnx';
import { siluOf } from './patterns';
import type { Device, DeviceFinding, NodeView, OptionValue } from './types';
import { viewOf } from './view';
import { activationsOf, keepsWidth, sourceOf } from './widths';

/** How one tensor is quantized; the quantize step's TensorQuant is one. */
export interface PlannedTensor {
  readonly tensor: string;
  readonly role: 'weight' | 'bias' | 'activation';
  readonly dtype: string;
  /** One entry, or one per slice along an axis. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  /** Tensor whose scale this one has, else null. */
  readonly sharesWith: string | null;
}

export interface Quantization {
  readonly plan?: readonly PlannedTensor[];
  /** Options of the quantize step. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

class Checker {
  readonly findings: DeviceFinding[] = [];
  readonly view: NodeView;
  readonly activations: ReadonlyMap<string, PlannedTensor>;
  readonly weights: ReadonlyMap<string, PlannedTensor>;

  constructor(
    readonly model: Model,
    readonly device: Device,
    plan: readonly PlannedTensor[],
  ) {
    this.view = viewOf(model);
    this.activations = new Map(plan.filter((t) => t.role === 'activation').map((t) => [t.tensor, t]));
    this.weights = new Map(plan.filter((t) => t.role === 'weight').map((t) => [t.tensor, t]));
  }

  at(node: Node, finding: Omit<DeviceFinding, 'node' | 'op'>): void {
    this.findings.push({ node: node.name, op: node.op, ...finding });
  }

  /** A finding at what makes the value: its node, or the input. */
  value(name: string, finding: Omit<DeviceFinding, 'node' | 'op'>): void {
    const maker = this.view.producer(name);
    this.findings.push({ node: maker?.name ?? name, op: maker?.op ?? 'input', ...finding });
  }

  wide(name: string): boolean | null {
    const planned = this.activations.get(name);
    return planned ? planned.dtype.endsWith('16') : null;
  }
}

function perChannelActivations(c: Checker): void {
  if (c.device.scheme.activationGranularity.value !== 'per-tensor') return;
  const float = c.device.exports.bundle === 'onnx';
  for (const { tensor, scale } of c.activations.values()) {
    if (scale.length < 2) continue;
    c.value(tensor, {
      state: float ? 'runs differently' : 'unsupported',
      reason: `Its activation has ${scale.length} scales, one per channel; the device has one per tensor${float ? ', so what reads it computes in float' : ''}.`,
      advice: 'Quantize activations per tensor, and even the channels out in the weights (equalization) instead.',
    });
  }
}

function sixteenBits(c: Checker): void {
  const { sixteenBit } = c.device.precision;
  const planned = [...c.activations.values()];
  const wide = planned.filter(({ dtype }) => dtype.endsWith('16'));
  if (wide.length === 0) return;
  const scope = sixteenBit.scope.value;
  if (scope === 'network' && wide.length < planned.length) {
    for (const { tensor } of wide)
      c.value(tensor, {
        state: 'falls back',
        reason: `It has 16 bits where ${planned.length - wide.length} other tensors have 8: the delegate drops a mixed graph to the CPU. ${sixteenBit.note}`,
        advice: 'Keep every activation in 8 bits, or put all of them in 16.',
      });
  } else if (scope !== 'layer') {
    const state = scope === 'none' ? 'unsupported' : 'falls back';
    c.findings.push({ node: '*', op: 'network', state, reason: sixteenBit.note, advice: 'Keep activations in 8 bits.' });
  } else if (c.device.exports.bundle === 'onnx') {
    for (const { tensor } of wide) c.value(tensor, { state: 'runs differently', reason: sixteenBit.note, advice: '' });
  }
}

/** Concat, shortcut and what moves values: 16 in, 16 out. */
function uniformWidths(c: Checker): void {
  if (c.device.precision.sixteenBit.scope.value !== 'layer') return;
  for (const node of c.model.graph.nodes) {
    if (!keepsWidth(node, c.device) || !c.device.precision.uniform.value.includes(node.op as OpType)) continue;
    const values = activationsOf(node, c.view).filter((name) => c.wide(name) !== null);
    const narrow = values.filter((name) => !c.wide(name));
    if (narrow.length === 0 || narrow.length === values.length) continue;
    c.at(node, {
      state: 'unsupported',
      reason: `${node.op} can't change width, but ${values.length - narrow.length} of its ${values.length} tensors have 16 bits and ${narrow.length} ${narrow.length === 1 ? 'has' : 'have'} 8.`,
      advice: `Give 16 bits to ${narrow.map((name) => `"${name}"`).join(', ')} too: the layers that make them take a8_w8_a16.`,
    });
  }
}

function floatLayers(c: Checker): void {
  if (c.weights.size === 0) return;
  const { scope, note } = c.device.precision.float;
  for (const node of c.model.graph.nodes) {
    const weight = sourceOf(c.view, node.inputs[1] ?? '');
    const stays = LAYERS.has(node.op) && node.domain === '' && c.view.constantDims(weight) !== null && !c.weights.has(weight);
    if (!stays) continue;
    const state = scope.value === 'none' ? 'unsupported' : c.device.exports.bundle === 'onnx' ? 'runs differently' : 'falls back';
    c.at(node, { state, reason: `The plan leaves it in float. ${note}`, advice: state === 'runs differently' ? '' : 'Quantize it too.' });
  }
}

function asymmetricWeights(c: Checker): void {
  if (c.device.exports.bundle === 'onnx' || !c.device.scheme.weightSymmetric.value) return;
  for (const node of c.model.graph.nodes) {
    const weight = LAYERS.has(node.op) ? c.weights.get(sourceOf(c.view, node.inputs[1] ?? '')) : undefined;
    if (!weight?.zeroPoint.some((z) => z !== 0)) continue;
    c.at(node, {
      state: 'runs differently',
      reason: 'Its weights have a zero point; the device has symmetric weights and will choose others.',
      advice: 'Quantize weights symmetrically (zero point 0).',
    });
  }
}

function oneSiluForThree(c: Checker, fusedByOption: boolean): void {
  if (c.device.scheme.fusesActivation.value) return;
  for (const node of c.model.graph.nodes) {
    const sigmoid = siluOf(node, c.view);
    if (!sigmoid) continue;
    const fused = c.activations.size > 0 ? c.activations.has(node.outputs[0]!) && !c.activations.has(sigmoid.outputs[0]!) : fusedByOption;
    if (!fused) continue;
    const onnx = c.device.exports.bundle === 'onnx';
    c.at(node, {
      state: 'runs differently',
      reason: onnx
        ? 'SiLU is quantized as one with its convolution, so both compute in float between the pairs.'
        : 'The plan quantizes SiLU as one with its convolution; this device quantizes convolution, sigmoid and product apart, so the studio’s figures are too good.',
      advice: onnx ? 'It costs speed, not accuracy.' : 'Switch "fuseActivations" off to see what the device will do.',
    });
  }
}

function ownConcatScales(c: Checker, requantized: boolean): void {
  if (!c.device.sharing.Concat) return;
  for (const node of c.model.graph.nodes) {
    if (node.op !== 'Concat') continue;
    const planned = activationsOf(node, c.view).flatMap((name) => c.activations.get(name) ?? []);
    const scales = new Set(planned.map(({ scale, zeroPoint }) => `${scale.join()}|${zeroPoint.join()}`));
    if (c.activations.size > 0 ? scales.size < 2 : !requantized) continue;
    c.at(node, {
      state: 'runs differently',
      reason: 'The plan keeps a scale for each of its inputs; the device has one for all, so the studio’s figures are too good.',
      advice: 'Set "concat" to "shared".',
    });
  }
}

function optionsAlone(c: Checker, options: Readonly<Record<string, unknown>>): void {
  const network = (reason: string, advice: string, state: DeviceFinding['state'] = 'runs differently') =>
    c.findings.push({ node: '*', op: 'network', state, reason, advice });
  const { sixteenBit } = c.device.precision;
  const mixed = options.sixteenBit !== undefined && options.sixteenBit !== 'off';
  if (mixed && c.activations.size === 0 && sixteenBit.scope.value !== 'layer')
    network(sixteenBit.note, 'Set "sixteenBit" to "off".', sixteenBit.scope.value === 'none' ? 'unsupported' : 'falls back');
  if (c.device.exports.bundle === 'tflite' && (options.clipping === 'task' || (options.calibrator ?? 'minmax') !== 'minmax'))
    network(
      'The converter takes minimum and maximum of the calibration set as ranges; the studio’s clipped ranges do not reach the file.',
      'Set "calibrator" to "minmax" and "clipping" to "calibrator" to see what the device will do.',
    );
}

/**
 * What of a quantization the device can't do, or does otherwise than the studio's figures assume.
 * @param model the network that was planned on, float or QDQ
 * @param what a plan, options, or both; a plan says more
 *
 * @example
 * checkQuantization(float, DEVICES.tflite, { plan: quant.plan, options });
 */
export function checkQuantization(model: Model, device: Device, { plan = [], options = {} }: Quantization): DeviceFinding[] {
  const c = new Checker(model, device, plan);
  perChannelActivations(c);
  sixteenBits(c);
  uniformWidths(c);
  floatLayers(c);
  asymmetricWeights(c);
  oneSiluForThree(c, options.fuseActivations === true);
  ownConcatScales(c, options.concat === 'requantize');
  optionsAlone(c, options);
  return c.findings;
}

/** The plan that a QDQ network carries: one entry per QuantizeLinear and per quantized constant. */
export function planOfQdq(model: Model): readonly PlannedTensor[] {
  const view = viewOf(model);
  const { initializers } = model.graph;
  return model.graph.nodes.flatMap((node): PlannedTensor[] => {
    const [value, scaleName, zeroName] = node.inputs;
    const stored = node.op === 'DequantizeLinear' ? initializers.get(value!) : undefined;
    if (node.op !== 'QuantizeLinear' && !stored) return [];
    const scale = view.constantValues(scaleName!);
    if (!scale) return [];
    const zeroPoint = view.constantValues(zeroName ?? '') ?? scale.map(() => 0);
    const dtype = stored?.dtype ?? initializers.get(zeroName ?? '')?.dtype ?? 'uint8';
    const role = stored ? (dtype === 'int32' ? 'bias' : 'weight') : 'activation';
    return [{ tensor: value!, role, dtype, scale, zeroPoint, sharesWith: null }];
  });
}

export interface DeviceReading {
  /** "weights per-channel" where the vendor leaves it open, '' where there is one reading. */
  readonly name: string;
  readonly options: Readonly<Record<string, OptionValue>>;
}

/**
 * The quantize options under which figures hold for the device. Where the vendor doesn't say how many scales a layer's
 * weights have there are two readings: evaluate both, show the worse.
 */
export function deviceReadings(device: Device): readonly DeviceReading[] {
  const options = device.quantizeDefaults.value;
  if (device.scheme.weightGranularity.value !== null) return [{ name: '', options }];
  return (['per-channel', 'per-tensor'] as const).map((weights) => ({ name: `weights ${weights}`, options: { ...options, weights } }));
}
