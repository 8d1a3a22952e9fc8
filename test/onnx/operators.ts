/** One small node (or a few forms of it) for every operator, with inputs that exercise its shape rule. */

import { createRandom, type DType } from '../../src/numerics';
import { type AttributeValue, type OpType, type Tensor, tensor } from '../../src/onnx';

export interface OperatorCase {
  /** Inputs that the graph is fed with. */
  readonly feeds: readonly Tensor[];
  /** Further inputs, constants, after the feeds; null = absent. */
  readonly constants?: readonly (Tensor | null)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  readonly opset?: number;
}

export function f(dims: readonly number[], values?: readonly number[]): Tensor {
  const random = createRandom(dims.length * 31 + dims.reduce((a, b) => a + b, 0));
  const count = dims.reduce((a, b) => a * b, 1);
  return tensor(
    '',
    'float32',
    dims,
    Float32Array.from({ length: count }, (_, i) => values?.[i % values.length] ?? random.normal()),
  );
}

/** Positive values, for Log and Sqrt. */
const positive = (...dims: number[]) => f(dims, [0.25, 1, 2.5, 7]);

export function i64(...values: number[]): Tensor {
  return tensor('', 'int64', [values.length], BigInt64Array.from(values, BigInt));
}

const scalar = (value: number) => tensor('', 'int64', [], BigInt64Array.of(BigInt(value)));

function typed(dtype: DType, dims: readonly number[], values: readonly number[]): Tensor {
  const count = dims.reduce((a, b) => a * b, 1);
  const all = Array.from({ length: count }, (_, i) => values[i % values.length]!);
  const data = dtype === 'int8' ? Int8Array.from(all) : dtype === 'int32' ? Int32Array.from(all) : Uint8Array.from(all);
  return tensor('', dtype, dims, data);
}

const u8 = (dims: readonly number[]) => typed('uint8', dims, [3, 200, 100, 7, 255, 0, 31]);
const s8 = (dims: readonly number[]) => typed('int8', dims, [3, -20, 100, 7, -128, 0, 31]);
const bool = (dims: readonly number[]) => typed('bool', dims, [1, 0, 0, 1, 1]);
const scale = (v = 0.1) => f([], [v]);
const zero = (v = 3) => typed('uint8', [], [v]);

const unary: readonly OperatorCase[] = [{ feeds: [f([2, 3])] }];
const binary: readonly OperatorCase[] = [{ feeds: [f([2, 1, 3]), f([4, 1])] }, { feeds: [f([3]), f([])] }];
const integer: readonly OperatorCase[] = [{ feeds: [i64(7, -7, 9), i64(2)] }, ...binary];
const comparison: readonly OperatorCase[] = [{ feeds: [f([2, 3]), f([3], [0])] }];
const logical: readonly OperatorCase[] = [{ feeds: [bool([2, 3]), bool([3])] }];
const reduction: readonly OperatorCase[] = [
  { feeds: [f([2, 3, 4])], attributes: { axes: [1, -1], keepdims: 0 } },
  { feeds: [f([2, 3, 4])], attributes: { axes: [1] } },
  { feeds: [f([2, 3, 4])], constants: [i64(-1)], attributes: { keepdims: 0 }, opset: 18 },
  { feeds: [f([2, 3])], constants: [null], attributes: { noop_with_empty_axes: 1 }, opset: 18 },
  { feeds: [f([2, 3])], attributes: { keepdims: 0 } },
];
const pooling: readonly OperatorCase[] = [
  { feeds: [f([1, 2, 7, 8])], attributes: { kernel_shape: [3, 2], strides: [2, 3], pads: [1, 0, 1, 1] } },
  { feeds: [f([1, 2, 7, 8])], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { feeds: [f([1, 2, 5, 5])], attributes: { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1, pads: [1, 1, 1, 1] } },
  { feeds: [f([1, 2, 7, 8])], attributes: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' } },
];
const convolution: readonly OperatorCase[] = [
  {
    feeds: [f([1, 4, 9, 8])],
    constants: [f([6, 2, 3, 3]), f([6])],
    attributes: { group: 2, strides: [2, 1], pads: [1, 0, 1, 2], dilations: [1, 2] },
  },
  { feeds: [f([2, 3, 7, 7])], constants: [f([4, 3, 3, 3])], attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] } },
  { feeds: [f([2, 3, 7, 7])], constants: [f([4, 3, 3, 3])], attributes: { auto_pad: 'VALID', kernel_shape: [3, 3] } },
  { feeds: [f([1, 3, 9])], constants: [f([4, 3, 3])] },
];

