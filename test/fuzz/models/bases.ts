/** Valid networks that the model mutations start from: the embedded detectors, a head of each family, every operator, subgraphs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Model, makeModel, node, OP_TYPES, serializeModel, tensor, valueInfo } from '../../../src/onnx';
import { GraphProtoSchema, type ModelProto, ModelProtoSchema } from '../../../src/onnx/gen/onnx_pb';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { nanodetModel, quantized, yolov5Model, yolov8Model, yoloxModel } from '../../models/fixtures';
import { OPERATORS } from '../../onnx/operators';

export interface Base {
  readonly bytes: Uint8Array;
  /** External-data files by the name the model gives them. */
  readonly external?: ReadonlyMap<string, Uint8Array>;
}

const embedded = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../../static/models/${name}.onnx`, import.meta.url))));

const ints = (name: string, ...values: number[]) => tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
const floats = (name: string, dims: readonly number[]) =>
  tensor(
    name,
    'float32',
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1)),
  );

/** A classifier with an open batch and size: Conv, BatchNormalization, a block with a sum, Shape arithmetic, Gemm. */
function classifier(): Model {
  return makeModel({
    inputs: [valueInfo('images', 'float32', ['batch', 3, 'height', 'width'])],
    outputs: [valueInfo('scores', 'float32', ['batch', 4])],
    nodes: [
      node('Conv', ['images', 'w0'], ['c0'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
      node('BatchNormalization', ['c0', 'gamma', 'beta', 'mean', 'variance'], ['b0']),
      node('Relu', ['b0'], ['r0']),
      node('Conv', ['r0', 'w1'], ['c1'], { pads: [1, 1, 1, 1], group: 8 }),
      node('Clip', ['c1', 'low', 'high'], ['k1']),
      node('Conv', ['k1', 'w2', 'bias2'], ['c2']),
      node('Add', ['c2', 'r0'], ['sum']),
      node('Dropout', ['sum'], ['kept']),
      node('Shape', ['kept'], ['size']),
      node('Gather', ['size', 'zero'], ['n'], { axis: 0 }),
      node('Unsqueeze', ['n', 'axis0'], ['n1']),
      node('Concat', ['n1', 'rest'], ['target'], { axis: 0 }),
      node('GlobalAveragePool', ['kept'], ['pooled']),
      node('Reshape', ['pooled', 'target'], ['flat']),
      node('ConstantOfShape', ['eight'], ['ones'], { value: tensor('', 'float32', [1], Float32Array.of(1)) }),
      node('Mul', ['flat', 'ones'], ['scaled']),
      node('Gemm', ['scaled', 'w3', 'bias3'], ['scores'], { transB: 1 }),
    ],
    initializers: [
      floats('w0', [8, 3, 3, 3]),
      ...['gamma', 'beta', 'mean'].map((name) => floats(name, [8])),
      tensor('variance', 'float32', [8], new Float32Array(8).fill(1)),
      floats('w1', [8, 1, 3, 3]),
      tensor('low', 'float32', [], Float32Array.of(0)),
      tensor('high', 'float32', [], Float32Array.of(6)),
      floats('w2', [8, 8, 1, 1]),
      floats('bias2', [8]),
      tensor('zero', 'int64', [], BigInt64Array.of(0n)),
      ints('axis0', 0),
      ints('rest', -1),
      ints('eight', 8),
      floats('w3', [4, 8]),
      floats('bias3', [4]),
    ],
  });
}

/** Constants that fold: grids as detectors make them, data that moves. */
function folding(): Model {
  return makeModel({
    inputs: [valueInfo('x', 'float32', [1, 2, 4, 6])],
    outputs: [valueInfo('y', 'float32', null)],
    nodes: [
      node('Range', ['start', 'limit', 'step'], ['r']),
      node('Cast', ['r'], ['rf'], { to: 1 }),
      node('Reshape', ['rf', 'row'], ['grid']),
      node('Expand', ['grid', 'wide'], ['e']),
      node('Tile', ['e', 'times'], ['t']),
      node('Transpose', ['t'], ['tt'], { perm: [0, 1, 3, 2] }),
      node('Slice', ['tt', 'from', 'to', 'axes', 'steps'], ['s']),
      node('Pad', ['s', 'pads'], ['p']),
      node('ReduceSum', ['p', 'axes'], ['sum'], { keepdims: 1 }),
      node('Split', ['table', 'halves'], ['left', 'right'], { axis: 1 }),
      node('Concat', ['left', 'right'], ['joined'], { axis: 0 }),
      node('ScatterND', ['joined', 'places', 'updates'], ['scattered']),
      node('GatherElements', ['scattered', 'picks'], ['picked'], { axis: 0 }),
      node('Where', ['mask', 'picked', 'one'], ['where']),
      node('NonZero', ['where'], ['nz']),
      node('Shape', ['nz'], ['nzs']),
      node('ReduceProd', ['nzs'], ['count'], { keepdims: 0 }),
      node('Cast', ['count'], ['cf'], { to: 1 }),
      node('Mul', ['x', 'cf'], ['scaled']),
      node('Add', ['scaled', 'sum'], ['shifted']),
      node('Resize', ['shifted', '', 'scales'], ['big'], { mode: 'nearest' }),
      node('TopK', ['big', 'two'], ['top', 'index'], { axis: -1 }),
      node('SpaceToDepth', ['top'], ['y'], { blocksize: 2 }),
    ],
    initializers: [
      ...[0, 6, 1].map((v, i) => tensor(['start', 'limit', 'step'][i]!, 'int64', [], BigInt64Array.of(BigInt(v)))),
      ints('row', 1, 1, 1, 6),
      ints('wide', 1, 2, 4, 6),
      ints('times', 1, 1, 1, 1),
      ints('from', 0, 0),
      ints('to', 9007199254740991, 9007199254740991),
      ints('axes', 2, 3),
      ints('steps', 1, 1),
      ints('pads', 0, 0, 0, 0, 0, 0, 0, 0),
      floats('table', [2, 4]),
      ints('halves', 2, 2),
      tensor('places', 'int64', [1, 2], BigInt64Array.of(1n, 1n)),
      floats('updates', [1]),
      tensor('picks', 'int64', [1, 2], BigInt64Array.of(3n, 0n)),
      tensor('mask', 'bool', [1, 2], Uint8Array.of(1, 0)),
      tensor('one', 'float32', [], Float32Array.of(1)),
      tensor('scales', 'float32', [4], Float32Array.of(1, 1, 2, 2)),
      ints('two', 2),
    ],
  });
}

/** One small network per operator case, its constants as weights. */
function operator(op: (typeof OP_TYPES)[number]): Model {
  const { feeds, constants = [], attributes, outputs = 1, opset = 13 } = OPERATORS[op][0]!;
  const inputs = feeds.map(({ dtype, dims }, i) => valueInfo(`x${i}`, dtype, dims));
  const weights = constants.flatMap((t, i) => (t ? [{ ...t, name: `w${i}` }] : []));
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const read = [...inputs.map(({ name }) => name), ...constants.map((t, i) => (t ? `w${i}` : ''))];
  const microsoft = op.startsWith('QLinear') && op !== 'QLinearConv' && op !== 'QLinearMatMul';
  return {
    ...makeModel({
      inputs,
      outputs: names.map((name) => valueInfo(name, null, null)),
      nodes: [{ ...node(op, read, names, attributes), domain: microsoft ? 'com.microsoft' : '' }],
      initializers: weights,
      opset,
    }),
    opsets: { '': opset, 'com.microsoft': 1 },
  };
}

function changed(model: Model, change: (proto: ModelProto) => void): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, serializeModel(model));
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

/** If with two branches that read from outside, as exporters of suppression write it. */
const branches = (): Uint8Array =>
  changed(classifier(), (proto) => {
    const inner = (op: string, name: string) =>
      create(GraphProtoSchema, {
        name,
        node: [{ opType: op, name: `${name}_node`, input: ['flat'], output: [`${name}_out`] }],
        output: [{ name: `${name}_out` }],
      });
    const at = proto.graph!.node.findIndex(({ output }) => output[0] === 'scaled');
    proto.graph!.initializer.push({ ...proto.graph!.initializer[0]!, name: 'yes', dims: [], dataType: 9, rawData: Uint8Array.of(1) });
    proto.graph!.node.splice(at, 1, {
      ...proto.graph!.node[at]!,
      opType: 'If',
      input: ['yes'],
      output: ['scaled'],
      attribute: [
        { ...proto.graph!.node[0]!.attribute[0]!, name: 'then_branch', type: 5, ints: [], g: inner('Relu', 'then') },
        { ...proto.graph!.node[0]!.attribute[0]!, name: 'else_branch', type: 5, ints: [], g: inner('Neg', 'else') },
      ],
    });
  });

/** Weights in a file beside the model. */
function external(): Base {
  const model = classifier();
  const data = new Uint8Array((model.graph.initializers.get('w0')!.data as Float32Array).slice().buffer);
  const bytes = changed(model, ({ graph }) => {
    const w = graph!.initializer.find(({ name }) => name === 'w0')!;
    w.rawData = new Uint8Array();
    w.dataLocation = 1;
    w.externalData = Object.entries({ location: 'weights.bin', offset: '0', length: String(data.length) }).map(([key, value]) => ({
      $typeName: 'onnx.StringStringEntryProto',
      key,
      value,
    }));
  });
  return { bytes, external: new Map([['weights.bin', data]]) };
}

const of = (model: Model): Base => ({ bytes: serializeModel(model) });

const MAKERS: Readonly<Record<string, () => Base>> = {
  'scenes-depthwise': () => ({ bytes: embedded('scenes-depthwise') }),
  'scenes-dense': () => ({ bytes: embedded('scenes-dense') }),
  yolox: () => of(tinyYolox()),
  'yolox-dense': () => of(tinyYolox({ depthwise: false, logits: true, kernelShape: false })),
  'yolox-cut': () => of(yoloxModel({ classes: 3, form: 'cut' })),
  yolov8: () => of(yolov8Model(3, 64, false, { names: "{0: 'a', 1: 'b', 2: 'c'}" })),
  yolov5: () => of(yolov5Model(3)),
  nanodet: () => of(nanodetModel(3)),
  qdq: () => of(quantized(yoloxModel({ classes: 3, form: 'raw' }))),
  classifier: () => of(classifier()),
  folding: () => of(folding()),
  branches: () => ({ bytes: branches() }),
  external,
  ...Object.fromEntries(OP_TYPES.map((op) => [`op:${op}`, () => of(operator(op))])),
};

export const BASE_NAMES: readonly string[] = Object.keys(MAKERS);

const made = new Map<string, Base>();

/** @throws Error for a name that isn't in {@link BASE_NAMES} */
export function baseOf(name: string): Base {
  const make = MAKERS[name];
  if (!make) throw new Error(`There is no base model "${name}".`);
  const base = made.get(name) ?? make();
  made.set(name, base);
  return base;
}
