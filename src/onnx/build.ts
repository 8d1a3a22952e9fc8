/** Small constructors and readers that transforms and tests share. */
import { fromBinary } from '@bufbuild/protobuf';
import { type DType, StudioError, type TensorData } from '../numerics';
import { AttributeProtoSchema } from './gen/onnx_pb';
import type { Attribute, Dim, Graph, Model, Node, Tensor, ValueInfo } from './graph';
import { reads } from './topology';

/** @throws StudioError 'bad-model' when the number of values doesn't fit the shape */
export function tensor(name: string, dtype: DType, dims: readonly number[], data: TensorData): Tensor {
  const elements = dims.reduce((a, b) => a * b, 1);
  const packed = dtype === 'int4' || dtype === 'uint4' || dtype === 'float8' || dtype === 'complex';
  if (!packed && data.length !== elements)
    throw new StudioError(
      'bad-model',
      `Tensor "${name}" got ${data.length} values for the shape [${dims.join(', ')}].`,
      'Export the model again.',
    );
  return { name, dtype, dims, data };
}

export function valueInfo(name: string, dtype: DType | null, shape: readonly Dim[] | null): ValueInfo {
  return { name, dtype, shape };
}

/** Attribute from a plain value: integers become 'int', other numbers 'float'; give the {@link Attribute} itself to choose. */
export type AttributeValue = number | string | readonly number[] | readonly string[] | Tensor | Attribute;

function toAttribute(value: AttributeValue): Attribute {
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'int' : 'float', value };
  if (typeof value === 'string') return { type: 'string', value };
  if (Array.isArray(value)) {
    if (value.some((v) => typeof v === 'string')) return { type: 'strings', value };
    return value.every((v) => Number.isInteger(v)) ? { type: 'ints', value } : { type: 'floats', value };
  }
  return 'type' in value ? value : { type: 'tensor', value: value as Tensor };
}

/** A node of the ONNX domain; `name` defaults to its first output. */
export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  name: string = outputs[0] ?? op,
): Node {
  const entries = Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)] as const);
  return { name, op, domain: '', inputs, outputs, attributes: Object.fromEntries(entries) };
}

export interface ModelParts {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly initializers?: readonly Tensor[];
  readonly opset?: number;
  readonly name?: string;
}

/** A model around one graph: opset 13 unless said, IR 8. */
export function makeModel({ inputs, outputs, nodes, initializers = [], opset = 13, name = 'graph' }: ModelParts): Model {
  return {
    irVersion: 8,
    opsets: { '': opset },
    producer: 'Bonsai Studio',
    producerVersion: '',
    domain: '',
    modelVersion: 0,
    docString: '',
    metadata: {},
    graph: { name, inputs, outputs, nodes, initializers: new Map(initializers.map((t) => [t.name, t])), valueInfo: new Map() },
    notes: [],
  };
}

/** The same model with another graph. */
export function withGraph(model: Model, graph: Partial<Graph>): Model {
  return { ...model, graph: { ...model.graph, ...graph } };
}

/** Value → the node that makes it. */
export function producers(graph: Graph): ReadonlyMap<string, Node> {
  return new Map(graph.nodes.flatMap((n) => n.outputs.filter((name) => name !== '').map((name) => [name, n] as const)));
}

/** Value → the nodes that read it, each once (subgraphs count for the node that holds them). Graph outputs aren't consumers. */
export function consumers(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const map = new Map<string, Node[]>();
  for (const n of graph.nodes)
    for (const name of new Set(reads(n))) {
      const list = map.get(name);
      if (list) list.push(n);
      else map.set(name, [n]);
    }
  return map;
}

export function attrInt(n: Node, name: string, fallback: number): number;
export function attrInt(n: Node, name: string): number | undefined;
export function attrInt(n: Node, name: string, fallback?: number): number | undefined {
  const a = n.attributes[name];
  if (a?.type === 'int') return a.value;
  return a?.type === 'raw' ? Number(fromBinary(AttributeProtoSchema, a.value).i) : fallback;
}

/** Integers beyond 2^53 (INT64_MAX as "to the end") come rounded to a double. */
export function attrInts(n: Node, name: string): readonly number[] | undefined;
export function attrInts(n: Node, name: string, fallback: readonly number[]): readonly number[];
export function attrInts(n: Node, name: string, fallback?: readonly number[]): readonly number[] | undefined {
  const a = n.attributes[name];
  if (a?.type === 'ints') return a.value;
  return a?.type === 'raw' ? fromBinary(AttributeProtoSchema, a.value).ints.map(Number) : fallback;
}

export function attrFloat(n: Node, name: string, fallback: number): number;
export function attrFloat(n: Node, name: string): number | undefined;
export function attrFloat(n: Node, name: string, fallback?: number): number | undefined {
  const a = n.attributes[name];
  return a?.type === 'float' ? a.value : fallback;
}

export function attrFloats(n: Node, name: string): readonly number[] | undefined {
  const a = n.attributes[name];
  return a?.type === 'floats' ? a.value : undefined;
}

export function attrString(n: Node, name: string, fallback: string): string;
export function attrString(n: Node, name: string): string | undefined;
export function attrString(n: Node, name: string, fallback?: string): string | undefined {
  const a = n.attributes[name];
  return a?.type === 'string' ? a.value : fallback;
}

export function attrTensor(n: Node, name: string): Tensor | undefined {
  const a = n.attributes[name];
  return a?.type === 'tensor' ? a.value : undefined;
}
