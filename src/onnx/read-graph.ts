/** GraphProto, NodeProto, AttributeProto and ValueInfoProto → the IR. */
import { create, type DescMessage, type Message, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { StudioError } from '../numerics';
import { isAmbiguous, storageOf } from './dtypes';
import type { ExternalData } from './external';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TypeProto,
  TypeProtoSchema,
  type ValueInfoProto,
} from './gen/onnx_pb';
import type { Attribute, Dim, Graph, Node, Tensor, ValueInfo } from './graph';
import { readTensor } from './read-tensor';
import { sortNodes } from './topology';
import { checkNode } from './verify';

/** What reading one file carries along. */
export interface ReadContext {
  readonly external: ExternalData;
  /** Node names taken so far, in the whole model. */
  readonly names: Set<string>;
  readonly notes: string[];
  /** Set when the file uses fields that this studio's schema doesn't know. */
  sawUnknown: boolean;
}

/** Subgraphs within subgraphs beyond this are refused: no exporter makes them, hostile files do. */
const MAX_NESTING = 20;

type Kept<S extends DescMessage> = Parameters<typeof create<S>>[1];

/** Serialized message with only `kept` and the unknown fields of `from`; undefined when that is nothing. */
export function keepUnknown<S extends DescMessage>(schema: S, from: MessageShape<S>, kept: Kept<S>): Uint8Array | undefined {
  const message = create(schema, kept) as Message;
  message.$unknown = (from as Message).$unknown;
  const bytes = toBinary(schema, message as MessageShape<S>);
  return bytes.length > 0 ? bytes : undefined;
}

export function markUnknown(context: ReadContext, ...messages: readonly (Message | undefined)[]): void {
  if (messages.some((m) => m?.$unknown && m.$unknown.length > 0)) context.sawUnknown = true;
}

function readShape(type: TypeProto): Dim[] | null {
  const shape = type.tensorType?.shape;
  if (!shape) return null;
  return shape.dim.map((dim) => {
    if (dim.dimParam !== '') return dim.dimParam;
    const value = Number(dim.dimValue);
    const given = dim.dimValue !== 0n || Object.hasOwn(dim, 'dimValue');
    return given && value >= 0 && Number.isSafeInteger(value) ? value : null;
  });
}

export function readValueInfo(proto: ValueInfoProto, context: ReadContext): ValueInfo {
  const { name, type } = proto;
  if (!type) return { name, dtype: null, shape: null };
  const tensor = type.tensorType;
  markUnknown(context, proto, type, tensor);
  const elemType = tensor?.elemType ?? 0;
  const plain =
    (tensor || toBinary(TypeProtoSchema, type).length === 0) &&
    type.denotation === '' &&
    !isAmbiguous(elemType) &&
    !tensor?.shape?.dim.some((dim) => dim.denotation !== '');
  return {
    name,
    dtype: storageOf(elemType)?.dtype ?? null,
    shape: readShape(type),
    ...(plain ? {} : { rawType: toBinary(TypeProtoSchema, type) }),
  };
}

const isSafe = (value: bigint) => value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);

/** Files before IR 3 leave the kind out: it is the field that is there. */
function attributeKind(a: AttributeProto): number {
  if (a.type !== 0) return a.type;
  const kinds: readonly [boolean, number][] = [
    [a.t !== undefined, 4],
    [a.g !== undefined, 5],
    [a.floats.length > 0, 6],
    [a.ints.length > 0, 7],
    [a.strings.length > 0, 8],
    [a.tensors.length > 0, 9],
    [a.graphs.length > 0, 10],
    [a.s.length > 0, 3],
    [Object.hasOwn(a, 'i'), 2],
    [Object.hasOwn(a, 'f'), 1],
  ];
  return kinds.find(([there]) => there)?.[1] ?? 0;
}

function readAttribute(a: AttributeProto, node: string, context: ReadContext, depth: number): Attribute {
  const raw = (): Attribute => ({ type: 'raw', value: toBinary(AttributeProtoSchema, a) });
  if (a.refAttrName !== '') return raw();
  markUnknown(context, a, a.t, a.g);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const tensor = (t: AttributeProto['tensors'][number]) => readTensor(t, `${node}.${a.name}`, context.external);
  try {
    switch (attributeKind(a)) {
      case 1:
        return { type: 'float', value: a.f };
      case 2:
        return isSafe(a.i) ? { type: 'int', value: Number(a.i) } : raw();
      case 3:
        return { type: 'string', value: utf8.decode(a.s) };
      case 4:
        return a.t ? { type: 'tensor', value: tensor(a.t) } : raw();
      case 5:
        return a.g ? { type: 'graph', value: readGraph(a.g, context, depth + 1) } : raw();
      case 6:
        return { type: 'floats', value: a.floats };
      case 7:
        return a.ints.every(isSafe) ? { type: 'ints', value: a.ints.map(Number) } : raw();
      case 8:
        return { type: 'strings', value: a.strings.map((s) => utf8.decode(s)) };
      case 9:
        return { type: 'tensors', value: a.tensors.map(tensor) };
      case 10:
        return { type: 'graphs', value: a.graphs.map((g) => readGraph(g, context, depth + 1)) };
      default:
        return raw();
    }
  } catch (error) {
    if (error instanceof TypeError) return raw(); // not UTF-8
    throw error;
  }
}

