/** A small case of every operator that has a gradient, for engines that are too slow for random ones. */
import { fakeQuantNode } from '../../src/autodiff';
import { type AttributeValue, type Node, node, type Tensor, tensor } from '../../src/onnx';
import { apart, type Case, normal, type Value } from './differences';

type Attributes = Readonly<Record<string, AttributeValue>>;

const ints = (name: string, ...values: number[]): Tensor => tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
const floats = (name: string, ...values: number[]): Tensor => tensor(name, 'float32', [values.length], Float32Array.from(values));
const scalar = (value: number): Value => ({ dims: [], data: Float32Array.of(value) });
const positive = ({ dims, data }: Value): Value => ({ dims, data: data.map((v) => 0.5 + Math.abs(v) / 2) });
const times = ({ dims, data }: Value, factor: number): Value => ({ dims, data: data.map((v) => v * factor) });

/** y = op(x), or op(x, constant). */
function unary(op: string, x: Value, attributes: Attributes = {}, constants: readonly Tensor[] = [], opset = 13): Case {
  const inputs = ['x', ...constants.map((c) => c.name)];
  return { nodes: [node(op, inputs, ['y'], attributes)], inputs: { x }, initializers: constants, opset };
}

/** y = op of all inputs, in order. */
function many(op: string, inputs: Readonly<Record<string, Value>>, attributes: Attributes = {}, rest: Partial<Case> = {}): Case {
  return { nodes: [node(op, Object.keys(inputs), ['y'], attributes)], inputs, ...rest };
}

const kinks = apart([2, 5], 3);
const image = normal([1, 2, 4, 3], 5);
const smooth = normal([2, 3], 7);
const two = { a: normal([2, 1, 3], 1), b: normal([4, 1], 2) };
const channels = { scale: normal([2], 3, 0.5, 1), shift: normal([2], 4) };
const statistics = { mean: normal([2], 5), variance: { dims: [2], data: Float32Array.of(0.5, 2) } };
const resize = (mode: string, place: string, scales: readonly number[]): Case => ({
  nodes: [
    node('Resize', ['x', '', 'scales'], ['y'], { mode, coordinate_transformation_mode: place, nearest_mode: 'floor' } satisfies Attributes),
  ],
  inputs: { x: image },
  initializers: [floats('scales', ...scales)],
});
const where = tensor('c', 'bool', [2, 3], Uint8Array.of(1, 0, 0, 1, 1, 0));
const cast: readonly Node[] = [node('Exp', ['x'], ['e']), node('Cast', ['e'], ['y'], { to: 1 })];

