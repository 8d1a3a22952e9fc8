/** Gradients of resizing and average pooling: linear in each axis, so the axes' matrices, transposed. */
import { attrFloat, attrInt, attrInts, attrString } from '../../onnx';
import { type Dims, type Emitter, product } from '../emitter';
import type { GradientContext, GradientRule } from '../types';
import { positive } from './moves';
import { windowOf } from './windows';

/** Row-major [out, in]: what every output takes from every input along one axis. */
export interface AxisMatrix {
  readonly out: number;
  readonly in: number;
  readonly weights: Float64Array;
}

/** Applies the transposed matrix of each listed axis to `g`, whose shape is `dims`; the shape becomes the inputs'. */
export function applyTransposed(e: Emitter, g: string, dims: Dims, matrices: ReadonlyMap<number, AxisMatrix>): string {
  const shape = [...dims];
  let value = g;
  for (const [axis, matrix] of matrices) {
    const lead = product(shape.slice(0, axis));
    const tail = product(shape.slice(axis + 1));
    shape[axis] = matrix.in;
    if (tail === 1) {
      const flat = e.reshape(value, [lead, matrix.out]);
      value = e.reshape(e.emit('MatMul', [flat, e.floats([matrix.out, matrix.in], matrix.weights)]), shape);
      continue;
    }
    const turned = new Float64Array(matrix.weights.length);
    for (let o = 0; o < matrix.out; o++)
      for (let i = 0; i < matrix.in; i++) turned[i * matrix.out + o] = matrix.weights[o * matrix.in + i]!;
    const flat = e.reshape(value, [lead, matrix.out, tail]);
    value = e.reshape(e.emit('MatMul', [e.floats([matrix.in, matrix.out], turned), flat]), shape);
  }
  return value;
}

const f = Math.fround;

/** Where output `o` of a Resize lies on the input's axis (coordinate_transformation_mode), in float32 as the runtime has it. */
function coordinate(o: number, mode: string, scale: number, size: number, out: number): number {
  const half = () => f(f(f(o + 0.5) / scale) - 0.5);
  switch (mode) {
    case 'asymmetric':
      return f(o / scale);
    case 'align_corners':
      return out === 1 ? 0 : f(f(o * (size - 1)) / (out - 1));
    case 'pytorch_half_pixel':
      return out === 1 ? 0 : half();
    case 'half_pixel_symmetric':
      return f(f(f(size / 2) * f(1 - f(out / f(scale * size)))) + half());
    default:
      return half();
  }
}

function nearest(x: number, mode: string): number {
  switch (mode) {
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5);
  }
}

function resizeMatrix(c: GradientContext, scale: number, size: number, out: number): AxisMatrix {
  const { node } = c;
  const legacy = node.op === 'Upsample';
  const mode = attrString(node, 'mode', 'nearest');
  const place = attrString(node, 'coordinate_transformation_mode', legacy ? 'asymmetric' : 'half_pixel');
  const rounding = attrString(node, 'nearest_mode', legacy ? 'floor' : 'round_prefer_floor');
  const weights = new Float64Array(out * size);
  const put = (o: number, i: number, weight: number) => {
    weights[o * size + Math.min(Math.max(i, 0), size - 1)]! += weight;
  };
  for (let o = 0; o < out; o++) {
    const x = coordinate(o, place, scale, size, out);
    if (mode === 'nearest') put(o, nearest(x, rounding), 1);
    else if (mode === 'linear') {
      const low = Math.floor(x);
      put(o, low, 1 - (x - low));
      put(o, low + 1, x - low);
    } else {
      const low = Math.floor(x);
      const a = attrFloat(node, 'cubic_coeff_a', -0.75);
      for (let k = -1; k <= 2; k++) put(o, low + k, cubic(Math.abs(x - low - k), a));
    }
  }
  return { out, in: size, weights };
}

