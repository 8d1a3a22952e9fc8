/**
 * Damage to a model file as small, printable descriptors. Places are numbers that are taken modulo what is there, so that a
 * descriptor fits any base and stays valid while it is shrunk.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  type TypeProto,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../../src/onnx/gen/onnx_pb';
import { grow } from './growth';
import { damageFields, type WireMutation } from './wire';

/** Numbers in int64 range as text: JSON has no bigint. */
export type Integer = string;

export type ByteMutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'drop'; readonly at: number; readonly count: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: readonly number[] };

const WHERE = ['input', 'output', 'valueInfo', 'initializer'] as const;
export type Where = (typeof WHERE)[number];

export type AttributeChange =
  | { readonly ints: readonly Integer[] }
  | { readonly int: Integer }
  | { readonly float: number | string }
  | { readonly floats: readonly number[] }
  | { readonly text: string }
  | { readonly type: number }
  | { readonly dims: readonly Integer[] };

/** Changes to the decoded message. */
export type GraphMutation =
  | { readonly kind: 'dims'; readonly where: Where; readonly item: number; readonly dims: readonly Integer[] }
  | { readonly kind: 'dim'; readonly where: Where; readonly item: number; readonly axis: number; readonly value: Integer }
  | { readonly kind: 'dtype'; readonly where: Where; readonly item: number; readonly value: number }
  | { readonly kind: 'data'; readonly item: number; readonly bytes: number }
  | { readonly kind: 'constant'; readonly item: number; readonly at: number; readonly value: Integer }
  | { readonly kind: 'attribute'; readonly node: number; readonly attribute: number; readonly change: AttributeChange }
  | { readonly kind: 'set'; readonly node: number; readonly name: string; readonly change: AttributeChange }
  | { readonly kind: 'unset'; readonly node: number; readonly attribute: number }
  | { readonly kind: 'edge'; readonly node: number; readonly input: number; readonly to: number | string }
  | { readonly kind: 'arity'; readonly node: number; readonly side: 'input' | 'output'; readonly count: number }
  | { readonly kind: 'op'; readonly node: number; readonly op: string; readonly domain: string }
  | { readonly kind: 'rename'; readonly what: 'node' | 'value'; readonly item: number; readonly name: string }
  | { readonly kind: 'remove'; readonly what: 'node' | 'initializer' | 'input' | 'output'; readonly item: number }
  | { readonly kind: 'repeat'; readonly what: 'node' | 'initializer' | 'input' | 'output'; readonly item: number }
  | { readonly kind: 'external'; readonly item: number; readonly location: string; readonly offset: string; readonly length: string }
  | { readonly kind: 'version'; readonly opset: Integer; readonly ir: Integer }
  | { readonly kind: 'metadata'; readonly key: string; readonly value: string }
  | { readonly kind: 'unknown'; readonly node: number; readonly field: number; readonly bytes: readonly number[] }
  | { readonly kind: 'nest'; readonly depth: number; readonly width: number }
  | { readonly kind: 'grow'; readonly form: GrowthForm; readonly op: string; readonly count: number };

export const GROWTH_FORMS = ['line', 'diamonds', 'wide', 'inputs', 'outputs', 'weights', 'folds', 'alike', 'shared'] as const;
export type GrowthForm = (typeof GROWTH_FORMS)[number];

export type Mutation = ByteMutation | WireMutation | GraphMutation;

/** The k-th of a list, modulo its length; undefined where it is empty. */
export const pick = <T>(list: readonly T[], at: number): T | undefined => (list.length === 0 ? undefined : list[at % list.length]);

/** int64 as the wire holds it. */
const wide = (text: Integer): bigint => BigInt.asIntN(64, BigInt(text));

function shapeType(type: TypeProto | undefined): TypeProto {
  return type ?? create(TypeProtoSchema, { value: { case: undefined } } as never);
}

function setDims(graph: GraphProto, where: Where, item: number, change: (dims: (bigint | string)[]) => (bigint | string)[]): void {
  if (where === 'initializer') {
    const t = pick(graph.initializer, item);
    if (t) t.dims = change([...t.dims]).map((d) => (typeof d === 'bigint' ? d : 1n));
    return;
  }
  const info = pick(graph[where], item);
  if (!info) return;
  info.type = shapeType(info.type);
  const tensor = (info.type.tensorType ??= { $typeName: 'onnx.TypeProto.Tensor', elemType: 1 } as NonNullable<TypeProto['tensorType']>);
  const old = (tensor.shape?.dim ?? []).map((d) => (d.dimParam !== '' ? d.dimParam : d.dimValue));
  const made = create(TypeProtoSchema, {
    tensorType: {
      elemType: tensor.elemType,
      shape: { dim: change(old).map((d) => (typeof d === 'bigint' ? { dimValue: d } : { dimParam: d })) },
    },
  });
  info.type = made;
}