/** Operator → cases. */
export const TABLE: Readonly<Record<string, readonly Case[]>> = {
  Conv: [
    many('Conv', { x: image, w: normal([3, 2, 3, 3], 2), b: normal([3], 3) }, { pads: [1, 1, 1, 1] }),
    many('Conv', { x: normal([2, 4, 5, 4], 1), w: normal([4, 1, 3, 3], 2) }, { group: 4, strides: [2, 2], pads: [1, 1, 1, 1] }),
    many('Conv', { x: normal([1, 4, 5, 5], 1), w: normal([6, 2, 2, 2], 2) }, { group: 2, dilations: [2, 1] }),
    many('Conv', { x: image, w: normal([3, 2, 1, 1], 2) }),
  ],
  ConvTranspose: [
    many('ConvTranspose', { x: image, w: normal([2, 3, 3, 3], 2), b: normal([3], 3) }, { strides: [2, 2], pads: [1, 1, 1, 1] }),
    many('ConvTranspose', { x: image, w: normal([2, 1, 2, 2], 2) }, { group: 2, strides: [2, 1], output_padding: [1, 0] }),
  ],
  Gemm: [many('Gemm', { a: normal([3, 2], 1), b: normal([4, 3], 2), c: normal([4], 3) }, { transA: 1, transB: 1, alpha: 0.7, beta: 1.3 })],
  MatMul: [many('MatMul', { a: normal([2, 1, 2, 3], 1), b: normal([3, 2], 2) })],
  BatchNormalization: [
    many('BatchNormalization', { x: image, ...channels, ...statistics }, { epsilon: 1e-3 }),
    {
      nodes: [
        node('BatchNormalization', ['x', 'scale', 'shift', 'mean', 'variance'], ['y', 'm', 'v'], { training_mode: 1, epsilon: 1e-2 }),
      ],
      inputs: { x: image, ...channels, ...statistics },
      trainable: ['x', 'scale', 'shift'],
      opset: 15,
    },
  ],
  InstanceNormalization: [many('InstanceNormalization', { x: image, ...channels }, { epsilon: 1e-2 })],
  LayerNormalization: [
    many('LayerNormalization', { x: smooth, scale: normal([3], 2), shift: normal([3], 3) }, { epsilon: 1e-2 }, { opset: 17 }),
  ],
  Relu: [unary('Relu', kinks)],
  LeakyRelu: [unary('LeakyRelu', kinks, { alpha: 0.3 })],
  PRelu: [many('PRelu', { x: kinks, slope: normal([5], 2) })],
  Clip: [many('Clip', { x: kinks, low: scalar(-0.6), high: scalar(0.4) })],
  HardSwish: [unary('HardSwish', kinks, {}, [], 14)],
  HardSigmoid: [unary('HardSigmoid', times(kinks, 3.3), { alpha: 0.21, beta: 0.4 })],
  Sigmoid: [unary('Sigmoid', smooth), { nodes: [node('Sigmoid', ['x'], ['s']), node('Mul', ['x', 's'], ['y'])], inputs: { x: smooth } }],
  Tanh: [unary('Tanh', smooth)],
  Softplus: [unary('Softplus', smooth)],
  Erf: [unary('Erf', smooth)],
  Elu: [unary('Elu', kinks, { alpha: 0.7 })],
  Selu: [unary('Selu', kinks)],
  Gelu: [unary('Gelu', smooth, {}, [], 20), unary('Gelu', smooth, { approximate: 'tanh' }, [], 20)],
  Mish: [unary('Mish', smooth, {}, [], 18)],
  Softsign: [unary('Softsign', kinks)],
  Softmax: [unary('Softmax', smooth, { axis: 0 }), unary('Softmax', smooth)],
  LogSoftmax: [unary('LogSoftmax', smooth, { axis: 0 })],
  Mul: [many('Mul', two)],
  Add: [many('Add', two)],
  Sub: [many('Sub', two)],
  Div: [many('Div', { a: two.a, b: positive(two.b) })],
  Pow: [many('Pow', { a: positive(two.a), b: two.b }), unary('Pow', smooth, {}, [floats('p', 2)])],
  Min: [many('Min', { a: apart([3], 1), b: times(apart([2, 1], 2), 2) })],
  Max: [many('Max', { a: apart([3], 1), b: times(apart([2, 1], 2), 2), c: scalar(0) })],
  Sum: [many('Sum', { ...two, c: scalar(1) })],
  Mean: [many('Mean', { ...two, c: scalar(1) })],
  Sqrt: [unary('Sqrt', positive(smooth))],
  Exp: [unary('Exp', smooth)],
  Log: [unary('Log', positive(smooth))],
  Neg: [unary('Neg', smooth)],
  Abs: [unary('Abs', kinks)],
  Reciprocal: [unary('Reciprocal', positive(smooth))],
  Sin: [unary('Sin', smooth)],
  Cos: [unary('Cos', smooth)],
  Where: [{ nodes: [node('Where', ['c', 'a', 'b'], ['y'])], inputs: { a: normal([3], 1), b: normal([2, 1], 2) }, initializers: [where] }],
  Concat: [many('Concat', { a: normal([2, 1], 1), b: normal([2, 3], 2) }, { axis: 1 })],
  Split: [
    {
      ...{ nodes: [node('Split', ['x', 'sizes'], ['p', 'q', 'r'], { axis: 1 })], inputs: { x: normal([2, 6], 1) } },
      ...{ initializers: [ints('sizes', 1, 2, 3)], outputs: ['p', 'r'] },
    },
  ],
  Slice: [
    unary('Slice', normal([4, 5], 1), {}, [ints('starts', 1, -1), ints('ends', 4, -9), ints('axes', 0, 1), ints('steps', 2, -2)]),
    unary('Slice', normal([4, 5], 1), {}, [ints('starts', 1, 2), ints('ends', 3, 5)]),
  ],
  Gather: [unary('Gather', normal([2, 4], 1), { axis: 1 }, [ints('indices', 3, 0, -1)])],
  Reshape: [unary('Reshape', smooth, {}, [ints('shape', 3, -1)])],
  Flatten: [unary('Flatten', image, { axis: 2 })],
  Transpose: [unary('Transpose', image, { perm: [2, 0, 3, 1] })],
  Squeeze: [unary('Squeeze', image, {}, [ints('axes', 0)])],
  Unsqueeze: [unary('Unsqueeze', smooth, {}, [ints('axes', 0, 2)])],
  Expand: [unary('Expand', normal([2, 1], 1), {}, [ints('shape', 3, 2, 4)])],
  Tile: [unary('Tile', smooth, {}, [ints('repeats', 2, 3)])],
  Pad: [
    unary('Pad', smooth, {}, [ints('pads', 1, 0, 0, 2)]),
    unary('Pad', normal([3, 4], 1), { mode: 'reflect' }, [ints('pads', 1, 2, 0, 1)]),
  ],
  SpaceToDepth: [unary('SpaceToDepth', normal([1, 1, 4, 2], 1), { blocksize: 2 })],
  DepthToSpace: [
    unary('DepthToSpace', normal([1, 4, 2, 1], 1), { blocksize: 2 }),
    unary('DepthToSpace', normal([1, 4, 2, 1], 1), { blocksize: 2, mode: 'CRD' }),
  ],
  Cast: [{ nodes: cast, inputs: { x: smooth } }],
  Identity: [unary('Identity', smooth)],
  Dropout: [unary('Dropout', smooth)],
  Resize: [
    resize('nearest', 'asymmetric', [1, 1, 2, 2]),
    resize('linear', 'half_pixel', [1, 1, 2, 1.5]),
    resize('linear', 'align_corners', [1, 1, 1.5, 2]),
  ],
  Upsample: [unary('Upsample', image, { mode: 'nearest' }, [floats('scales', 1, 1, 2, 2)], 9)],
  MaxPool: [
    unary('MaxPool', apart([1, 2, 4, 4], 1), { kernel_shape: [5, 5], pads: [2, 2, 2, 2] }),
    unary('MaxPool', apart([1, 1, 5, 4], 2), { kernel_shape: [2, 3], strides: [2, 1] }),
  ],
  AveragePool: [unary('AveragePool', image, { kernel_shape: [2, 2], strides: [2, 1], pads: [0, 1, 0, 0] })],
  GlobalAveragePool: [unary('GlobalAveragePool', image)],
  GlobalMaxPool: [unary('GlobalMaxPool', apart([1, 2, 3, 2], 1))],
  ReduceMean: [unary('ReduceMean', image, { axes: [1, -1] })],
  ReduceSum: [unary('ReduceSum', image, { keepdims: 0 }, [ints('axes', 0, 2)])],
  ReduceMax: [unary('ReduceMax', apart([2, 4], 1), { axes: [1], keepdims: 0 })],
  ReduceMin: [unary('ReduceMin', apart([2, 4], 1), { axes: [0] })],
  ReduceL2: [unary('ReduceL2', smooth, { axes: [1] })],
};

/** FakeQuant of an image with learned scale and zero point, inside and outside of its range. */
export function quantized(gradient: 'lsq' | 'pact' | 'ste'): Case {
  return {
    nodes: [fakeQuantNode('x', 'log', 'zero', 'q', { qmin: 0, qmax: 255, gradient }), node('Exp', ['q'], ['y'])],
    inputs: { x: normal([2, 3, 5, 7], 1), log: scalar(Math.log(0.01)), zero: scalar(90.3) },
    trainable: gradient === 'ste' ? ['x'] : ['x', 'log', 'zero'],
  };
}