/** Opset 13 unless a case says another. */
export const OPERATORS = {
  Conv: convolution,
  ConvTranspose: [
    { feeds: [f([1, 4, 5, 6])], constants: [f([4, 3, 3, 2]), f([6])], attributes: { group: 2, strides: [2, 3], pads: [1, 0, 0, 1] } },
    { feeds: [f([1, 4, 5, 6])], constants: [f([4, 3, 3, 3])], attributes: { strides: [2, 2], output_padding: [1, 1], dilations: [2, 1] } },
    { feeds: [f([1, 4, 5, 6])], constants: [f([4, 3, 3, 3])], attributes: { strides: [2, 2], output_shape: [10, 12] } },
    { feeds: [f([1, 4, 5, 6])], constants: [f([4, 3, 3, 3])], attributes: { strides: [2, 2], auto_pad: 'SAME_UPPER' } },
  ],
  Gemm: [
    { feeds: [f([2, 3])], constants: [f([4, 3]), f([4])], attributes: { transB: 1, beta: 0.5 } },
    { feeds: [f([3, 2])], constants: [f([3, 4])], attributes: { transA: 1 } },
  ],
  MatMul: [{ feeds: [f([2, 1, 3, 4]), f([5, 4, 2])] }, { feeds: [f([4]), f([5, 4, 2])] }, { feeds: [f([3, 4]), f([4])] }],
  BatchNormalization: [{ feeds: [f([2, 3, 4, 4])], constants: [f([3]), f([3]), f([3]), positive(3)] }],
  InstanceNormalization: [{ feeds: [f([2, 3, 4, 4])], constants: [f([3]), f([3])] }],
  LayerNormalization: [{ feeds: [f([2, 3, 4])], constants: [f([3, 4]), f([3, 4])], attributes: { axis: 1 }, outputs: 2, opset: 17 }],
  LRN: [{ feeds: [f([1, 4, 3, 3])], attributes: { size: 3 } }],
  Relu: unary,
  LeakyRelu: unary,
  PRelu: [{ feeds: [f([2, 3, 4])], constants: [f([3, 1])] }],
  Clip: [{ feeds: [f([2, 3])], constants: [null, f([], [0.5])] }],
  HardSwish: [{ ...unary[0]!, opset: 14 }],
  HardSigmoid: unary,
  Sigmoid: unary,
  Tanh: unary,
  Softplus: unary,
  Erf: unary,
  Elu: unary,
  Selu: unary,
  Gelu: [{ ...unary[0]!, opset: 20 }],
  Mish: [{ ...unary[0]!, opset: 18 }],
  Softsign: unary,
  Softmax: [{ feeds: [f([2, 3, 4])], attributes: { axis: 1 } }],
  LogSoftmax: [{ feeds: [f([2, 3, 4])] }],
  Mul: integer,
  Add: integer,
  Sub: integer,
  Div: [{ feeds: [i64(7, -7, 9), i64(2)] }, { feeds: [f([2, 3]), positive(3)] }],
  Pow: [{ feeds: [positive(2, 3), f([], [1.5])] }, { feeds: [i64(2, 3), i64(3)] }],
  Mod: [{ feeds: [i64(7, -7, 9), i64(3, 3, -4)] }, { feeds: [f([2, 3]), positive(3)], attributes: { fmod: 1 } }],
  Min: [...binary, { feeds: [i64(2, 5), i64(3)] }],
  Max: [...binary, { feeds: [f([2, 1]), f([1, 3]), f([1])] }, { feeds: [i64(2, 5), i64(3)] }],
  Sum: [{ feeds: [f([2, 1]), f([1, 3]), f([1])] }],
  Mean: binary,
  Sqrt: [{ feeds: [positive(2, 3)] }],
  Exp: unary,
  Log: [{ feeds: [positive(2, 3)] }],
  Neg: [...unary, { feeds: [i64(3, -4)] }],
  Abs: [...unary, { feeds: [i64(3, -4)] }],
  Floor: unary,
  Ceil: unary,
  Round: [{ feeds: [f([5], [0.5, 1.5, -2.5, 0.4, -0.6])] }],
  Reciprocal: unary,
  Sign: unary,
  Sin: unary,
  Cos: unary,
  Equal: [...comparison, { feeds: [i64(1, 2), i64(2)] }],
  Less: comparison,
  LessOrEqual: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Not: [{ feeds: [bool([2, 3])] }],
  And: logical,
  Or: logical,
  Where: [{ feeds: [bool([2, 1]), f([3]), f([1, 3])] }],
  Concat: [
    { feeds: [f([2, 3, 4]), f([2, 1, 4]), f([2, 2, 4])], attributes: { axis: 1 } },
    { feeds: [f([2, 3]), f([2, 1])], attributes: { axis: -1 } },
    { feeds: [i64(2, 3), i64(4)], attributes: { axis: 0 } },
  ],
  Split: [
    { feeds: [f([2, 6])], constants: [i64(1, 3, 2)], attributes: { axis: 1 }, outputs: 3 },
    { feeds: [f([2, 6])], attributes: { axis: -1 }, outputs: 2 },
    { feeds: [f([7, 2])], attributes: { num_outputs: 3 }, outputs: 3, opset: 18 },
    { feeds: [f([2, 6])], attributes: { axis: 1, split: [4, 2] }, outputs: 2, opset: 11 },
  ],
  Slice: [
    { feeds: [f([5, 6, 7])], constants: [i64(1, -3), i64(1000, -1), i64(0, 2), i64(2, 1)] },
    { feeds: [f([5, 6])], constants: [i64(-1), i64(-1000), i64(1), i64(-2)] },
    { feeds: [f([5, 6])], constants: [i64(4, 2), i64(2, 2)] },
    { feeds: [f([5, 6])], attributes: { starts: [1], ends: [9], axes: [1] }, opset: 9 },
  ],
  Gather: [
    { feeds: [f([3, 4, 5])], constants: [tensor('', 'int64', [2, 2], BigInt64Array.of(0n, 2n, -1n, 1n))], attributes: { axis: 1 } },
    { feeds: [f([3, 4])], constants: [scalar(-1)] },
  ],
  GatherElements: [
    { feeds: [f([3, 4])], constants: [tensor('', 'int64', [3, 2], BigInt64Array.of(0n, 2n, -1n, 1n, 3n, 0n))], attributes: { axis: 1 } },
  ],
  GatherND: [{ feeds: [f([2, 3, 4])], constants: [tensor('', 'int64', [2, 2], BigInt64Array.of(0n, 2n, 1n, 1n))] }],
  ScatterND: [{ feeds: [f([4, 3])], constants: [tensor('', 'int64', [2, 1], BigInt64Array.of(1n, -1n)), f([2, 3])] }],
  ScatterElements: [
    { feeds: [f([3, 3])], constants: [tensor('', 'int64', [1, 2], BigInt64Array.of(1n, 2n)), f([1, 2])], attributes: { axis: 1 } },
  ],
  Reshape: [
    { feeds: [f([2, 3, 4])], constants: [i64(0, -1)] },
    { feeds: [f([2, 3, 4])], constants: [i64(4, 1, 6)] },
    { feeds: [f([0, 3])], constants: [i64(3, 0)], attributes: { allowzero: 1 }, opset: 14 },
  ],
  Flatten: [
    { feeds: [f([2, 3, 4])], attributes: { axis: 2 } },
    { feeds: [f([2, 3, 4])], attributes: { axis: -1 } },
    { feeds: [f([2, 3])], attributes: { axis: 0 } },
  ],
  Transpose: [{ feeds: [f([2, 3, 4])], attributes: { perm: [1, 2, 0] } }, { feeds: [f([2, 3, 4])] }],
  Squeeze: [
    { feeds: [f([1, 3, 1])] },
    { feeds: [f([1, 3, 1])], constants: [i64(-1)] },
    { feeds: [f([1, 3, 1])], attributes: { axes: [0] }, opset: 11 },
  ],
  Unsqueeze: [
    { feeds: [f([2, 3])], constants: [i64(0, -1)] },
    { feeds: [f([2, 3])], attributes: { axes: [1, 3] }, opset: 11 },
  ],
  Expand: [{ feeds: [f([3, 1])], constants: [i64(2, 1, 4)] }],
  Tile: [{ feeds: [f([2, 3])], constants: [i64(2, 3)] }],
  Pad: [
    { feeds: [f([2, 3])], constants: [i64(0, 1, 2, 0), f([], [9])] },
    { feeds: [f([2, 3])], attributes: { pads: [1, 0, 0, 2], value: 0.5 }, opset: 9 },
    { feeds: [f([2, 3])], constants: [i64(1, 2), null, i64(-1)], opset: 18 },
    { feeds: [f([4, 3])], constants: [i64(1, 1, 1, 1)], attributes: { mode: 'reflect' } },
  ],
  SpaceToDepth: [{ feeds: [f([1, 2, 4, 6])], attributes: { blocksize: 2 } }],
  DepthToSpace: [{ feeds: [f([1, 8, 2, 3])], attributes: { blocksize: 2, mode: 'CRD' } }],
  Shape: [{ feeds: [f([2, 3, 4])] }, { feeds: [f([2, 3, 4])], attributes: { start: 1, end: -1 }, opset: 15 }],
  Size: [{ feeds: [f([2, 3, 4])] }],
  Constant: [
    { feeds: [], attributes: { value: f([2, 2]) } },
    { feeds: [], attributes: { value_ints: [3, 4] } },
    { feeds: [], attributes: { value_float: { type: 'float', value: 2 } } },
  ],
  ConstantOfShape: [
    { feeds: [], constants: [i64(2, 3)] },
    { feeds: [], constants: [i64(2)], attributes: { value: i64(7) } },
  ],
  Cast: [
    { feeds: [f([2, 3], [1.7, -1.7, 0])], attributes: { to: 7 } },
    { feeds: [f([2, 3])], attributes: { to: 10 } },
    { feeds: [i64(0, 3)], attributes: { to: 9 } },
  ],
  Range: [
    { feeds: [], constants: [scalar(2), scalar(9), scalar(3)] },
    { feeds: [], constants: [f([], [1]), f([], [0]), f([], [-0.25])] },
  ],
  Identity: unary,
  Dropout: [{ feeds: [f([2, 3])], outputs: 2 }],
  Resize: [
    { feeds: [f([1, 2, 3, 5])], constants: [null, f([4], [1, 1, 2, 1.5])] },
    { feeds: [f([1, 2, 3, 5])], constants: [null, null, i64(1, 2, 7, 4)], attributes: { mode: 'linear' } },
    { feeds: [f([1, 2, 3, 5])], constants: [f([4], [1, 1, 2, 1.5])], opset: 10 },
    {
      feeds: [f([1, 2, 4, 6])],
      constants: [null, null, i64(7, 8)],
      attributes: { axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' },
      opset: 18,
    },
  ],
  Upsample: [
    { feeds: [f([1, 2, 3, 5])], constants: [f([4], [1, 1, 2, 3])], opset: 9 },
    { feeds: [f([1, 2, 3, 5])], attributes: { scales: { type: 'floats', value: [1, 1, 2, 3] } }, opset: 7 },
  ],
  MaxPool: [...pooling, { feeds: [f([1, 2, 7, 8])], attributes: { kernel_shape: [2, 2], dilations: [2, 2] }, outputs: 2 }],
  AveragePool: pooling,
  GlobalAveragePool: [{ feeds: [f([2, 3, 4, 5])] }],
  GlobalMaxPool: [{ feeds: [f([2, 3, 4, 5])] }],
  ReduceMean: reduction,
  ReduceSum: [
    { feeds: [f([2, 3, 4])], constants: [i64(1, -1)], attributes: { keepdims: 0 } },
    { feeds: [f([2, 3, 4])], attributes: { axes: [0] }, opset: 11 },
  ],
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceL2: reduction,
  ArgMax: [{ feeds: [f([2, 3, 4])], attributes: { axis: 1, keepdims: 0 } }],
  ArgMin: [{ feeds: [f([2, 3, 4])], attributes: { axis: -1 } }],
  TopK: [
    { feeds: [f([2, 5])], constants: [i64(3)], outputs: 2 },
    { feeds: [f([2, 5])], attributes: { k: 2 }, outputs: 2, opset: 9 },
  ],
  NonMaxSuppression: [
    { feeds: [f([1, 2, 4], [0, 0, 1, 1, 5, 5, 6, 6]), positive(1, 1, 2)], constants: [scalar(2), f([], [0.5]), f([], [0])] },
  ],
  NonZero: [{ feeds: [f([2, 3], [0, 1, 2])] }],
  QuantizeLinear: [
    { feeds: [f([2, 3])], constants: [scale(), typed('int8', [], [0])] },
    { feeds: [f([2, 3])], constants: [scale()] },
  ],
  DequantizeLinear: [{ feeds: [u8([2, 3])], constants: [scale(), zero()] }],
  DynamicQuantizeLinear: [{ feeds: [f([2, 3])], outputs: 3 }],
  QLinearConv: [
    {
      feeds: [u8([1, 2, 5, 5])],
      constants: [scale(), zero(), s8([3, 2, 3, 3]), scale(), typed('int8', [], [0]), scale(), zero(), typed('int32', [3], [5, -5])],
      attributes: { strides: [2, 2] },
    },
  ],
  QLinearMatMul: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), u8([3, 4]), scale(), zero(), scale(), zero()] }],
  ConvInteger: [{ feeds: [u8([1, 2, 5, 5])], constants: [u8([3, 2, 3, 3])] }],
  MatMulInteger: [{ feeds: [u8([2, 3])], constants: [u8([3, 4])] }],
  QLinearAdd: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), u8([3]), scale(), zero(), scale(), zero()] }],
  QLinearMul: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), u8([3]), scale(), zero(), scale(), zero()] }],
  QLinearSigmoid: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), scale(), zero()] }],
  QLinearLeakyRelu: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), scale(), zero()], attributes: { alpha: 0.1 } }],
  QLinearSoftmax: [{ feeds: [u8([2, 3])], constants: [scale(), zero(), scale(0.00390625), zero(0)], attributes: { opset: 13, axis: -1 } }],
  QLinearConcat: [
    { feeds: [], constants: [scale(), zero(), u8([2, 3]), scale(), zero(), u8([2, 1]), scale(), zero()], attributes: { axis: 1 } },
  ],
  QLinearAveragePool: [
    { feeds: [u8([1, 2, 6, 6])], constants: [scale(), zero(), scale(), zero()], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  ],
  QLinearGlobalAveragePool: [{ feeds: [u8([1, 2, 6, 6])], constants: [scale(), zero(), scale(), zero()] }],
} satisfies Record<OpType, readonly OperatorCase[]> as Readonly<Record<OpType, readonly OperatorCase[]>>;
