/**
 * dL/dw of a convolution. dw[m, c, k] = Σ over images and places of dy[m, place]·x[c, place·stride + k·dilation − pad], so
 * one product of shifted images for each kernel position. Each form is the fastest measured where it is used. Depthwise 3×3,
 * ms on one core, Node | WASM:
 *
 *   channels × size   shifts        rows
 *   16 × 104²         0.54 | 0.75   0.92 | 5.5
 *   64 × 52²          0.55 | 0.77   0.60 | 3.2
 *   64 × 26²          0.16 | 0.23   0.14 | 0.50
 *   128 × 13²         0.11 | 0.16   0.11 | 0.23
 *
 * Slower, or faster alone and not within a whole network: a convolution with dy as its kernel, products of 4 to 16 channels at
 * a time or of stretches of rows.
 */
import { type Dims, type Emitter, product } from '../emitter';

export interface Correlation {
  /** x: [N, C, …], and dy: [N, M, out…]. */
  readonly x: string;
  readonly xDims: Dims;
  readonly g: string;
  readonly gDims: Dims;
  /** [M, C/g, k…] */
  readonly weight: Dims;
  readonly strides: Dims;
  readonly dilations: Dims;
  /** Padding before each spatial axis; what is needed after them follows from the sizes. */
  readonly before: Dims;
  readonly group: number;
}

/** All positions of a kernel, the last axis fastest. */
export function positions(kernel: Dims): number[][] {
  return kernel.reduce<number[][]>((list, k) => list.flatMap((at) => Array.from({ length: k }, (_, i) => [...at, i])), [[]]);
}

/** x and dy as matrices of [`rows`, L] (or [1, `rows`, L]) in which every kernel position is one stretch of x's rows. */
interface Stretches {
  /** x's values that position `at` meets, [rows of x, L]. */
  shifted(at: readonly number[]): string;
  /** dy laid out alike, [rows of dy, L]. */
  readonly g: string;
  readonly length: number;
}

/**
 * Padded x, taken apart into the phases that a stride tells apart, has rows of one pitch; dy gets zeros up to that pitch.
 * Then a shift in any axis is a shift of the flat image, and its slice a plain copy.
 */
function stretches(
  e: Emitter,
  { xDims, gDims, weight, strides, dilations, before }: Correlation,
  x: string,
  g: string,
  lead = 0,
): Stretches {
  const ones: Dims = new Array(lead).fill(1);
  const [n, channels, ...input] = xDims as [number, number, ...number[]];
  const [, filters, ...out] = gDims as [number, number, ...number[]];
  const kernel = weight.slice(2);
  const rank = kernel.length;
  const axes = kernel.map((_, i) => i + 2);
  const shift = (at: readonly number[]) => at.map((k, i) => Math.floor((k * dilations[i]!) / strides[i]!));
  const extent = shift(kernel.map((k) => k - 1)).map((s, i) => out[i]! + s);
  const pitch = extent.map((_, i) => product(extent.slice(i + 1)));
  // The last stretch must end within the image.
  const farthest = shift(kernel.map((k) => k - 1)).reduce((sum, s, i) => sum + s * pitch[i]!, 0);
  const length = product(extent) - farthest;

  const need = extent.map((size, i) => size * strides[i]!);
  const ends = need.map((size, i) => size - before[i]! - input[i]!);
  const unit = strides.every((s) => s === 1);
  // A negative end crops what no window reads; with phases the slices below do that.
  const padded = e.pad(x, [0, 0, ...before, 0, 0, ...(unit ? ends : ends.map((end) => Math.max(0, end)))]);
  const phases = new Map<string, string>();
  const phase = (start: readonly number[]): string => {
    const key = start.join();
    const known = phases.get(key);
    if (known) return known;
    const cut = unit
      ? padded
      : e.slice(
          padded,
          axes,
          start,
          start.map((s, i) => s + (extent[i]! - 1) * strides[i]! + 1),
          strides,
        );
    const made = e.reshape(cut, [...ones, n * channels, product(extent)]);
    phases.set(key, made);
    return made;
  };
  const cut = (v: string, from: number) => (length === product(extent) ? v : e.slice(v, [lead + 1], [from], [from + length]));
  const spread = e.pad(g, [...new Array<number>(rank + 5).fill(0), ...extent.slice(1).map((size, i) => size - out[i + 1]!)]);
  // dy's first axis has no padding: it ends where the last stretch does.
  const flat = e.reshape(spread, [...ones, n * filters, out[0]! * pitch[0]!]);
  const tail = out[0]! * pitch[0]! - length;
  return {
    length,
    g: tail === 0 ? flat : e.slice(flat, [lead + 1], [0], [length]),
    shifted: (at) => {
      const offset = shift(at).reduce((sum, s, i) => sum + s * pitch[i]!, 0);
      return cut(phase(at.map((k, i) => (k * dilations[i]!) % strides[i]!)), offset);
    },
  };
}

/** [positions, …dims] parts → `weight`. */
function stack(e: Emitter, parts: readonly string[], dims: Dims, weight: Dims): string {
  if (parts.length === 1) return e.reshape(parts[0]!, weight);
  const joined = e.concat(
    parts.map((part) => e.reshape(part, [1, ...dims])),
    0,
  );
  return e.reshape(e.transpose(joined, [...dims.map((_, i) => i + 1), 0]), weight);
}