function changeAttribute(a: AttributeProto, change: AttributeChange): void {
  if ('type' in change) a.type = change.type as AttributeProto['type'];
  else if ('ints' in change) Object.assign(a, { type: 7, ints: change.ints.map(wide) });
  else if ('int' in change) Object.assign(a, { type: 2, i: wide(change.int) });
  else if ('float' in change) Object.assign(a, { type: 1, f: Number(change.float) });
  else if ('floats' in change) Object.assign(a, { type: 6, floats: [...change.floats] });
  else if ('text' in change) Object.assign(a, { type: 3, s: new TextEncoder().encode(change.text) });
  else Object.assign(a, { type: 4, t: create(TensorProtoSchema, { dims: change.dims.map(wide), dataType: 1 }) });
}

/** Every value name of the graph, weights and inputs included. */
const values = (graph: GraphProto): string[] => [
  ...graph.input.map(({ name }) => name),
  ...graph.initializer.map(({ name }) => name),
  ...graph.node.flatMap(({ output }) => output),
];

function rename(graph: GraphProto, from: string, to: string): void {
  const map = (name: string) => (name === from ? to : name);
  for (const item of [...graph.input, ...graph.output, ...graph.valueInfo, ...graph.initializer]) item.name = map(item.name);
  for (const node of graph.node) {
    node.input = node.input.map(map);
    node.output = node.output.map(map);
  }
}

/** One element of an integer weight: shape vectors, slice bounds, pads. */
function setConstant(graph: GraphProto, item: number, at: number, value: Integer): void {
  const t = pick(
    graph.initializer.filter(({ dataType, rawData }) => (dataType === 7 || dataType === 6) && rawData.length > 0),
    item,
  );
  if (!t) return;
  const data = t.rawData.slice();
  const view = new DataView(data.buffer);
  if (t.dataType === 7) view.setBigInt64((at % (data.length >> 3)) * 8, wide(value), true);
  else view.setInt32((at % (data.length >> 2)) * 4, Number(BigInt.asIntN(32, wide(value))), true);
  t.rawData = data;
}

/** If nodes within If nodes behind the first output's value. */
function nest(depth: number, width: number): GraphProto {
  const inner = Array.from({ length: width }, (_, i) =>
    create(NodeProtoSchema, {
      opType: 'If',
      output: [`nest_${depth}_${i}`],
      attribute: depth > 0 ? [{ name: 'then_branch', type: 5, g: nest(depth - 1, i === 0 ? width : 1) }] : [],
    }),
  );
  return create(GraphProtoSchema, { name: `g${depth}`, node: inner });
}