function readNode(proto: NodeProto, name: string, context: ReadContext, depth: number): Node {
  markUnknown(context, proto);
  const { overload, metadataProps, deviceConfigurations } = proto;
  const unknown = keepUnknown(NodeProtoSchema, proto, {
    ...(overload ? { overload } : {}),
    metadataProps,
    deviceConfigurations,
  });
  return {
    name,
    op: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(proto.attribute.map((a) => [a.name, readAttribute(a, name, context, depth)])),
    ...(proto.docString ? { docString: proto.docString } : {}),
    ...(unknown ? { unknown } : {}),
  };
}

/** Names for every node: the file's where it is first to use it, "<op>_<index>" (made unique) elsewhere. */
function nameNodes(protos: readonly NodeProto[], context: ReadContext): string[] {
  const { names } = context;
  const given = protos.map(({ name }) => {
    if (name === '' || names.has(name)) return '';
    names.add(name);
    return name;
  });
  return given.map((name, i) => {
    if (name !== '') return name;
    const base = `${protos[i]!.opType}_${i}`;
    let unique = base;
    for (let n = 2; names.has(unique); n++) unique = `${base}_${n}`;
    names.add(unique);
    return unique;
  });
}

function readInitializers(proto: GraphProto, context: ReadContext): Map<string, Tensor> {
  const initializers = new Map<string, Tensor>();
  for (const t of proto.initializer) {
    markUnknown(context, t);
    if (t.name === '') throw new StudioError('bad-model', 'A weight has no name.', 'Export the model again.');
    if (initializers.has(t.name)) throw new StudioError('bad-model', `Two weights are called "${t.name}".`, 'Export the model again.');
    initializers.set(t.name, readTensor(t, '', context.external));
  }
  return initializers;
}

/** Engines hand values in and out as plain objects, in which this key means something else. */
function checkNames(node: Node): void {
  if (node.inputs.includes('__proto__') || node.outputs.includes('__proto__'))
    throw new StudioError(
      'unsupported',
      `"${node.name}" (${node.op}) uses a value called "__proto__".`,
      'Rename it and export the model again.',
    );
}

/** @throws StudioError 'bad-model' for what contradicts itself; see topology.ts for order and cycles */
export function readGraph(proto: GraphProto, context: ReadContext, depth = 0): Graph {
  if (depth > MAX_NESTING)
    throw new StudioError('unsupported', `The graph has subgraphs nested more than ${MAX_NESTING} deep.`, 'Export without nested loops.');
  markUnknown(context, proto);
  const initializers = readInitializers(proto, context);
  const listed = proto.input.filter((input) => initializers.has(input.name)).length;
  if (listed > 0)
    context.notes.push(`${listed} of ${proto.input.length} inputs are weights: they were moved out of the inputs and count as constants.`);
  const inputs = proto.input.filter((input) => !initializers.has(input.name)).map((input) => readValueInfo(input, context));
  const names = nameNodes(proto.node, context);
  const nodes = proto.node.map((node, i) => readNode(node, names[i]!, context, depth));
  const inputNames = new Set(inputs.map((input) => input.name));
  for (const node of nodes) {
    checkNode(node);
    if (node.op === '') throw new StudioError('bad-model', `Node "${node.name}" has no operator.`, 'Export the model again.');
    checkNames(node);
    const taken = node.outputs.find((name) => initializers.has(name) || inputNames.has(name));
    if (taken)
      throw new StudioError(
        'bad-model',
        `"${node.name}" produces "${taken}", which is an input or a weight already.`,
        'Export the model again.',
      );
  }
  const sorted = sortNodes(nodes, depth > 0 ? proto.name : '');
  if (sorted !== nodes) context.notes.push('The nodes were out of order: they have been sorted.');
  const { quantizationAnnotation, sparseInitializer, metadataProps } = proto;
  const unknown = keepUnknown(GraphProtoSchema, proto, { quantizationAnnotation, sparseInitializer, metadataProps });
  return {
    name: proto.name,
    inputs,
    outputs: proto.output.map((output) => readValueInfo(output, context)),
    nodes: sorted,
    initializers,
    valueInfo: new Map(proto.valueInfo.map((info) => [info.name, readValueInfo(info, context)])),
    ...(proto.docString ? { docString: proto.docString } : {}),
    ...(unknown ? { unknown } : {}),
  };
}
