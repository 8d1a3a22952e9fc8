/**
 * The graph IR: what an ONNX file says, as plain readonly data. It is structured-cloneable, so a model crosses a worker
 * boundary as it is; transforms return new graphs that share unchanged nodes and tensors.
 */
import type { DType, TensorData } from '../numerics';

/** A constant tensor. `data` is laid out row-major; its storage per dtype is described at {@link TensorData}. */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: TensorData;
  /** TensorProto.DataType, only where dtype alone doesn't tell it (the float8 and complex kinds). */
  readonly onnxType?: number;
}

/** A dimension: a size, a symbolic name ("batch"), or null when unknown. */
export type Dim = number | string | null;

/** A value's declared or inferred type. `shape` null = rank unknown; `dtype` null = not a plain tensor or unknown. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType | null;
  readonly shape: readonly Dim[] | null;
  /** Serialized TypeProto, kept only for what the fields above can't express (sequences, maps, denotations). */
  readonly rawType?: Uint8Array;
}

export type Attribute =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Serialized AttributeProto of a kind the IR doesn't model (sparse tensors, type protos, int64 beyond 2^53, non-UTF-8 strings). */
  | { readonly type: 'raw'; readonly value: Uint8Array };

export interface Node {
  /** Unique in a parsed model: unnamed or repeated ones get "<op>_<index>". */
  readonly name: string;
  readonly op: string;
  /** '' = the default ONNX domain ("ai.onnx" is normalised to ''). */
  readonly domain: string;
  /** '' = an optional input that is absent. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly docString?: string;
  /** Serialized unknown fields and metadata_props, written back untouched. */
  readonly unknown?: Uint8Array;
}

export interface Graph {
  readonly name: string;
  /** Real inputs only: initializers that a file also lists as inputs (IR 3) are moved out. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Declared intermediate types as the file gave them. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  readonly docString?: string;
  readonly unknown?: Uint8Array;
}

export interface Model {
  readonly irVersion: number;
  /** Domain ('' = ONNX) to opset version. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: Graph;
  /** Serialized ModelProto holding only what the IR doesn't model (functions, training info, unknown fields). */
  readonly rest?: Uint8Array;
  /** What the reader had to repair, as sentences for the user ("nodes were out of order: sorted"). */
  readonly notes: readonly string[];
}
