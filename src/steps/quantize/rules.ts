/** What quantization does with each operator. Operators that are not listed are computed in float. */
import type { Node } from '../../onnx';

/**
 * - layer: multiplies by constant weights, which become int8
 * - rescale: its output gets a range of its own
 * - share: moves values without changing them (or only picks among them), so the output keeps the input's scale
 * - concat: shares or rescales, as the device wants
 * - float: its result needs more than 8 bits inside; the operator reads dequantized values and computes in float
 * - none: makes shapes, indices or booleans
 */
export type OpKind = 'layer' | 'rescale' | 'share' | 'concat' | 'float' | 'none';

const KINDS: Readonly<Record<string, OpKind>> = {
  Conv: 'layer',
  ConvTranspose: 'layer',
  Gemm: 'layer',
  MatMul: 'layer',

  Add: 'rescale',
  Sub: 'rescale',
  Mul: 'rescale',
  Sum: 'rescale',
  Mean: 'rescale',
  Relu: 'rescale',
  LeakyRelu: 'rescale',
  PRelu: 'rescale',
  Elu: 'rescale',
  Selu: 'rescale',
  Clip: 'rescale',
  HardSwish: 'rescale',
  HardSigmoid: 'rescale',
  Sigmoid: 'rescale',
  Tanh: 'rescale',
  Gelu: 'rescale',
  Mish: 'rescale',
  Abs: 'rescale',
  Neg: 'rescale',
  BatchNormalization: 'rescale',
  AveragePool: 'rescale',
  GlobalAveragePool: 'rescale',
  ReduceMean: 'rescale',
  ReduceSum: 'rescale',
  Max: 'rescale',
  Min: 'rescale',
  Einsum: 'rescale',

  MaxPool: 'share',
  GlobalMaxPool: 'share',
  ReduceMax: 'share',
  ReduceMin: 'share',
  Resize: 'share',
  Upsample: 'share',
  Reshape: 'share',
  Flatten: 'share',
  Transpose: 'share',
  Squeeze: 'share',
  Unsqueeze: 'share',
  Slice: 'share',
  Split: 'share',
  Gather: 'share',
  Expand: 'share',
  Tile: 'share',
  Pad: 'share',
  Identity: 'share',
  Dropout: 'share',
  DepthToSpace: 'share',
  SpaceToDepth: 'share',

  Concat: 'concat',

  Shape: 'none',
  Size: 'none',
  Range: 'none',
  Constant: 'none',
  ConstantOfShape: 'none',
  Equal: 'none',
  Less: 'none',
  Greater: 'none',
  Not: 'none',
  And: 'none',
  Or: 'none',
  ArgMax: 'none',
  NonMaxSuppression: 'none',
};

export function opKind(node: Node): OpKind {
  if (node.domain !== '') return 'float';
  return KINDS[node.op] ?? 'float';
}

/** Operators of networks that another tool has quantized. */
export function isQuantizedOp(op: string): boolean {
  return /^QLinear|Integer$|^QAttention|^QGemm|^QEmbed|^MatMulNBits|^(Dynamic)?QuantizeLinear$|^DequantizeLinear$/.test(op);
}

/** Elementwise functions of one value that a device computes in its layer's output stage. */
export const UNARY_ACTIVATIONS: ReadonlySet<string> = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Selu',
  'Clip',
  'HardSwish',
  'HardSigmoid',
  'Sigmoid',
  'Tanh',
  'Gelu',
  'Mish',
  'Softplus',
]);

/** Of these, the ones that end a score branch: after the last layers they stay outside, in float. */
export const SQUASHING: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Tanh', 'Softmax', 'Softplus']);
