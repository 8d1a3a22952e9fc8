/** What quantization does with each operator. Operators that the studio doesn't know are computed in float. */
import { type Node, type OpType, opType } from '../../onnx';

/**
 * - layer: multiplies by constant weights, which become int8
 * - rescale: its output gets a range of its own
 * - share: moves values without changing them (or only picks among them), so the output keeps the input's scale
 * - concat: shares or rescales, as the device wants
 * - float: its result needs more than 8 bits inside; the operator reads dequantized values and computes in float
 * - none: makes shapes, indices or booleans
 * - quantized: belongs to a network that is quantized already, which is refused before any of this
 */
export type OpKind = 'layer' | 'rescale' | 'share' | 'concat' | 'float' | 'none' | 'quantized';

const KINDS = {
  Conv: 'layer',
  ConvTranspose: 'layer',
  Gemm: 'layer',
  MatMul: 'layer',

  Add: 'rescale',
  Sub: 'rescale',
  Mul: 'rescale',
  Sum: 'rescale',
  Mean: 'rescale',
  Max: 'rescale',
  Min: 'rescale',
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
  GatherElements: 'share',
  GatherND: 'share',
  Expand: 'share',
  Tile: 'share',
  Pad: 'share',
  Identity: 'share',
  Dropout: 'share',
  DepthToSpace: 'share',
  SpaceToDepth: 'share',

  Concat: 'concat',

  Softmax: 'float',
  LogSoftmax: 'float',
  Softplus: 'float',
  Softsign: 'float',
  Erf: 'float',
  InstanceNormalization: 'float',
  LayerNormalization: 'float',
  LRN: 'float',
  Div: 'float',
  Pow: 'float',
  Mod: 'float',
  Sqrt: 'float',
  Exp: 'float',
  Log: 'float',
  Floor: 'float',
  Ceil: 'float',
  Round: 'float',
  Reciprocal: 'float',
  Sign: 'float',
  Sin: 'float',
  Cos: 'float',
  Where: 'float',
  ScatterND: 'float',
  ScatterElements: 'float',
  Cast: 'float',
  ReduceProd: 'float',
  ReduceL2: 'float',
  TopK: 'float',

  Shape: 'none',
  Size: 'none',
  Range: 'none',
  Constant: 'none',
  ConstantOfShape: 'none',
  Equal: 'none',
  Less: 'none',
  LessOrEqual: 'none',
  Greater: 'none',
  GreaterOrEqual: 'none',
  Not: 'none',
  And: 'none',
  Or: 'none',
  ArgMax: 'none',
  ArgMin: 'none',
  NonMaxSuppression: 'none',
  NonZero: 'none',

  QuantizeLinear: 'quantized',
  DequantizeLinear: 'quantized',
  DynamicQuantizeLinear: 'quantized',
  QLinearConv: 'quantized',
  QLinearMatMul: 'quantized',
  ConvInteger: 'quantized',
  MatMulInteger: 'quantized',
  QLinearAdd: 'quantized',
  QLinearMul: 'quantized',
  QLinearSigmoid: 'quantized',
  QLinearLeakyRelu: 'quantized',
  QLinearSoftmax: 'quantized',
  QLinearConcat: 'quantized',
  QLinearAveragePool: 'quantized',
  QLinearGlobalAveragePool: 'quantized',
} satisfies Record<OpType, OpKind>;

export function opKind(node: Node): OpKind {
  const type = opType(node);
  return type === null ? 'float' : KINDS[type];
}

/** Operators of networks that another tool has quantized, of any domain. */
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
