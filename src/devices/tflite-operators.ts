/**
 * Operators in a full-integer TensorFlow Lite file: what each becomes, and whether it stays in integers. 'falls back' =
 * it has no integer form in the specification, so it computes in float on the CPU and splits the delegate's graph.
 */
import type { OpType } from '../onnx';
import { entry } from './facts';
import type { Mark, OpSupport } from './types';

const SPEC = 'TensorFlow Lite 8-bit quantization specification';
const EDGE = 'Edge TPU operator list (Axis ARTPEC-7 guide)';
const NPU = 'NPU operator list (Axis ARTPEC-8 guide)';
const README = 'onnx2tf, README, list of operators';

const becomes = (name: string, mark: Mark = 'verified', source = `${SPEC}, ${name}`) =>
  entry('runs', `It becomes ${name} in 8 bits.`, '', mark, source);

const layout = (name: string) =>
  entry(
    'runs differently',
    `It becomes ${name}; behind the change from NCHW to NHWC a Transpose may come with it.`,
    'Cut the network before the tail where it stands there.',
    'verified',
    `${SPEC}, ${name}`,
  );

const float = (what: string, mark: Mark = 'inferred', source = `not in the ${SPEC}`) =>
  entry(
    'falls back',
    `${what} has no 8-bit form: it computes in float on the CPU and splits the delegate’s graph.`,
    'Cut the network before it, or replace it.',
    mark,
    source,
  );

const tail = (what: string) =>
  entry(
    'falls back',
    `${what} belongs to decoding: it runs on the CPU and everything behind it with it.`,
    'Cut the network at the head outputs and decode on the host.',
    'inferred',
    `not in the ${EDGE}`,
  );

const pieces = (what: string) =>
  entry(
    'runs differently',
    `${what} is taken apart into several operators, each quantized by itself.`,
    'Replace it by ReLU or ReLU6 and train again, or expect a loss.',
    'inferred',
    README,
  );

const folded = entry('runs differently', 'It is folded into its neighbours.', '', 'inferred', README);

const gone = (what: string) => entry('runs', what, '', 'inferred', 'no computation at inference');

const constantOnly = entry(
  'unsupported',
  'It computes shapes at run time; the file has fixed sizes.',
  'Fold constants and fix the input size first.',
  'seen once',
  'Axis ARTPEC-7 guide: tensor sizes must be constant at compile time',
);

const logical = entry('falls back', 'Logic on tensors runs on the CPU.', 'Cut the network before it.', 'inferred', `not in the ${EDGE}`);

const quantized = entry(
  'unsupported',
  'The converter quantizes by itself; onnx2tf writes quantizing nodes out as float arithmetic.',
  'Give it the float model.',
  'verified',
  'onnx2tf, ops/QuantizeLinear.py',
);

