/** Quantization parameters and the arithmetic that ONNX's QuantizeLinear and DequantizeLinear define. */
import { REPORT_IT, StudioError } from './errors';
import { roundHalfEven } from './rounding';

export type QuantDType = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32';

/** x ≈ (q − zeroPoint) · scale with q in [qmin, qmax]; one scale and zero point, or one per slice along `axis`. */
export interface QParams {
  readonly dtype: QuantDType;
  /** float32 values, always > 0. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
  readonly qmin: number;
  readonly qmax: number;
}

export interface RangeScheme {
  readonly bits: 8 | 16;
  readonly signed: boolean;
  /** Symmetric: zero point 0 (signed) or mid-scale (unsigned), so that ±the larger bound are representable. */
  readonly symmetric: boolean;
}

/** Smallest scale handed out: 2⁻¹⁰⁰ keeps x/scale finite in float32 for every ordinary x and is far from subnormal. */
export const MIN_SCALE = 2 ** -100;

export function integerLimits(dtype: QuantDType): readonly [number, number] {
  switch (dtype) {
    case 'int8':
      return [-128, 127];
    case 'uint8':
      return [0, 255];
    case 'int16':
      return [-32768, 32767];
    case 'uint16':
      return [0, 65535];
    case 'int32':
      return [-2147483648, 2147483647];
  }
}

function positiveScale(scale: number): number {
  return Math.fround(Math.max(scale, MIN_SCALE));
}

/**
 * Parameters for values in [lo, hi]. The range is widened to contain 0, so that zero padding and ReLU's zero are exact;
 * a range of zero width gets scale 1 (every value it holds is 0).
 * @throws StudioError 'bad-data' for NaN, infinite or swapped bounds
 */
export function qparamsFromRange(lo: number, hi: number, scheme: RangeScheme): QParams {
  if (!Number.isFinite(lo) || !Number.isFinite(hi) || lo > hi)
    throw new StudioError('bad-data', `[${lo}, ${hi}] is not a range of values.`, 'Calibrate again on other images.');
  const dtype: QuantDType = scheme.bits === 8 ? (scheme.signed ? 'int8' : 'uint8') : scheme.signed ? 'int16' : 'uint16';
  const [limitLow, qmax] = integerLimits(dtype);
  const a = Math.min(lo, 0);
  const b = Math.max(hi, 0);
  if (scheme.symmetric) {
    const half = 2 ** (scheme.bits - 1) - 1;
    const bound = Math.max(-a, b);
    const scale = bound === 0 ? 1 : positiveScale(bound / half);
    // −128 stays unused so that the grid is symmetric.
    return { dtype, scale: [scale], zeroPoint: [scheme.signed ? 0 : half + 1], axis: null, qmin: limitLow + 1, qmax };
  }
  const scale = a === b ? 1 : positiveScale((b - a) / (qmax - limitLow));
  const zero = a === b ? (scheme.signed ? 0 : limitLow) : roundHalfEven(limitLow - a / scale);
  return { dtype, scale: [scale], zeroPoint: [Math.min(Math.max(zero, limitLow), qmax)], axis: null, qmin: limitLow, qmax };
}