/** Keys' kernel. */
function cubic(d: number, a: number): number {
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

/** Nearest by whole factors is a sum over blocks (an AveragePool); anything else goes through the axes' matrices. */
export const resize: GradientRule = (c) => {
  const { e, node } = c;
  const [dims, out] = [c.dims(0), c.outDims(0)];
  // ONNX Runtime copies where no size changes, whatever the scales say.
  if (dims.join() === out.join()) return [c.g];
  const axes = (attrInts(node, 'axes') ?? dims.map((_, i) => i)).map((axis) => positive(axis, dims.length));
  const given = node.op === 'Upsample' ? c.constant(1) : c.has(2) ? c.constant(2) : null;
  const scales = dims.map((size, i) => {
    const at = axes.indexOf(i);
    const scale = given?.length ? given[at] : undefined;
    return scale ?? f(out[i]! / size);
  });
  const place = attrString(node, 'coordinate_transformation_mode', 'half_pixel');
  const blocks = out.map((size, i) => size / dims[i]!);
  const matrices = new Map(
    dims.flatMap((size, axis) => {
      const same = out[axis] === size && scales[axis] === 1;
      return same ? [] : [[axis, resizeMatrix(c, scales[axis]!, size, out[axis]!)] as const];
    }),
  );
  const sumsBlocks = [...matrices].every(([axis, m]) => isBlockSum(m, blocks[axis]!));
  if (sumsBlocks && dims.length === 4 && blocks[0] === 1 && blocks[1] === 1 && place !== 'tf_crop_and_resize') {
    const kernel = blocks.slice(2);
    return [e.times(e.emit('AveragePool', [c.g], { kernel_shape: kernel, strides: kernel }), product(kernel))];
  }
  return [applyTransposed(e, c.g, out, matrices)];
};

/** True where output o reads input ⌊o / block⌋ and nothing else. */
function isBlockSum({ out, in: size, weights }: AxisMatrix, block: number): boolean {
  if (!Number.isInteger(block)) return false;
  for (let o = 0; o < out; o++) if (weights[o * size + Math.floor(o / block)] !== 1) return false;
  return weights.reduce((a, b) => a + b, 0) === out;
}

/** One axis of an AveragePool: each window's share of what it covers (padding counted or not). */
export const averagePool: GradientRule = (c) => {
  const { node } = c;
  const [dims, out] = [c.dims(0), c.outDims(0)];
  const window = windowOf(node, attrInts(node, 'kernel_shape')!, dims.slice(2));
  const counted = attrInt(node, 'count_include_pad', 0) === 1;
  const matrices = new Map(
    window.kernel.map((k, i) => {
      const [size, outputs] = [dims[i + 2]!, out[i + 2]!];
      const weights = new Float64Array(outputs * size);
      for (let o = 0; o < outputs; o++) {
        const at = Array.from({ length: k }, (_, j) => o * window.strides[i]! - window.before[i]! + j * window.dilations[i]!);
        const read = at.filter((x) => x >= 0 && x < size);
        // A last window of ceil_mode may leave the padded input; what lies beyond that is never counted.
        const count = counted ? at.filter((x) => x < size + window.after[i]!).length : read.length;
        for (const x of read) weights[o * size + x] = 1 / count;
      }
      return [i + 2, { out: outputs, in: size, weights }] as const;
    }),
  );
  return [applyTransposed(c.e, c.g, out, matrices)];
};

export const globalAveragePool: GradientRule = (c) => {
  const dims = c.dims(0);
  return [c.e.expand(c.e.times(c.g, 1 / product(dims.slice(2))), dims)];
};

/** Elements that tie share. */
export const globalMaxPool: GradientRule = (c) => {
  const { e } = c;
  const axes = c.dims(0).flatMap((_, i) => (i > 1 ? [i] : []));
  const hit = e.indicator('Equal', c.x(0), c.y(0));
  return [e.mul(hit, e.div(c.g, e.reduceSum(hit, axes, true)))];
};