/** Complete over the operators that the studio knows. */
export const TFLITE_OPERATORS = {
  Conv: becomes('CONV_2D or DEPTHWISE_CONV_2D'),
  ConvTranspose: becomes('TRANSPOSE_CONV', 'seen once', `${EDGE}; ${NPU}`),
  Gemm: entry(
    'runs differently',
    'It becomes FULLY_CONNECTED, whose weights have one scale for the whole layer.',
    'Expect the loss of per-tensor weights there.',
    'verified',
    `${SPEC}, FULLY_CONNECTED`,
  ),
  MatMul: entry(
    'runs differently',
    'With constant weights it becomes FULLY_CONNECTED with one weight scale, otherwise BATCH_MATMUL.',
    'Keep products of two activations off delegates.',
    'inferred',
    `${SPEC}, FULLY_CONNECTED`,
  ),
  BatchNormalization: folded,
  InstanceNormalization: pieces('InstanceNormalization'),
  LayerNormalization: pieces('LayerNormalization'),
  LRN: float('LRN'),
  Relu: becomes('RELU', 'seen once', EDGE),
  LeakyRelu: becomes('LEAKY_RELU', 'inferred', README),
  PRelu: becomes('PRELU', 'seen once', EDGE),
  Clip: becomes('RELU6, or MINIMUM and MAXIMUM', 'seen once', EDGE),
  HardSwish: becomes('HARD_SWISH', 'seen once', NPU),
  HardSigmoid: pieces('HardSigmoid'),
  Sigmoid: becomes('LOGISTIC'),
  Tanh: becomes('TANH'),
  Softplus: float('Softplus'),
  Erf: float('Erf'),
  Elu: becomes('ELU', 'seen once', NPU),
  Selu: pieces('Selu'),
  Gelu: becomes('GELU', 'seen once', NPU),
  Mish: pieces('Mish'),
  Softsign: float('Softsign'),
  Softmax: becomes('SOFTMAX'),
  LogSoftmax: becomes('LOG_SOFTMAX'),
  Mul: becomes('MUL'),
  Add: becomes('ADD'),
  Sub: becomes('SUB'),
  Div: float('DIV'),
  Pow: float('POW'),
  Mod: float('FLOOR_MOD'),
  Min: becomes('MINIMUM'),
  Max: becomes('MAXIMUM'),
  Sum: becomes('a chain of ADD', 'inferred', README),
  Mean: pieces('Mean of several tensors'),
  Sqrt: float('SQRT'),
  Exp: tail('EXP'),
  Log: float('LOG'),
  Neg: float('NEG'),
  Abs: float('ABS'),
  Floor: float('FLOOR'),
  Ceil: float('CEIL'),
  Round: float('ROUND'),
  Reciprocal: float('A reciprocal'),
  Sign: float('SIGN'),
  Sin: float('SIN'),
  Cos: float('COS'),
  Equal: logical,
  Less: logical,
  LessOrEqual: logical,
  Greater: logical,
  GreaterOrEqual: logical,
  Not: logical,
  And: logical,
  Or: logical,
  Where: logical,
  Concat: entry(
    'runs differently',
    'It becomes CONCATENATION: all its inputs share the scale of its output.',
    'Wide and narrow inputs lose precision together: look at their ranges.',
    'verified',
    `${SPEC}, CONCATENATION`,
  ),
  Split: becomes('SPLIT', 'seen once', NPU),
  Slice: becomes('STRIDED_SLICE or SLICE'),
  Gather: tail('GATHER'),
  GatherElements: tail('GatherElements'),
  GatherND: tail('GATHER_ND'),
  ScatterND: tail('SCATTER_ND'),
  ScatterElements: tail('ScatterElements'),
  Reshape: layout('RESHAPE'),
  Flatten: layout('RESHAPE'),
  Transpose: layout('TRANSPOSE'),
  Squeeze: layout('SQUEEZE'),
  Unsqueeze: layout('RESHAPE'),
  Expand: float('BROADCAST_TO'),
  Tile: tail('TILE'),
  Pad: becomes('PAD'),
  SpaceToDepth: becomes('SPACE_TO_DEPTH'),
  DepthToSpace: becomes('DEPTH_TO_SPACE', 'inferred', README),
  Shape: constantOnly,
  Size: constantOnly,
  Constant: gone('It becomes a weight.'),
  ConstantOfShape: constantOnly,
  Cast: float('CAST'),
  Range: constantOnly,
  Identity: gone('It vanishes.'),
  Dropout: gone('It vanishes.'),
  Resize: becomes('RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR', 'verified', `${SPEC}, RESIZE_BILINEAR; ${EDGE}`),
  Upsample: becomes('RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR', 'inferred', 'as Resize'),
  MaxPool: becomes('MAX_POOL_2D'),
  AveragePool: becomes('AVERAGE_POOL_2D'),
  GlobalAveragePool: becomes('MEAN'),
  GlobalMaxPool: becomes('REDUCE_MAX', 'seen once', EDGE),
  ReduceMean: becomes('MEAN'),
  ReduceSum: becomes('SUM', 'seen once', EDGE),
  ReduceMax: becomes('REDUCE_MAX', 'seen once', EDGE),
  ReduceMin: becomes('REDUCE_MIN', 'seen once', EDGE),
  ReduceProd: float('REDUCE_PROD'),
  ReduceL2: float('ReduceL2'),
  ArgMax: tail('ARG_MAX'),
  ArgMin: tail('ARG_MIN'),
  TopK: tail('TOPK_V2'),
  NonMaxSuppression: tail('NON_MAX_SUPPRESSION'),
  NonZero: tail('WHERE'),
  QuantizeLinear: quantized,
  DequantizeLinear: quantized,
  DynamicQuantizeLinear: quantized,
  QLinearConv: quantized,
  QLinearMatMul: quantized,
  ConvInteger: quantized,
  MatMulInteger: quantized,
  QLinearAdd: quantized,
  QLinearMul: quantized,
  QLinearSigmoid: quantized,
  QLinearLeakyRelu: quantized,
  QLinearSoftmax: quantized,
  QLinearConcat: quantized,
  QLinearAveragePool: quantized,
  QLinearGlobalAveragePool: quantized,
} satisfies Record<OpType, OpSupport>;