/** One matrix product per position over all images and places. */
function dense(e: Emitter, c: Correlation): string {
  const [n, channels] = c.xDims as [number, number];
  const filters = c.gDims[1]!;
  const swap = [1, 0, ...c.weight.slice(2).map((_, i) => i + 2)];
  const turned = (v: string) => (n === 1 ? v : e.transpose(v, swap));
  // With channels first, each image's places are rows of their own, then one long row.
  const { shifted, g, length } = stretches(e, c, turned(c.x), turned(c.g));
  const rows = (v: string, count: number) => (n === 1 ? v : e.reshape(v, [count, n * length]));
  const left = rows(g, filters);
  return stack(
    e,
    positions(c.weight.slice(2)).map((at) => e.emit('Gemm', [left, rows(shifted(at), channels)], { transB: 1 })),
    [filters, channels],
    c.weight,
  );
}

/** A group's product is a batched one. */
function grouped(e: Emitter, c: Correlation): string {
  const [n, channels] = c.xDims as [number, number];
  const [filters, group] = [c.gDims[1]!, c.group];
  const { shifted, g, length } = stretches(e, c, c.x, c.g);
  const columns = e.transpose(e.reshape(g, [n * group, filters / group, length]), [0, 2, 1]);
  const dims = [group, channels / group, filters / group];
  const parts = positions(c.weight.slice(2)).map((at) => {
    const made = e.emit('MatMul', [e.reshape(shifted(at), [n * group, channels / group, length]), columns]);
    const summed = n === 1 ? made : e.reduceSum(e.reshape(made, [n, ...dims]), [0], false);
    return e.transpose(n === 1 ? e.reshape(summed, dims) : summed, [0, 2, 1]);
  });
  return stack(e, parts, [group, filters / group, channels / group], c.weight);
}

/** [N·C, k] → [C, 1, k…] */
function perChannel(e: Emitter, sums: string, { xDims, weight }: Correlation): string {
  const [n, channels] = xDims as [number, number];
  if (n === 1) return e.reshape(sums, weight);
  return e.reshape(e.reduceSum(e.reshape(sums, [n, channels, product(weight.slice(2))]), [0], false), weight);
}

/** Depthwise: product and sum per position. */
function byShifts(e: Emitter, c: Correlation): string {
  const { shifted, g, length } = stretches(e, c, c.x, c.g, 1);
  const dims = [1, c.xDims[0]! * c.xDims[1]!, length];
  const sums = positions(c.weight.slice(2)).map((at) => e.sumPlaces(e.mul(shifted(at), g), dims));
  return perChannel(e, e.times(e.concat(sums, 2), e.placesShare(dims)), c);
}

/**
 * Depthwise on small images: for each column of the kernel, every row of dy times every row of x (one matrix product a
 * channel), of which a constant matrix sums the diagonals that belong to the kernel's rows.
 */
function byRows(e: Emitter, c: Correlation): string {
  const [n, channels, height, width] = c.xDims as [number, number, number, number];
  const [, , h, w] = c.gDims as [number, number, number, number];
  const [kh, kw] = c.weight.slice(2) as [number, number];
  const [[sy, sx], [dy, dx], [top, left]] = [c.strides, c.dilations, c.before] as [number, number][];
  const rows = (h - 1) * sy! + (kh - 1) * dy! + 1;
  const columns = (w - 1) * sx! + (kw - 1) * dx! + 1;
  const padded = e.pad(c.x, [0, 0, top!, left!, 0, 0, rows - top! - height, columns - left! - width]);
  const turned = e.transpose(e.reshape(padded, [n * channels, rows, columns]), [0, 2, 1]);
  const g = e.reshape(c.g, [n * channels, h, w]);
  const diagonals = new Float32Array(h * rows * kh);
  for (let y = 0; y < h; y++) for (let i = 0; i < kh; i++) diagonals[(y * rows + y * sy! + i * dy!) * kh + i] = 1;
  const pick = e.floats([h * rows, kh], diagonals);
  const parts = Array.from({ length: kw }, (_, j) => {
    const start = j * dx!;
    const taken = e.slice(turned, [1], [start], [start + (w - 1) * sx! + 1], [sx!]);
    const pairs = e.reshape(e.emit('MatMul', [g, taken]), [n * channels, h * rows]);
    return e.reshape(e.emit('Gemm', [pairs, pick]), [n * channels, kh, 1]);
  });
  return perChannel(e, e.concat(parts, 2), c);
}

/** Rows of x per row of the kernel up to which {@link byRows} is the faster form, but for WASM. */
const ROWS_LIMIT = 12;

/** dL/dw, of shape `weight`. */
export function weightGradient(e: Emitter, c: Correlation): string {
  const [channels, filters] = [c.xDims[1]!, c.gDims[1]!];
  if (c.group === 1) return dense(e, c);
  if (c.group !== channels || filters !== channels) return grouped(e, c);
  const [kernel, out] = [c.weight[2]!, c.gDims[2]!];
  const rows = (out - 1) * c.strides[0]! + (kernel - 1) * c.dilations[0]! + 1;
  const small = c.weight.length === 4 && kernel > 1 && rows <= ROWS_LIMIT * kernel;
  return small && e.target !== 'wasm' ? byRows(e, c) : byShifts(e, c);
}
