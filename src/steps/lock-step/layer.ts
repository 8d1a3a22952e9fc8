/** Layers as matrices: y[g] = W[g] · a[g] + b[g], with a the unfolded input of group g. What least squares solves on. */
import { attrFloat, attrInt, attrInts, attrString, type Node, type Tensor, toFloat32 } from '../../onnx';

/** How a convolution reads its input: one row per tap (c, ky, kx), one column per output pixel kept. */
export interface Patches {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
  readonly channels: number;
  /** Rows and columns of the layer's output. */
  readonly out: readonly [number, number];
  /** Every step-th row and column is kept. */
  readonly step: number;
}

export interface MatrixLayer {
  readonly node: Node;
  readonly weight: Tensor;
  /** Node and input index that read the bias; absent where the layer has none. */
  readonly bias: { readonly node: Node; readonly input: number; readonly tensor: Tensor } | null;
  /** Value that the node reads. */
  readonly input: string;
  /** Value that holds W · a + b, before any activation. */
  readonly target: string;
  /** Channels of the teacher's target (axis 1) that this layer still makes, in order; absent: all. */
  readonly keep?: readonly number[];
  readonly groups: number;
  /** Inputs of one row: channels of a group × taps. */
  readonly inputs: number;
  /** Rows of a group. */
  readonly outputs: number;
  /** null for Gemm and MatMul: features on the last axis. */
  readonly patches: Patches | null;
  /** Columns that one image gives. */
  readonly columns: number;
  /** True where the weight is stored [inputs, outputs]. */
  readonly transposed: boolean;
}

/** Columns kept of one image: more say nothing new about a few hundred unknowns. */
const MAX_COLUMNS = 4096;

/** Odd steps only, so that what an upsampled map repeats in twos is seen on both phases. */
function samplingStep(rows: number, cols: number): number {
  let step = 1;
  while (Math.ceil(rows / step) * Math.ceil(cols / step) > MAX_COLUMNS) step += 2;
  return step;
}

function samePads(node: Node, mode: string, input: number, axis: number, kernel: number, stride: number, dilation: number) {
  if (mode === 'VALID') return [0, 0] as const;
  const explicit = attrInts(node, 'pads', [0, 0, 0, 0]);
  if (mode === 'NOTSET') return [explicit[axis]!, explicit[axis + 2]!] as const;
  const total = Math.max((Math.ceil(input / stride) - 1) * stride + (kernel - 1) * dilation + 1 - input, 0);
  const less = Math.floor(total / 2);
  return mode === 'SAME_UPPER' ? ([less, total - less] as const) : ([total - less, less] as const);
}

type Shape = readonly number[] | null;

function convPatches(node: Node, weight: Tensor, input: Shape, output: Shape): Patches | null {
  if (weight.dims.length !== 4 || input?.length !== 4 || output?.length !== 4 || input[0] !== 1) return null;
  const pair = (name: string) => {
    const [a, b] = attrInts(node, name, [1, 1]);
    return [a!, b!] as const;
  };
  const kernel = [weight.dims[2]!, weight.dims[3]!] as const;
  const strides = pair('strides');
  const dilations = pair('dilations');
  const mode = attrString(node, 'auto_pad', 'NOTSET');
  const [top, bottom] = samePads(node, mode, input[2]!, 0, kernel[0], strides[0], dilations[0]);
  const [left, right] = samePads(node, mode, input[3]!, 1, kernel[1], strides[1], dilations[1]);
  const out = [output[2]!, output[3]!] as const;
  return { kernel, strides, dilations, pads: [top, left, bottom, right], channels: input[1]!, out, step: samplingStep(...out) };
}

/**
 * A layer with a constant weight as a matrix; null where it can't be written as one.
 * @param biasNode the node that adds the bias: the layer itself, or an Add behind it
 * @param shapeOf definite sizes of values
 */
export function matrixLayer(
  node: Node,
  weight: Tensor,
  biasNode: Node,
  shapeOf: (value: string) => Shape,
  constant: (name: string) => Tensor | undefined,
): MatrixLayer | null {
  const biasInput = biasNode === node ? 2 : biasNode.inputs.findIndex((name) => constant(name));
  const found = constant(biasNode.inputs[biasInput] ?? '');
  const base = { node, weight, input: node.inputs[0]!, target: biasNode.outputs[0]! };
  const withBias = (channels: number): MatrixLayer['bias'] | undefined => {
    if (!biasNode.inputs[biasInput]) return null;
    return found?.dtype === 'float32' && found.data.length === channels ? { node: biasNode, input: biasInput, tensor: found } : undefined;
  };
  if (node.op === 'Conv') {
    const patches = convPatches(node, weight, shapeOf(base.input), shapeOf(base.target));
    const groups = attrInt(node, 'group', 1);
    const bias = withBias(weight.dims[0]!);
    if (!patches || bias === undefined) return null;
    return {
      ...base,
      bias,
      groups,
      inputs: weight.data.length / weight.dims[0]!,
      outputs: weight.dims[0]! / groups,
      patches,
      columns: Math.ceil(patches.out[0] / patches.step) * Math.ceil(patches.out[1] / patches.step),
      transposed: false,
    };
  }
  if (node.op !== 'Gemm' && node.op !== 'MatMul') return null;
  if (attrFloat(node, 'alpha', 1) !== 1 || attrFloat(node, 'beta', 1) !== 1 || weight.dims.length !== 2) return null;
  const rows = attrInt(node, 'transB', 0) === 1;
  const [outputs, inputs] = rows ? [weight.dims[0]!, weight.dims[1]!] : [weight.dims[1]!, weight.dims[0]!];
  const shape = shapeOf(base.input);
  const bias = withBias(outputs);
  if (!shape || bias === undefined) return null;
  const columns = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { ...base, bias, groups: 1, inputs, outputs, patches: null, columns, transposed: !rows };
}

function transpose(data: ArrayLike<number>, rows: number, cols: number): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c]!;
  return out;
}

/** Weights as [groups · outputs, inputs], row-major. */
export function toRows(layer: MatrixLayer, weight: Tensor): Float64Array {
  const data = toFloat32(weight);
  return layer.transposed ? transpose(data, layer.inputs, layer.outputs) : Float64Array.from(data);
}

/** The inverse of {@link toRows}. */
export function fromRows(layer: MatrixLayer, rows: ArrayLike<number>): Float32Array {
  return Float32Array.from(layer.transposed ? transpose(rows, layer.outputs, layer.inputs) : rows);
}
