/** Element types that the studio computes with. ONNX names, lower case. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'int4'
  | 'uint4'
  | 'float8'
  | 'complex';

/**
 * Storage of each dtype: float16 and bfloat16 as raw bits in a Uint16Array, bool as 0/1 in a Uint8Array, int64 and
 * uint64 as BigInt arrays, strings as string[]; packed and exotic types (int4, float8, complex) as their raw bytes.
 */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];
