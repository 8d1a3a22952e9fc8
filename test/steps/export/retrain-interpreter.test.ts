/** The interpreter of retrain.py against onnxruntime: operator by operator, the tiny network, the real ones. */
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { type AttributeValue, makeModel, node, parseModel, serializeModel, type Tensor, tensor, valueInfo } from '../../../src/onnx';
import { prepareModel } from '../../../src/steps/open';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { type Feeds, randomFeeds, runBytes } from '../../onnx/ort';
import { HAS_DATA, realModel, smallSize } from '../../onnx/real';
import { interpret, relativeDifference, SKIPPED, TORCH_PYTHON } from './retrain-python';

/** The FP32 networks. YuNet and PP-OCR take any size. */
const REAL = [
  'blazeface_back_256.onnx',
  'mnist_opset7.onnx',
  'opencvzoo_nanodet_2022nov.onnx',
  'ppocrv4_det.onnx',
  'ultraface_rfb_320.onnx',
  'yolox_nano.onnx',
  'yolox_nano_3cls.onnx',
  'yolox_nano_unsimplified.onnx',
  'yolox_tiny_pruned_4cls_512.onnx',
  'yunet_n_dynamic.onnx',
];

const LONG = 300_000;

const random = createRandom(5);
const floats = (name: string, ...dims: number[]): Tensor =>
  tensor(
    name,
    'float32',
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );
const ints = (name: string, ...values: number[]): Tensor => tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
const reals = (name: string, ...values: number[]): Tensor => tensor(name, 'float32', [values.length], Float32Array.from(values));
const scalar = (name: string, value: number): Tensor => tensor(name, 'float32', [], Float32Array.of(value));

