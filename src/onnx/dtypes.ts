/** ONNX's element type numbers (TensorProto.DataType) and how each is stored. */
import type { DType, TensorData } from '../numerics';

interface Storage {
  readonly dtype: DType;
  /** Bits of one element in raw_data; 0 for strings, which have no raw form. */
  readonly bits: number;
}

const STORAGE: Readonly<Record<number, Storage>> = {
  1: { dtype: 'float32', bits: 32 },
  2: { dtype: 'uint8', bits: 8 },
  3: { dtype: 'int8', bits: 8 },
  4: { dtype: 'uint16', bits: 16 },
  5: { dtype: 'int16', bits: 16 },
  6: { dtype: 'int32', bits: 32 },
  7: { dtype: 'int64', bits: 64 },
  8: { dtype: 'string', bits: 0 },
  9: { dtype: 'bool', bits: 8 },
  10: { dtype: 'float16', bits: 16 },
  11: { dtype: 'float64', bits: 64 },
  12: { dtype: 'uint32', bits: 32 },
  13: { dtype: 'uint64', bits: 64 },
  14: { dtype: 'complex', bits: 64 },
  15: { dtype: 'complex', bits: 128 },
  16: { dtype: 'bfloat16', bits: 16 },
  17: { dtype: 'float8', bits: 8 },
  18: { dtype: 'float8', bits: 8 },
  19: { dtype: 'float8', bits: 8 },
  20: { dtype: 'float8', bits: 8 },
  21: { dtype: 'uint4', bits: 4 },
  22: { dtype: 'int4', bits: 4 },
  23: { dtype: 'float8', bits: 4 },
  24: { dtype: 'float8', bits: 8 },
  25: { dtype: 'uint4', bits: 2 },
  26: { dtype: 'int4', bits: 2 },
};

/** Types that a dtype doesn't name unambiguously. */
const AMBIGUOUS = new Set([14, 15, 17, 18, 19, 20, 23, 24, 25, 26]);

const NUMBER = new Map(
  Object.entries(STORAGE)
    .filter(([type]) => !AMBIGUOUS.has(Number(type)))
    .map(([type, { dtype }]) => [dtype, Number(type)]),
);

export function storageOf(onnxType: number): Storage | undefined {
  return STORAGE[onnxType];
}

/** True where {@link numberOf} can't give the type back from its dtype. */
export function isAmbiguous(onnxType: number): boolean {
  return AMBIGUOUS.has(onnxType);
}

/** The ONNX number of a dtype; undefined for 'float8' and 'complex', which stand for several. */
export function numberOf(dtype: DType): number | undefined {
  return NUMBER.get(dtype);
}

type NumericData = Exclude<TensorData, readonly string[]>;

/** The array type that holds a dtype; packed and exotic ones are bytes. */
export function arrayType(dtype: DType): { new (buffer: ArrayBuffer): NumericData; new (length: number): NumericData } {
  switch (dtype) {
    case 'float32':
      return Float32Array;
    case 'float64':
      return Float64Array;
    case 'float16':
    case 'bfloat16':
    case 'uint16':
      return Uint16Array;
    case 'int8':
      return Int8Array;
    case 'int16':
      return Int16Array;
    case 'int32':
      return Int32Array;
    case 'uint32':
      return Uint32Array;
    case 'int64':
      return BigInt64Array;
    case 'uint64':
      return BigUint64Array;
    default:
      return Uint8Array;
  }
}

/** Bytes of one element in memory as the studio counts activations; packed and exotic types count 1, strings 0. */
export function bytesPerElement(dtype: DType): number {
  if (dtype === 'string') return 0;
  if (dtype === 'complex') return 8;
  return new (arrayType(dtype))(1).byteLength;
}
