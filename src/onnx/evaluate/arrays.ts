/** Strided copies over any storage, and numbers in and out of tensors: what the constant kernels are made of. */
import type { DType } from '../../numerics';
import { arrayType } from '../dtypes';
import { toFloat16, toNumbers } from '../float';
import type { Tensor } from '../graph';

export type NumericData = Exclude<Tensor['data'], readonly string[]>;

/** Row-major strides. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * dims[i + 1]!;
  return strides;
}

export function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

/** Strides that repeat size-1 (and missing leading) dimensions over `to`. */
export function broadcastStrides(dims: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(dims);
  const lead = to.length - dims.length;
  return to.map((_, i) => (i < lead || dims[i - lead] === 1 ? 0 : strides[i - lead]!));
}

/** Calls `each(index)` with offset + Σ coordinate · stride for every coordinate of `dims`, in row-major order. */
export function walk(dims: readonly number[], strides: readonly number[], offset: number, each: (index: number, i: number) => void): void {
  const total = product(dims);
  const at = new Array<number>(dims.length).fill(0);
  let index = offset;
  for (let i = 0; i < total; i++) {
    each(index, i);
    for (let d = dims.length - 1; d >= 0; d--) {
      index += strides[d]!;
      if (++at[d]! < dims[d]!) break;
      index -= strides[d]! * dims[d]!;
      at[d] = 0;
    }
  }
}

/** Whether elements of one can be put among those of another: numbers and 64-bit integers don't mix. */
export function sameType(...tensors: readonly Tensor[]): boolean {
  return tensors.every(({ dtype }) => dtype === tensors[0]!.dtype);
}

export function allocate(t: Tensor, length: number): NumericData {
  return new (arrayType(t.dtype))(length);
}

/** The tensor seen through `strides` from `offset`, as a new one of shape `dims`. */
export function view(t: Tensor, dims: readonly number[], strides: readonly number[], offset = 0): Tensor {
  const from = t.data as NumericData;
  const data = allocate(t, product(dims));
  walk(dims, strides, offset, (index, i) => {
    data[i] = from[index]!;
  });
  return { ...t, dims, data };
}

/** Numbers into the storage of a dtype: saturating nowhere, truncating for integers, as C casts do. Null where that can't be. */
export function fromNumbers(dtype: DType, dims: readonly number[], numbers: readonly number[]): Tensor | null {
  const make = (data: NumericData): Tensor => ({ name: '', dtype, dims, data });
  switch (dtype) {
    case 'float16':
      return make(Uint16Array.from(numbers, toFloat16));
    case 'bool':
      return make(Uint8Array.from(numbers, (v) => (v !== 0 ? 1 : 0)));
    case 'int64':
    case 'uint64': {
      if (!numbers.every((v) => Math.abs(v) < 2 ** 63)) return null;
      const big = numbers.map((v) => BigInt(Math.trunc(v)));
      return make(dtype === 'int64' ? BigInt64Array.from(big) : BigUint64Array.from(big));
    }
    case 'float32':
    case 'float64':
      return make(dtype === 'float32' ? Float32Array.from(numbers) : Float64Array.from(numbers));
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32': {
      if (!numbers.every(Number.isFinite)) return null;
      const data = new (arrayType(dtype))(numbers.length);
      numbers.forEach((v, i) => {
        data[i] = Math.trunc(v);
      });
      return make(data);
    }
    default:
      return null;
  }
}

export { toNumbers };
