/**
 * Operators on a Hailo-8 or 8L. Limits (kernel, stride, channels) aren't public, so the table says what has been seen to
 * compile; everything else counts as unsupported until the compiler says otherwise.
 */
import type { OpType } from '../onnx';
import { entry } from './facts';
import type { Mark, OpSupport } from './types';

const ZOO = 'hailo_model_zoo v2.18, networks and scripts';
const PROFILE = 'a public `hailomz profile yolox_tiny` log';
const OPS_TEST = 'public operator test on Hailo-8, Dataflow Compiler 3.32, opset 11';
const FORUM = 'Hailo community forum and hailo_model_zoo issues';

const runs = (mark: Mark, source: string) => entry('runs', 'The compiler has a layer for it.', '', mark, source);

const folded = (what: string, mark: Mark, source: string) => entry('runs differently', what, '', mark, source);

const gone = (what: string) => entry('runs', what, '', 'inferred', 'no computation at inference');

const fragile = entry(
  'runs differently',
  'It works where it vanishes (a change of layout, flattening before a dense layer) and is refused elsewhere.',
  'Cut the network before it.',
  'seen once',
  `${FORUM} (issue 98); ${OPS_TEST}`,
);

const decodeTail = entry(
  'unsupported',
  'It belongs to decoding, which the parser refuses.',
  'Cut the network at the head outputs and decode on the host.',
  'seen once',
  FORUM,
);

const onHost = entry(
  'falls back',
  'Suppression runs on the host, in HailoRT (nms_postprocess with engine=cpu).',
  'Cut the network before it and let the model script add it.',
  'verified',
  ZOO,
);

const unseen = entry(
  'unsupported',
  'No public source shows it on this device.',
  'Replace it, or cut the network before it; the compiler has the last word.',
  'inferred',
  'absence from hailo_model_zoo v2.18, its scripts and public logs',
);

const constantOnly = entry(
  'unsupported',
  'It computes shapes or constants, which the device does not do at run time.',
  'Fold constants and fix the input size first.',
  'inferred',
  'static shapes are required; hailo_model_zoo issues',
);

const quantized = entry(
  'unsupported',
  'The compiler quantizes by itself and takes float networks.',
  'Give it the float model.',
  'inferred',
  'Dataflow Compiler flow: parse float ONNX, then optimize',
);

/** Complete over the operators that the studio knows. */
export const HAILO_OPERATORS = {
  Conv: runs('verified', `${ZOO}; ${OPS_TEST}`),
  ConvTranspose: runs('verified', `${ZOO} (deconv)`),
  Gemm: runs('verified', `${ZOO} (classifiers)`),
  MatMul: entry(
    'runs differently',
    'Its inputs are 8-bit and non-negative on this device.',
    'Keep 16 bits and negative inputs away from it.',
    'seen once',
    'ultralytics pull request 25260; Hailo forum 19373',
  ),
  BatchNormalization: folded('It is folded into the convolution before it.', 'seen once', 'Hailo forum 50'),
  InstanceNormalization: unseen,
  LayerNormalization: entry(
    'runs differently',
    'It is decomposed into simpler layers.',
    'Expect limits.',
    'seen once',
    'ultralytics pull request 25260',
  ),
  LRN: unseen,
  Relu: runs('seen once', OPS_TEST),
  LeakyRelu: runs('seen once', OPS_TEST),
  PRelu: runs('seen once', OPS_TEST),
  Clip: runs('seen once', `${OPS_TEST} (ReLU6)`),
  HardSwish: runs('seen once', OPS_TEST),
  HardSigmoid: runs('seen once', OPS_TEST),
  Sigmoid: runs('seen once', OPS_TEST),
  Tanh: runs('seen once', OPS_TEST),
  Softplus: unseen,
  Erf: entry(
    'runs differently',
    'It is known only as part of GELU.',
    'Export GELU as one operator or in its usual five nodes.',
    'inferred',
    OPS_TEST,
  ),
  Elu: runs('seen once', OPS_TEST),
  Selu: unseen,
  Gelu: runs('seen once', OPS_TEST),
  Mish: unseen,
  Softsign: unseen,
  Softmax: entry('runs differently', 'It runs with limits.', 'Keep it over channels.', 'seen once', 'ultralytics pull request 25260'),
  LogSoftmax: unseen,
  Mul: runs('seen once', OPS_TEST),
  Add: runs('verified', `${ZOO} (ew_add); ${PROFILE}`),
  Sub: runs('seen once', OPS_TEST),
  Div: runs('seen once', OPS_TEST),
  Pow: unseen,
  Mod: unseen,
  Min: unseen,
  Max: unseen,
  Sum: unseen,
  Mean: unseen,
  Sqrt: unseen,
  Exp: decodeTail,
  Log: unseen,
  Neg: unseen,
  Abs: unseen,
  Floor: unseen,
  Ceil: unseen,
  Round: unseen,
  Reciprocal: unseen,
  Sign: unseen,
  Sin: unseen,
  Cos: unseen,
  Equal: unseen,
  Less: unseen,
  LessOrEqual: unseen,
  Greater: unseen,
  GreaterOrEqual: unseen,
  Not: unseen,
  And: unseen,
  Or: unseen,
  Where: unseen,
  Concat: entry(
    'runs differently',
    'All its inputs share the scale of its output.',
    'Wide and narrow inputs lose precision together: look at their ranges.',
    'verified',
    'Hailo-Application-Code-Examples, optimization diagnostic tool',
  ),
  Split: unseen,
  Slice: runs('verified', `${ZOO} (slice layers)`),
  Gather: decodeTail,
  GatherElements: decodeTail,
  GatherND: decodeTail,
  ScatterND: unseen,
  ScatterElements: unseen,
  Reshape: fragile,
  Flatten: fragile,
  Transpose: fragile,
  Squeeze: fragile,
  Unsqueeze: fragile,
  Expand: unseen,
  Tile: decodeTail,
  Pad: runs('seen once', `${OPS_TEST} (zero padding)`),
  SpaceToDepth: runs('verified', `${ZOO} (space_to_depth)`),
  DepthToSpace: unseen,
  Shape: constantOnly,
  Size: constantOnly,
  Constant: gone('It becomes a weight.'),
  ConstantOfShape: constantOnly,
  Cast: unseen,
  Range: constantOnly,
  Identity: gone('It vanishes.'),
  Dropout: gone('It vanishes.'),
  Resize: runs('verified', `${PROFILE} (nearest, twice); ${OPS_TEST} (bilinear)`),
  Upsample: runs('inferred', `as Resize: ${PROFILE}`),
  MaxPool: runs('verified', `${PROFILE} (5, 9, 13 in SPP)`),
  AveragePool: unseen,
  GlobalAveragePool: runs('verified', `${ZOO} (classifiers, global_avgpool_reduction)`),
  GlobalMaxPool: unseen,
  ReduceMean: entry(
    'runs differently',
    'ReduceMean, Reshape and Linear together gave a parse error.',
    'Use GlobalAveragePool for a mean over height and width.',
    'seen once',
    OPS_TEST,
  ),
  ReduceSum: runs('verified', `${ZOO} (reduce_sum)`),
  ReduceMax: unseen,
  ReduceMin: unseen,
  ReduceProd: unseen,
  ReduceL2: unseen,
  ArgMax: unseen,
  ArgMin: unseen,
  TopK: decodeTail,
  NonMaxSuppression: onHost,
  NonZero: decodeTail,
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