interface Case {
  readonly op: string;
  /** Of the input x. */
  readonly dims?: readonly number[];
  /** Behind x; '' leaves an input out. */
  readonly constants?: readonly (Tensor | '')[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly opset?: number;
  readonly outputs?: number;
  readonly positive?: boolean;
}

const IMAGE = [1, 4, 9, 7];

const unary = (op: string, more: Partial<Case> = {}): Case => ({ op, dims: [2, 3, 5], ...more });
const resize = (mode: string, where: string, scales: readonly number[], nearest?: string): Case => ({
  op: 'Resize',
  dims: [1, 2, 6, 5],
  constants: ['', reals('scales', 1, 1, ...scales)],
  attributes: { mode, coordinate_transformation_mode: where, ...(nearest ? { nearest_mode: nearest } : {}) },
});

const CASES: Readonly<Record<string, readonly Case[]>> = {
  convolutions: [
    { op: 'Conv', constants: [floats('w', 6, 4, 3, 3), floats('b', 6)], attributes: { pads: [1, 0, 2, 1], strides: [2, 1] } },
    { op: 'Conv', constants: [floats('w', 8, 2, 3, 2), floats('b', 8)], attributes: { group: 2, dilations: [2, 1], pads: [2, 1, 2, 1] } },
    ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((auto_pad) => ({
      op: 'Conv',
      constants: [floats('w', 4, 4, 4, 4)],
      attributes: { auto_pad, strides: [2, 2] },
    })),
    { op: 'Conv', dims: [1, 3, 10], constants: [floats('w', 2, 3, 3)], attributes: { pads: [1, 1] } },
    { op: 'ConvTranspose', constants: [floats('w', 4, 3, 2, 2), floats('b', 3)], attributes: { strides: [2, 2] } },
    {
      op: 'ConvTranspose',
      constants: [floats('w', 4, 2, 3, 3), floats('b', 4)],
      attributes: { group: 2, strides: [2, 2], pads: [1, 1, 1, 0], output_padding: [1, 0] },
    },
    { op: 'ConvTranspose', constants: [floats('w', 4, 2, 3, 3)], attributes: { strides: [2, 2], output_shape: [18, 14] } },
    { op: 'Gemm', dims: [3, 4], constants: [floats('w', 5, 4), floats('b', 5)], attributes: { transB: 1, alpha: 0.5, beta: 1.5 } },
    { op: 'MatMul', dims: [2, 3, 4], constants: [floats('w', 4, 5)] },
  ],
  windows: [
    { op: 'MaxPool', attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 0, 1] } },
    { op: 'MaxPool', dims: [1, 2, 8, 8], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
    { op: 'MaxPool', attributes: { kernel_shape: [3, 3], auto_pad: 'SAME_UPPER', strides: [2, 2] } },
    { op: 'AveragePool', attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] } },
    { op: 'AveragePool', attributes: { kernel_shape: [3, 3], pads: [1, 0, 1, 1], count_include_pad: 1 } },
    { op: 'GlobalAveragePool' },
    { op: 'GlobalMaxPool' },
    { op: 'LRN', attributes: { size: 3, alpha: 0.01, beta: 0.7, bias: 1.5 } },
    { op: 'InstanceNormalization', constants: [floats('s', 4), floats('b', 4)] },
    { op: 'LayerNormalization', dims: [2, 3, 5], constants: [floats('s', 5), floats('b', 5)], opset: 17 },
    {
      op: 'BatchNormalization',
      constants: [floats('s', 4), floats('b', 4), floats('m', 4), reals('v', 0.5, 1, 2, 3)],
      attributes: { epsilon: 1e-3 },
    },
  ],
  activations: [
    ...['Relu', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'Erf', 'Elu', 'Selu', 'LeakyRelu', 'HardSigmoid'].map((op) => unary(op)),
    unary('LeakyRelu', { attributes: { alpha: 0.2 } }),
    unary('HardSigmoid', { attributes: { alpha: 0.3, beta: 0.4 } }),
    unary('HardSwish', { opset: 14 }),
    unary('Mish', { opset: 18 }),
    unary('Gelu', { opset: 20 }),
    unary('Gelu', { opset: 20, attributes: { approximate: 'tanh' } }),
    unary('PRelu', { constants: [floats('slope', 3, 1)] }),
    unary('Clip', { constants: [scalar('low', -0.5), scalar('high', 0.7)] }),
    unary('Clip', { constants: ['', scalar('high', 0.2)] }),
    unary('Clip', { opset: 10, attributes: { min: -0.3, max: 0.4 } }),
    unary('Softmax', { attributes: { axis: 1 } }),
    unary('Softmax', { opset: 11, attributes: { axis: 1 } }),
    unary('Softmax', { opset: 11 }),
    unary('LogSoftmax', { attributes: { axis: -1 } }),
  ],
  arithmetic: [
    ...['Sqrt', 'Log', 'Reciprocal'].map((op) => unary(op, { positive: true })),
    ...['Exp', 'Neg', 'Abs', 'Floor', 'Ceil', 'Round', 'Sign', 'Sin', 'Cos'].map((op) => unary(op)),
    ...['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sum', 'Mean'].map((op) => unary(op, { constants: [floats('c', 3, 1)] })),
    unary('Pow', { constants: [scalar('e', 2)] }),
    unary('Mod', { constants: [reals('c', 0.7)], attributes: { fmod: 1 } }),
    unary('ReduceMean', { attributes: { axes: [1, -1], keepdims: 0 } }),
    unary('ReduceMean', { opset: 18, constants: [ints('axes', 1)] }),
    unary('ReduceSum', { constants: [ints('axes', 0, 2)], attributes: { keepdims: 1 } }),
    ...['ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceProd'].map((op) => unary(op, { attributes: { axes: [2], keepdims: 0 } })),
    unary('ReduceSum'),
  ],
  shapes: [
    { op: 'Concat', constants: [floats('c', 1, 2, 9, 7)], attributes: { axis: 1 } },
    { op: 'Split', attributes: { axis: 1 }, outputs: 2, opset: 11 },
    { op: 'Split', constants: [ints('parts', 1, 3)], attributes: { axis: 1 }, outputs: 2 },
    { op: 'Split', attributes: { axis: 2, num_outputs: 2 }, outputs: 2, opset: 18 },
    { op: 'Slice', constants: [ints('s', 1, -1), ints('e', 9, -9), ints('a', 2, 3), ints('st', 2, -2)] },
    { op: 'Slice', attributes: { starts: [1, -3], ends: [3, 1000], axes: [1, 2] }, opset: 9 },
    { op: 'Gather', constants: [tensor('i', 'int64', [2, 2], BigInt64Array.of(0n, -1n, 2n, 1n))], attributes: { axis: 1 } },
    { op: 'GatherElements', dims: [2, 3], constants: [tensor('i', 'int64', [1, 3], BigInt64Array.of(1n, -1n, 0n))] },
    { op: 'GatherND', dims: [2, 3], constants: [tensor('i', 'int64', [2, 2], BigInt64Array.of(0n, 1n, 1n, -1n))] },
    { op: 'ScatterND', dims: [4, 3], constants: [tensor('i', 'int64', [2, 1], BigInt64Array.of(3n, 1n)), floats('u', 2, 3)] },
    { op: 'ScatterElements', dims: [3, 3], constants: [tensor('i', 'int64', [1, 3], BigInt64Array.of(1n, 0n, 2n)), floats('u', 1, 3)] },
    { op: 'Reshape', constants: [ints('shape', 0, 2, -1)] },
    { op: 'Flatten', attributes: { axis: 2 } },
    { op: 'Transpose', attributes: { perm: [0, 2, 3, 1] } },
    { op: 'Transpose' },
    { op: 'Squeeze', constants: [ints('axes', 0)] },
    { op: 'Squeeze', attributes: { axes: [0] }, opset: 11 },
    { op: 'Unsqueeze', constants: [ints('axes', 0, -1)] },
    { op: 'Unsqueeze', attributes: { axes: [1] }, opset: 11 },
    { op: 'Expand', constants: [ints('shape', 2, 1, 1, 7)] },
    { op: 'Tile', constants: [ints('repeats', 1, 2, 1, 3)] },
    { op: 'Pad', constants: [ints('pads', 0, 0, 1, 2, 0, 1, 0, 3), scalar('v', 0.5)] },
    { op: 'Pad', constants: [ints('pads', 0, 0, -1, 2, 0, 0, 1, -1)] },
    ...['reflect', 'edge'].map((mode) => ({ op: 'Pad', constants: [ints('pads', 0, 0, 2, 3, 0, 0, 1, 2)], attributes: { mode } })),
    { op: 'Pad', attributes: { pads: [0, 0, 1, 2, 0, 0, 3, 4], value: 0.5 }, opset: 10 },
    { op: 'SpaceToDepth', dims: [1, 3, 4, 6], attributes: { blocksize: 2 } },
    { op: 'DepthToSpace', dims: [1, 8, 3, 2], attributes: { blocksize: 2 } },
    { op: 'DepthToSpace', dims: [1, 8, 3, 2], attributes: { blocksize: 2, mode: 'CRD' } },
    { op: 'TopK', dims: [2, 6], constants: [ints('k', 3)], attributes: { axis: 1 }, outputs: 2 },
    { op: 'ArgMax', attributes: { axis: 1, keepdims: 0 } },
    { op: 'ArgMin', attributes: { axis: 2 } },
    { op: 'Shape' },
    { op: 'Shape', attributes: { start: 1, end: -1 }, opset: 15 },
    { op: 'Size' },
    { op: 'Cast', attributes: { to: 6 } },
    { op: 'Identity' },
    { op: 'Dropout' },
  ],
  resize: [
    resize('nearest', 'asymmetric', [2, 2], 'floor'),
    ...['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'].map((n) => resize('nearest', 'half_pixel', [1.5, 2], n)),
    resize('nearest', 'align_corners', [2, 3], 'round_prefer_ceil'),
    ...['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'].map((where) => resize('linear', where, [2, 1.4])),
    ...['half_pixel', 'asymmetric'].map((where) => resize('linear', where, [0.5, 0.6])),
    ...['half_pixel', 'align_corners'].map((where) => resize('cubic', where, [2, 1.6])),
    { ...resize('linear', 'half_pixel', []), constants: ['', '', ints('sizes', 1, 2, 9, 4)] },
    { op: 'Resize', dims: [1, 2, 4, 4], constants: [reals('scales', 1, 1, 2, 2)], attributes: { mode: 'linear' }, opset: 10 },
    { op: 'Upsample', dims: [1, 2, 4, 4], constants: [reals('scales', 1, 1, 2, 3)], attributes: { mode: 'linear' }, opset: 9 },
    { op: 'Upsample', dims: [1, 2, 4, 4], attributes: { mode: 'nearest', scales: { type: 'floats', value: [1, 1, 2, 2] } }, opset: 7 },
  ],
};

