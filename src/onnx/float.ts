/** Half and brain floats, and any numeric tensor as float32 or plain numbers. */
import { StudioError } from '../numerics';
import type { Tensor } from './graph';

const scratch = new DataView(new ArrayBuffer(4));

/** IEEE 754 binary16 bits → its value. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Nearest binary16 bits, ties to even; beyond the range infinite. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  // log2 may be off by one at powers of two: the quotient tells.
  const fix = magnitude / 2 ** exponent >= 2 ? 1 : magnitude / 2 ** exponent < 1 && exponent > -14 ? -1 : 0;
  const e = exponent + fix;
  const steps = magnitude / 2 ** (e - 10);
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // A subnormal (fewer than 1024 steps at e = −14) has exponent field 0; a carry runs into the exponent by itself.
  return sign | (rounded + ((e + 14) << 10));
}

/** bfloat16 bits (the upper half of a float32) → its value. */
export function fromBfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

function numeric(t: Tensor): Exclude<Tensor['data'], readonly string[]> {
  const { data } = t;
  if (!ArrayBuffer.isView(data) || t.onnxType !== undefined || t.dtype === 'int4' || t.dtype === 'uint4')
    throw new StudioError(
      'unsupported',
      `Tensor "${t.name}" of type ${t.dtype} can't be read as numbers.`,
      'Export the model with float32 weights.',
    );
  return data;
}

/** The values as float32, converted from any numeric dtype; the very storage where it is float32 already. */
export function toFloat32(t: Tensor): Float32Array {
  const data = numeric(t);
  if (data instanceof Float32Array) return data;
  if (t.dtype === 'float16') return Float32Array.from(data as Uint16Array, fromFloat16);
  if (t.dtype === 'bfloat16') return Float32Array.from(data as Uint16Array, fromBfloat16);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/** The values as plain numbers (int64 beyond 2^53 rounded). */
export function toNumbers(t: Tensor): number[] {
  const data = numeric(t);
  if (t.dtype === 'float16' || t.dtype === 'bfloat16' || data instanceof Float32Array) return Array.from(toFloat32(t));
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