/** What {@link weightQParams} and the array functions need of a tensor: row-major values and their dimensions. */
export interface NumericTensor {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Where a row-major index stands along `axis`: slice = floor(index / inner) mod size. */
function layout(dims: readonly number[], axis: number | null): { inner: number; size: number } {
  if (axis === null) return { inner: Number.POSITIVE_INFINITY, size: 1 };
  if (!Number.isInteger(axis) || axis < 0 || axis >= dims.length)
    throw new StudioError('bad-option', `Axis ${axis} does not exist in a tensor of shape [${dims.join(', ')}].`, REPORT_IT);
  return { inner: dims.slice(axis + 1).reduce((a, b) => a * b, 1), size: dims[axis]! };
}

/** max |x| over the tensor, or per slice along `axis`. */
export function absMax(tensor: NumericTensor, axis: number | null): Float64Array {
  const { inner, size } = layout(tensor.dims, axis);
  const bounds = new Float64Array(size);
  const { data } = tensor;
  if (axis === null) {
    let bound = 0;
    for (let i = 0; i < data.length; i++) bound = Math.max(bound, Math.abs(data[i]!));
    bounds[0] = bound;
    return bounds;
  }
  for (let i = 0, slice = 0; i < data.length; i += inner, slice = (slice + 1) % size) {
    let bound = bounds[slice]!;
    for (let j = i; j < i + inner; j++) bound = Math.max(bound, Math.abs(data[j]!));
    bounds[slice] = bound;
  }
  return bounds;
}

/**
 * Symmetric weight parameters: zero point 0, grid [−127, 127] (8 bit) or [−32767, 32767], scale = max |w| / 127, per
 * slice along `axis` (null: one for the tensor). A slice of zeros gets scale 1.
 * @throws StudioError 'bad-model' when a weight is NaN or infinite
 */
export function weightQParams(tensor: NumericTensor, options: { readonly axis: number | null; readonly bits?: 8 | 16 }): QParams {
  const bits = options.bits ?? 8;
  const qmax = 2 ** (bits - 1) - 1;
  const bounds = absMax(tensor, options.axis);
  const scale = Array.from(bounds, (bound) => {
    if (!Number.isFinite(bound)) throw new StudioError('bad-model', 'A weight is NaN or infinite.', 'Export the model again.');
    return bound === 0 ? 1 : positiveScale(bound / qmax);
  });
  return { dtype: bits === 8 ? 'int8' : 'int16', scale, zeroPoint: scale.map(() => 0), axis: options.axis, qmin: -qmax, qmax };
}

function integers(dtype: QuantDType, length: number): Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array {
  switch (dtype) {
    case 'int8':
      return new Int8Array(length);
    case 'uint8':
      return new Uint8Array(length);
    case 'int16':
      return new Int16Array(length);
    case 'uint16':
      return new Uint16Array(length);
    case 'int32':
      return new Int32Array(length);
  }
}

/** One value to its integer: saturate(roundHalfEven(float32(x / scale)) + zeroPoint). */
export function quantizeValue(x: number, scale: number, zeroPoint: number, qmin: number, qmax: number): number {
  const q = roundHalfEven(Math.fround(x / scale)) + zeroPoint;
  return Math.min(Math.max(q, qmin), qmax);
}

function forSlices(
  dims: readonly number[],
  length: number,
  params: QParams,
  each: (slice: number, from: number, to: number) => void,
): void {
  const { inner, size } = layout(dims, params.axis);
  if (params.scale.length !== size || params.zeroPoint.length !== size)
    throw new StudioError('bad-option', `${params.scale.length} scales do not fit ${size} slices.`, REPORT_IT);
  const step = Math.min(inner, length);
  for (let from = 0, slice = 0; from < length; from += step, slice = (slice + 1) % size) each(slice, from, from + step);
}

/** The integers of a tensor, as ONNX's QuantizeLinear gives them (within [qmin, qmax]). */
export function quantize(tensor: NumericTensor, params: QParams): Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array {
  const { data, dims } = tensor;
  const out = integers(params.dtype, data.length);
  forSlices(dims, data.length, params, (slice, from, to) => {
    const scale = params.scale[slice]!;
    const zero = params.zeroPoint[slice]!;
    for (let i = from; i < to; i++) out[i] = quantizeValue(data[i]!, scale, zero, params.qmin, params.qmax);
  });
  return out;
}

/** The float32 values of integers, as ONNX's DequantizeLinear gives them. */
export function dequantize(tensor: NumericTensor, params: QParams): Float32Array {
  const { data, dims } = tensor;
  const out = new Float32Array(data.length);
  forSlices(dims, data.length, params, (slice, from, to) => {
    const scale = params.scale[slice]!;
    const zero = params.zeroPoint[slice]!;
    for (let i = from; i < to; i++) out[i] = (data[i]! - zero) * scale;
  });
  return out;
}

/** dequantize(quantize(x)): the values that a quantized network sees. */
export function fakeQuant(tensor: NumericTensor, params: QParams): Float32Array {
  return dequantize({ dims: tensor.dims, data: quantize(tensor, params) }, params);
}