const describeCase = ({ op, opset = 13, attributes = {}, constants = [] }: Case) =>
  `${op} at opset ${opset} ${JSON.stringify(attributes)} ${constants.map((c) => (c === '' ? '–' : c.dims.join('×'))).join(' ')}`;

const KINDS: Readonly<Record<string, 'int64' | 'int32'>> = {
  Shape: 'int64',
  Size: 'int64',
  ArgMax: 'int64',
  ArgMin: 'int64',
  Cast: 'int32',
};

function caseModel({ op, dims = IMAGE, constants = [], attributes = {}, opset = 13, outputs = 1, positive = false }: Case) {
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const inputs = ['x', ...constants.map((c) => (c === '' ? '' : c.name))];
  const model = makeModel({
    inputs: [valueInfo('x', 'float32', dims)],
    outputs: names.map((name, i) => valueInfo(name, i === 1 && op === 'TopK' ? 'int64' : (KINDS[op] ?? 'float32'), null)),
    nodes: [node(op, inputs, names, attributes, op)],
    initializers: constants.filter((c): c is Tensor => c !== ''),
    opset,
  });
  const length = dims.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length }, () => (positive ? 0.1 + random.next() : 2 * random.normal()));
  const feeds: Feeds = { x: new OrtTensor('float32', data, dims) };
  return { name: op, bytes: serializeModel({ ...model, irVersion: 8 }), feeds };
}

