/** The operators that the studio knows: every table about operators is complete by type over this list. */
import type { Node } from './graph';

const ONNX_OPS = [
  ...(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'BatchNormalization', 'InstanceNormalization', 'LayerNormalization', 'LRN'] as const),
  ...(['Relu', 'LeakyRelu', 'PRelu', 'Clip', 'HardSwish', 'HardSigmoid', 'Sigmoid', 'Tanh', 'Softplus', 'Erf'] as const),
  ...(['Elu', 'Selu', 'Gelu', 'Mish', 'Softsign', 'Softmax', 'LogSoftmax'] as const),
  ...(['Mul', 'Add', 'Sub', 'Div', 'Pow', 'Mod', 'Min', 'Max', 'Sum', 'Mean'] as const),
  ...(['Sqrt', 'Exp', 'Log', 'Neg', 'Abs', 'Floor', 'Ceil', 'Round', 'Reciprocal', 'Sign', 'Sin', 'Cos'] as const),
  ...(['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Not', 'And', 'Or', 'Where'] as const),
  ...(['Concat', 'Split', 'Slice', 'Gather', 'GatherElements', 'GatherND', 'ScatterND', 'ScatterElements'] as const),
  ...(['Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Expand', 'Tile', 'Pad', 'SpaceToDepth', 'DepthToSpace'] as const),
  ...(['Shape', 'Size', 'Constant', 'ConstantOfShape', 'Cast', 'Range', 'Identity', 'Dropout'] as const),
  ...(['Resize', 'Upsample', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'] as const),
  ...(['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL2', 'ArgMax', 'ArgMin'] as const),
  ...(['TopK', 'NonMaxSuppression', 'NonZero'] as const),
  ...([
    'QuantizeLinear',
    'DequantizeLinear',
    'DynamicQuantizeLinear',
    'QLinearConv',
    'QLinearMatMul',
    'ConvInteger',
    'MatMulInteger',
  ] as const),
] as const;

/** Quantized kin of the domain com.microsoft, which ONNX Runtime's quantizer writes. */
const MICROSOFT_OPS = [
  'QLinearAdd',
  'QLinearMul',
  'QLinearSigmoid',
  'QLinearLeakyRelu',
  'QLinearSoftmax',
  'QLinearConcat',
  'QLinearAveragePool',
  'QLinearGlobalAveragePool',
] as const;

export type OpType = (typeof ONNX_OPS)[number] | (typeof MICROSOFT_OPS)[number];

export const OP_TYPES: readonly OpType[] = [...ONNX_OPS, ...MICROSOFT_OPS];

const KNOWN: ReadonlyMap<string, string> = new Map([
  ...ONNX_OPS.map((op) => [op, ''] as const),
  ...MICROSOFT_OPS.map((op) => [op, 'com.microsoft'] as const),
]);

/** The node's operator if it is one of ours (its domain included), else null. */
export function opType(node: Node): OpType | null {
  return KNOWN.get(node.op) === node.domain ? (node.op as OpType) : null;
}
