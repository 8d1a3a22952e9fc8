/**
 * Operators of a QDQ network in ONNX Runtime on the CPU: 'runs' = DequantizeLinear, operator and QuantizeLinear become
 * one integer kernel; 'runs differently' = it computes in float between its pairs, or its pairs vanish.
 */
import { OP_TYPES, type OpType } from '../onnx';
import { entry } from './facts';
import type { OpSupport } from './types';

const RULES = 'onnxruntime, qdq_selector_action_transformer.cc';
const STANDARD = 'operator set of ONNX, which ONNX Runtime implements';

const kernel = (name: string) => entry('runs', `It becomes ${name}.`, '', 'verified', RULES);

const moved = entry('runs', 'It moves integers: its pairs are dropped where both have one scale.', '', 'verified', RULES);

const float = entry(
  'runs differently',
  'There is no integer kernel for it: it computes in float between its pairs.',
  '',
  'verified',
  RULES,
);

const plain = entry('runs differently', 'It runs as it is, in float or on shapes.', '', 'inferred', STANDARD);

const asIs = entry('runs', 'It runs as it is written.', '', 'verified', STANDARD);

const KERNELS: Readonly<Partial<Record<OpType, OpSupport>>> = {
  Conv: kernel('QLinearConv'),
  MatMul: kernel('QLinearMatMul'),
  Gemm: kernel('QGemm'),
  Add: kernel('QLinearAdd'),
  Mul: kernel('QLinearMul'),
  Concat: kernel('QLinearConcat, each input with its own scale'),
  AveragePool: kernel('QLinearAveragePool'),
  GlobalAveragePool: kernel('QLinearGlobalAveragePool'),
  LeakyRelu: kernel('QLinearLeakyRelu'),
  Sigmoid: kernel('QLinearSigmoid'),
  Softmax: kernel('QLinearSoftmax'),
  Where: kernel('QLinearWhere'),
};

const MOVED: readonly OpType[] = [
  ...(['MaxPool', 'Resize', 'ReduceMax', 'ReduceMin', 'Expand', 'Flatten', 'Gather', 'GatherElements', 'Reshape'] as const),
  ...(['Slice', 'Split', 'Squeeze', 'Tile', 'Transpose', 'Unsqueeze', 'ArgMax'] as const),
];

const PLAIN: readonly OpType[] = [
  ...(['Shape', 'Size', 'Constant', 'ConstantOfShape', 'Cast', 'Range', 'Identity', 'Dropout'] as const),
  ...(['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Not', 'And', 'Or', 'NonZero', 'TopK', 'NonMaxSuppression'] as const),
];

const FUSED: readonly OpType[] = ['Relu', 'Clip', 'BatchNormalization'];

function supportOf(op: OpType): OpSupport {
  const named = KERNELS[op];
  if (named) return named;
  if (MOVED.includes(op)) return moved;
  if (PLAIN.includes(op)) return plain;
  if (FUSED.includes(op))
    return entry(
      'runs',
      'It is taken into its neighbour.',
      '',
      'seen once',
      'microsoft/onnxruntime pull request 20187; graph optimizations',
    );
  if (op.startsWith('QLinear') || op.endsWith('QuantizeLinear') || op === 'DequantizeLinear' || op.endsWith('Integer')) return asIs;
  return float;
}

/** Complete over the operators that the studio knows: what isn't named above computes in float. */
export const ORT_OPERATORS = Object.fromEntries(OP_TYPES.map((op) => [op, supportOf(op)])) as Readonly<Record<OpType, OpSupport>>;