function applyToGraph(proto: ModelProto, mutation: GraphMutation): void {
  const graph = (proto.graph ??= create(GraphProtoSchema));
  const node = 'node' in mutation ? pick(graph.node, mutation.node) : undefined;
  switch (mutation.kind) {
    case 'dims':
      setDims(graph, mutation.where, mutation.item, () => mutation.dims.map((d) => (/^-?\d+$/.test(d) ? wide(d) : d)));
      break;
    case 'dim':
      setDims(graph, mutation.where, mutation.item, (dims) =>
        dims.map((d, i) =>
          i === mutation.axis % Math.max(dims.length, 1) ? (/^-?\d+$/.test(mutation.value) ? wide(mutation.value) : mutation.value) : d,
        ),
      );
      break;
    case 'dtype': {
      if (mutation.where === 'initializer') {
        const t = pick(graph.initializer, mutation.item);
        if (t) t.dataType = mutation.value;
      } else {
        const tensor = pick(graph[mutation.where], mutation.item)?.type?.tensorType;
        if (tensor) tensor.elemType = mutation.value;
      }
      break;
    }
    case 'data': {
      const t = pick(graph.initializer, mutation.item);
      if (t) t.rawData = mutation.bytes <= t.rawData.length ? t.rawData.subarray(0, mutation.bytes) : new Uint8Array(mutation.bytes);
      break;
    }
    case 'constant':
      setConstant(graph, mutation.item, mutation.at, mutation.value);
      break;
    case 'attribute': {
      const a = node && pick(node.attribute, mutation.attribute);
      if (a) changeAttribute(a, mutation.change);
      break;
    }
    case 'set': {
      if (!node) break;
      const a = create(AttributeProtoSchema, { name: mutation.name });
      changeAttribute(a, mutation.change);
      node.attribute = [...node.attribute.filter(({ name }) => name !== mutation.name), a];
      break;
    }
    case 'unset':
      if (node && node.attribute.length > 0) node.attribute.splice(mutation.attribute % node.attribute.length, 1);
      break;
    case 'edge':
      if (node && node.input.length > 0)
        node.input[mutation.input % node.input.length] =
          typeof mutation.to === 'string' ? mutation.to : (pick(values(graph), mutation.to) ?? '');
      break;
    case 'arity':
      if (node) {
        const names = node[mutation.side];
        const more = (i: number) => (mutation.side === 'input' ? (names[0] ?? '') : `extra_${i}`);
        node[mutation.side] = Array.from({ length: mutation.count }, (_, i) => names[i] ?? more(i));
      }
      break;
    case 'op':
      if (node) Object.assign(node, { opType: mutation.op, domain: mutation.domain });
      break;
    case 'rename': {
      const target = mutation.what === 'node' ? pick(graph.node, mutation.item) : undefined;
      if (target) target.name = mutation.name;
      const value = mutation.what === 'value' ? pick(values(graph), mutation.item) : undefined;
      if (value) rename(graph, value, mutation.name);
      break;
    }
    case 'remove': {
      const list = graph[mutation.what] as unknown[];
      if (list.length > 0) list.splice(mutation.item % list.length, 1);
      break;
    }
    case 'repeat': {
      const list = graph[mutation.what] as unknown[];
      if (list.length > 0) list.push(list[mutation.item % list.length]);
      break;
    }
    case 'external': {
      const t = pick(graph.initializer, mutation.item);
      if (!t) break;
      t.rawData = new Uint8Array();
      t.dataLocation = 1;
      const { location, offset, length } = mutation;
      t.externalData = Object.entries({ location, offset, length }).map(([key, value]) => ({
        $typeName: 'onnx.StringStringEntryProto',
        key,
        value,
      }));
      break;
    }
    case 'version':
      proto.irVersion = wide(mutation.ir);
      for (const opset of proto.opsetImport) opset.version = wide(mutation.opset);
      break;
    case 'metadata':
      proto.metadataProps.push({ $typeName: 'onnx.StringStringEntryProto', key: mutation.key, value: mutation.value });
      break;
    case 'unknown':
      if (node)
        (node as { $unknown?: unknown[] }).$unknown = [
          { no: mutation.field, wireType: 2, data: Uint8Array.from([mutation.bytes.length, ...mutation.bytes]) },
        ];
      break;
    case 'nest':
      graph.node.push(
        create(NodeProtoSchema, {
          opType: 'If',
          name: 'nest',
          output: ['nested'],
          attribute: [{ name: 'then_branch', type: 5, g: nest(mutation.depth, mutation.width) }],
        }),
      );
      graph.output.push(create(ValueInfoProtoSchema, { name: 'nested' }));
      break;
    case 'grow':
      grow(graph, mutation.form, mutation.op, mutation.count);
      break;
    default:
      mutation satisfies never;
  }
}

function applyToBytes(bytes: Uint8Array, mutation: ByteMutation): Uint8Array {
  const at = bytes.length === 0 ? 0 : mutation.at % bytes.length;
  const join = (...parts: readonly (Uint8Array | readonly number[])[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  switch (mutation.kind) {
    case 'flip': {
      const out = bytes.slice();
      if (out.length > 0) out[at]! ^= 1 << mutation.bit;
      return out;
    }
    case 'cut':
      return bytes.slice(0, at);
    case 'drop':
      return join(bytes.subarray(0, at), bytes.subarray(at + mutation.count));
    case 'insert':
      return join(bytes.subarray(0, at), mutation.bytes, bytes.subarray(at));
  }
}

const isBytes = (m: Mutation): m is ByteMutation => m.kind === 'flip' || m.kind === 'cut' || m.kind === 'drop' || m.kind === 'insert';

/** Graph changes first, in order, then what damages the file itself. Some mutations meet nothing to change; that is a valid outcome. */
export function mutate(base: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  const inner = mutations.filter((m): m is GraphMutation => !isBytes(m) && m.kind !== 'wire');
  let bytes = base;
  if (inner.length > 0) {
    const proto = fromBinary(ModelProtoSchema, base);
    for (const mutation of inner) applyToGraph(proto, mutation);
    bytes = toBinary(ModelProtoSchema, proto);
  }
  for (const mutation of mutations) {
    if (mutation.kind === 'wire') bytes = damageFields(bytes, mutation);
    else if (isBytes(mutation)) bytes = applyToBytes(bytes, mutation);
  }
  return bytes;
}
