/** Plans weights (int8, symmetric), biases (int32 on the accumulator's scale) and constant operands. */
import { absMax, type QParams, qparamsFromRange, type RangeScheme, StudioError } from '../../numerics';
import { attrInt, type Node, type Tensor, toFloat32 } from '../../onnx';
import type { Layering } from './layers';
import type { QuantizeOptions } from './meta';
import type { ActivationQuant, ConstantQuant } from './plan-types';
import { opKind } from './rules';
import { leastErrorBounds } from './weight-range';

const INT8_MAX = 127;
/** A bias may fill half of the int32 accumulator; the products need the rest. */
const BIAS_LIMIT = 2 ** 30;
/** A channel without weights has only its bias: give that 24 bits. */
const LONE_BIAS_LIMIT = 2 ** 24;
/** Smallest input scale · weight scale, far from float32's subnormals. */
const MIN_PRODUCT = 2 ** -120;

/** How the output channels of a layer lie in its weight. */
interface WeightLayout {
  /** Axis of per-channel scales. */
  readonly axis: number;
  readonly channels: number;
  /** Index along `axis` of output channel c, where it begins. */
  slice(c: number): number;
  /** Indices along `axis`, from each slice on, that must have one scale because one output channel reads them all. */
  readonly run: number;
}

/**
 * ConvTranspose has [in, out / group, …]: on axis 1, output channels of all groups lie over each other; on axis 0, those of
 * one group. The axis is taken on which small channels share a scale with the least larger ones.
 */
function transposedLayout(weight: Tensor, group: number): WeightLayout {
  const [inputs, perGroup] = weight.dims as readonly [number, number];
  const inPerGroup = inputs / group;
  const byOutput: WeightLayout = { axis: 1, channels: group * perGroup, slice: (c) => c % perGroup, run: 1 };
  if (group === 1 || weight.dtype !== 'float32') return byOutput;
  const byGroup: WeightLayout = { ...byOutput, axis: 0, slice: (c) => Math.floor(c / perGroup) * inPerGroup, run: inPerGroup };
  if (perGroup === 1) return byGroup;
  const inner = weight.dims.slice(2).reduce((a, b) => a * b, 1);
  const largest = new Float64Array(byOutput.channels);
  toFloat32(weight).forEach((w, i) => {
    const c = Math.floor(i / (inner * perGroup * inPerGroup)) * perGroup + (Math.floor(i / inner) % perGroup);
    largest[c] = Math.max(largest[c]!, Math.abs(w));
  });
  const worst = (key: (c: number) => number): number => {
    const shared = new Map<number, number>();
    largest.forEach((bound, c) => {
      shared.set(key(c), Math.max(shared.get(key(c)) ?? 0, bound));
    });
    return Math.max(...Array.from(largest, (bound, c) => (bound > 0 ? shared.get(key(c))! / bound : 1)));
  };
  return worst(byGroup.slice) < worst(byOutput.slice) ? byGroup : byOutput;
}

export function weightLayout(node: Node, weight: Tensor): WeightLayout {
  const dims = weight.dims;
  const along = (axis: number): WeightLayout => ({ axis, channels: dims[axis]!, slice: (c) => c, run: 1 });
  switch (node.op) {
    case 'ConvTranspose':
      return transposedLayout(weight, attrInt(node, 'group', 1));
    case 'Gemm':
      return along(attrInt(node, 'transB', 0) ? 0 : 1);
    case 'MatMul':
      return along(dims.length - 1);
    default:
      return along(0);
  }
}

/** Every run of slices gets its largest bound. */
function evened(bounds: Float64Array, run: number): Float64Array {
  return bounds.map((_, i) => Math.max(...bounds.subarray(i - (i % run), i - (i % run) + run)));
}

function floatValues(node: Node, tensor: Tensor): Float32Array {
  if (tensor.dtype !== 'float32')
    throw new StudioError(
      'unsupported',
      `"${node.name}" (${node.op}) has ${tensor.dtype} weights; only float32 networks are quantized.`,
      'Export the model in float32.',
    );
  return toFloat32(tensor);
}

/**
 * Weight and bias parameters of one layer; `inputScale` null = its input stays in float, and so does the bias.
 * @param clip weight scales by least squared error and not by the largest weight
 */