describe.runIf(TORCH_PYTHON)(`the interpreter of retrain.py${SKIPPED}`, () => {
  it(
    'computes each operator as onnxruntime does',
    async () => {
      const cases = Object.values(CASES).flat();
      const jobs = cases.map(caseModel);
      const found = await interpret(jobs);
      const wrong: string[] = [];
      for (const [i, job] of jobs.entries()) {
        const difference = relativeDifference(found[i]!.outputs, await runBytes(job.bytes, job.feeds));
        if (!(difference < 1e-5)) wrong.push(`${describeCase(cases[i]!)}: ${difference}`);
      }
      expect(cases.length).toBeGreaterThan(120);
      expect(wrong).toEqual([]);
    },
    LONG,
  );

  it(
    'computes the tiny network as onnxruntime does and trains each of its convolutions',
    async () => {
      const model = tinyYolox();
      const feeds = randomFeeds(model);
      const bytes = serializeModel(model);
      const [found] = await interpret([{ name: 'tiny', bytes, feeds }]);
      expect(relativeDifference(found!.outputs, await runBytes(bytes, feeds))).toBeLessThan(1e-5);
      const trained = [...model.graph.initializers.keys()].filter((name) => /\.(weight|bias)$/.test(name));
      expect(found!.weights).toEqual(trained.sort());
    },
    LONG,
  );

  it.runIf(HAS_DATA)(
    'computes every real network as onnxruntime does, as it is and as the studio opens it',
    async () => {
      const raw = REAL.map((name) => {
        const bytes = realModel(name);
        return { name, bytes, feeds: randomFeeds(parseModel(bytes), smallSize, 3, 1) };
      });
      const opened = REAL.map((name) => {
        const model = prepareModel(parseModel(realModel(name)));
        return { name: `${name}, opened`, bytes: serializeModel(model), feeds: randomFeeds(model, smallSize, 3, 1) };
      });
      const jobs = [...raw, ...opened];
      const found = await interpret(jobs);
      const report: Record<string, number> = {};
      for (const [i, { name, bytes, feeds }] of jobs.entries())
        report[name] = relativeDifference(found[i]!.outputs, await runBytes(bytes, feeds));
      expect(Object.entries(report).filter(([, difference]) => !(difference < 1e-3))).toEqual([]);
      const nano = found[jobs.findIndex(({ name }) => name === 'yolox_nano.onnx')]!;
      expect(nano.weights.length).toBe(2 * 113);
      expect(found.every(({ numbers }) => numbers > 0)).toBe(true);
    },
    300_000,
  );
});
