/** Writes the IR as an ONNX file: weights as raw_data, everything that the IR only carries along as it was. */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { StudioError } from '../numerics';
import { numberOf } from './dtypes';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type TypeProto,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './gen/onnx_pb';
import type { Attribute, Dim, Graph, Model, Node, Tensor, ValueInfo } from './graph';

/** A message that starts with the fields kept when reading. */
function start<S extends DescMessage>(schema: S, kept: Uint8Array | undefined): MessageShape<S> {
  return kept ? fromBinary(schema, kept) : create(schema);
}

function typeNumber(dtype: Tensor['dtype'], name: string): number {
  const type = numberOf(dtype);
  if (type === undefined)
    throw new StudioError(
      'unsupported',
      `Tensor "${name}" has the type ${dtype}, which can't be written.`,
      'Export the model again with float32 values.',
    );
  return type;
}

function writeTensor(tensor: Tensor, name = tensor.name): TensorProto {
  const { dims, dtype, data } = tensor;
  const proto = create(TensorProtoSchema, { dims: dims.map(BigInt), dataType: tensor.onnxType ?? typeNumber(dtype, name) });
  if (name) proto.name = name;
  if (ArrayBuffer.isView(data)) proto.rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  else proto.stringData = data.map((text) => new TextEncoder().encode(text));
  return proto;
}

function writeDim(dim: Dim) {
  return typeof dim === 'number' ? { dimValue: BigInt(dim) } : dim === null ? {} : { dimParam: dim };
}

function writeType({ name, dtype, shape, rawType }: ValueInfo): TypeProto | undefined {
  if (rawType) return fromBinary(TypeProtoSchema, rawType);
  if (dtype === null && shape === null) return undefined;
  const tensorType = {
    ...(dtype === null ? {} : { elemType: typeNumber(dtype, name) }),
    ...(shape === null ? {} : { shape: { dim: shape.map(writeDim) } }),
  };
  return create(TypeProtoSchema, { tensorType });
}

function writeValueInfo(info: ValueInfo): ValueInfoProto {
  return create(ValueInfoProtoSchema, { name: info.name, type: writeType(info) });
}

const utf8 = (text: string) => new TextEncoder().encode(text);

function writeAttribute(name: string, a: Attribute): AttributeProto {
  if (a.type === 'raw') return fromBinary(AttributeProtoSchema, a.value);
  const make = (type: number, fields: Parameters<typeof create<typeof AttributeProtoSchema>>[1]) =>
    create(AttributeProtoSchema, { name, type, ...fields });
  switch (a.type) {
    case 'float':
      return make(1, { f: a.value });
    case 'int':
      return make(2, { i: BigInt(a.value) });
    case 'string':
      return make(3, { s: utf8(a.value) });
    case 'tensor':
      return make(4, { t: writeTensor(a.value) });
    case 'graph':
      return make(5, { g: writeGraph(a.value) });
    case 'floats':
      return make(6, { floats: [...a.value] });
    case 'ints':
      return make(7, { ints: a.value.map(BigInt) });
    case 'strings':
      return make(8, { strings: a.value.map(utf8) });
    case 'tensors':
      return make(9, { tensors: a.value.map((t) => writeTensor(t)) });
    case 'graphs':
      return make(10, { graphs: a.value.map(writeGraph) });
    default:
      return a satisfies never;
  }
}

function writeNode(node: Node): NodeProto {
  const proto = start(NodeProtoSchema, node.unknown);
  proto.input = [...node.inputs];
  proto.output = [...node.outputs];
  proto.name = node.name;
  proto.opType = node.op;
  if (node.domain) proto.domain = node.domain;
  if (node.docString) proto.docString = node.docString;
  proto.attribute = Object.entries(node.attributes).map(([name, attribute]) => writeAttribute(name, attribute));
  return proto;
}

function writeGraph(graph: Graph): GraphProto {
  const proto = start(GraphProtoSchema, graph.unknown);
  proto.node = graph.nodes.map(writeNode);
  proto.name = graph.name;
  proto.initializer = [...graph.initializers].map(([name, tensor]) => writeTensor(tensor, name));
  if (graph.docString) proto.docString = graph.docString;
  proto.input = graph.inputs.map(writeValueInfo);
  proto.output = graph.outputs.map(writeValueInfo);
  proto.valueInfo = [...graph.valueInfo.values()].map(writeValueInfo);
  return proto;
}

/** IR 3 wants weights among the inputs, where they'd look like something to feed: written as 4. */
const OLDEST_WRITTEN_IR = 4;

/**
 * The bytes of an .onnx file that ONNX Runtime reads; everything is inside, no external data.
 * @throws StudioError 'unsupported' beyond 2 GiB, the format's limit for one file
 */
export function serializeModel(model: Model): Uint8Array {
  const proto = start(ModelProtoSchema, model.rest);
  proto.irVersion = BigInt(Math.max(model.irVersion, OLDEST_WRITTEN_IR));
  if (model.producer) proto.producerName = model.producer;
  if (model.producerVersion) proto.producerVersion = model.producerVersion;
  if (model.domain) proto.domain = model.domain;
  if (model.modelVersion) proto.modelVersion = BigInt(model.modelVersion);
  if (model.docString) proto.docString = model.docString;
  proto.graph = writeGraph(model.graph);
  proto.opsetImport = Object.entries(model.opsets).map(([domain, version]) =>
    create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
  );
  proto.metadataProps = Object.entries(model.metadata).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
  const weights = [...model.graph.initializers.values()].reduce((sum, t) => sum + (ArrayBuffer.isView(t.data) ? t.data.byteLength : 0), 0);
  if (weights >= 2 ** 31)
    throw new StudioError(
      'unsupported',
      `The model has ${weights} bytes of weights; an ONNX file holds at most 2 GiB.`,
      'Use a smaller network.',
    );
  return toBinary(ModelProtoSchema, proto);
}