export function layerParams(
  node: Node,
  weight: Tensor,
  bias: Tensor | null,
  inputScale: number | null,
  perChannel: boolean,
  clip = false,
): { weight: QParams; bias: QParams | null; enlarged: number } {
  const layout = weightLayout(node, weight);
  const axis = perChannel ? layout.axis : null;
  const slice = perChannel ? layout.slice : () => 0;
  const values = { dims: weight.dims, data: floatValues(node, weight) };
  const run = perChannel ? layout.run : 1;
  const largestWeights = evened(absMax(values, axis), run);
  if (largestWeights.some((b) => !Number.isFinite(b)))
    throw new StudioError('bad-model', `"${node.name}" (${node.op}) has a weight that is NaN or infinite.`, 'Export the model again.');
  const bounds = clip ? evened(leastErrorBounds(values, axis, largestWeights, INT8_MAX), run) : largestWeights;
  const biases = bias && inputScale !== null ? floatValues(node, bias) : null;
  const largest = new Float64Array(bounds.length);
  biases?.forEach((b, c) => {
    for (let i = slice(c); i < slice(c) + run; i++) largest[i] = Math.max(largest[i]!, Math.abs(b));
  });
  let enlarged = 0;
  const scale = Array.from(bounds, (bound, i) => {
    const floor = inputScale === null ? 0 : MIN_PRODUCT / inputScale;
    if (bound === 0)
      return Math.fround(largest[i]! > 0 ? Math.max(largest[i]! / (inputScale! * LONE_BIAS_LIMIT), floor) : Math.max(1, floor));
    const natural = bound / INT8_MAX;
    const needed = inputScale === null ? 0 : Math.max(largest[i]! / (inputScale * BIAS_LIMIT), floor);
    if (needed > natural) enlarged++;
    return Math.fround(Math.max(natural, needed, 2 ** -100));
  });
  const zeros = scale.map(() => 0);
  const weightParams: QParams = { dtype: 'int8', scale, zeroPoint: zeros, axis, qmin: -INT8_MAX, qmax: INT8_MAX };
  if (!biases || inputScale === null) return { weight: weightParams, bias: null, enlarged };
  const biasScale = perChannel
    ? Array.from(biases, (_, c) => Math.fround(inputScale * scale[slice(c)]!))
    : [Math.fround(inputScale * scale[0]!)];
  const biasParams: QParams = {
    dtype: 'int32',
    scale: biasScale,
    zeroPoint: biasScale.map(() => 0),
    axis: perChannel ? bias!.dims.length - 1 : null,
    qmin: -2147483648,
    qmax: 2147483647,
  };
  return { weight: weightParams, bias: biasParams, enlarged };
}

/** Operators whose constant operand is quantized like an activation. */
const OPERANDS = new Set(['Add', 'Sub', 'Mul', 'Sum', 'Max', 'Min', 'Concat', 'MatMul']);

export function planConstants(
  layering: Layering,
  activations: ReadonlyMap<string, ActivationQuant>,
  options: QuantizeOptions,
): { constants: readonly ConstantQuant[]; notes: readonly string[] } {
  const { index, tail, absorbed, layers, biasAdds } = layering;
  const constants: ConstantQuant[] = [];
  const enlargedIn: string[] = [];
  let enlarged = 0;
  const perChannel = options.weights === 'per-channel';
  const byName = new Map(index.graph.nodes.map((node) => [node.name, node]));
  const layerNames = new Set(layers.map(({ node }) => node));
  for (const layer of layers) {
    const node = byName.get(layer.node)!;
    if (node.op !== 'Conv' && node.op !== 'ConvTranspose' && tail.has(node)) continue;
    const weight = index.constant(node.inputs[1]!)!;
    const biasNode = biasAdds.get(node) ?? node;
    const biasInput = biasNode === node ? 2 : biasNode.inputs.findIndex((name) => index.constant(name));
    const found = index.constant(biasNode.inputs[biasInput] ?? '');
    const bias = found && found.data.length === weightLayout(node, weight).channels && found.dims.length > 0 ? found : null;
    const inputScale = activations.get(layer.input)?.params.scale[0] ?? null;
    const params = layerParams(node, weight, bias, inputScale, perChannel, options.weightRange === 'mse');
    constants.push({ node: node.name, input: 1, tensor: weight.name, role: 'weight', params: params.weight });
    if (params.bias) constants.push({ node: biasNode.name, input: biasInput, tensor: bias!.name, role: 'bias', params: params.bias });
    if (params.enlarged > 0) {
      enlarged += params.enlarged;
      enlargedIn.push(node.name);
    }
  }
  const others = enlargedIn.length - 1;
  const notes =
    enlarged === 0
      ? []
      : [
          `"${enlargedIn[0]}"${others > 0 ? ` and ${others} other layer${others === 1 ? '' : 's'}` : ''}: ${enlarged} weight scale${enlarged === 1 ? ' was' : 's were'} enlarged so that the int32 bias does not overflow.`,
        ];
  const scheme: RangeScheme = { bits: 8, signed: options.activations === 'int8', symmetric: options.symmetric };
  for (const node of index.graph.nodes) {
    if (layerNames.has(node.name) || absorbed.has(node) || !OPERANDS.has(node.op) || opKind(node) === 'float') continue;
    if (!node.outputs.some((name) => activations.has(layering.exits.get(node) ?? name))) continue;
    node.inputs.forEach((name, input) => {
      const tensor = index.constant(name);
      if (tensor?.dtype !== 'float32' || tensor.data.length === 0) return;
      const values = toFloat32(tensor);
      let [lo, hi] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const v of values) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
      constants.push({ node: node.name, input, tensor: tensor.name, role: 'operand', params: qparamsFromRange(lo, hi, scheme) });
    });
  }
  return { constants, notes };
}
