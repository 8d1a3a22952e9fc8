/** Shapes and MACs of convolutions, matrix products, pooling and resizing. */
import { attrFloats, attrInt, attrInts, attrString } from '../build';
import type { Dim, Node } from '../graph';
import {
  broadcast,
  type Context,
  count,
  dtype,
  has,
  normalAxis,
  type Output,
  partial,
  type Rule,
  sameDim,
  shape,
  shapeError,
  UNKNOWN,
  unknownDims,
  values,
  withDim,
} from './facts';

interface Window {
  readonly kernel: readonly Dim[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of each axis, then end of each. */
  readonly pads: readonly number[];
  readonly autoPad: string;
}

function windowOf(node: Node, kernel: readonly Dim[]): Window {
  const rank = kernel.length;
  const strides = attrInts(node, 'strides') ?? kernel.map(() => 1);
  const dilations = attrInts(node, 'dilations') ?? kernel.map(() => 1);
  const pads = attrInts(node, 'pads') ?? [...kernel, ...kernel].map(() => 0);
  if (strides.length !== rank || dilations.length !== rank || pads.length !== 2 * rank)
    throw shapeError(node, `strides, dilations or pads do not fit a kernel of ${rank} dimensions`);
  if ([...strides, ...dilations].some((v) => v < 1)) throw shapeError(node, 'strides and dilations must be at least 1');
  return { kernel, strides, dilations, pads, autoPad: attrString(node, 'auto_pad', 'NOTSET') };
}

/** Size after a sliding window; `ceil`: a last window that is partly outside counts, but not one that starts there. */
function slide(size: Dim, w: Window, axis: number, ceil: boolean): Dim {
  const kernel = w.kernel[axis]!;
  const stride = w.strides[axis]!;
  if (typeof size !== 'number') return stride === 1 && w.autoPad.startsWith('SAME') ? size : null;
  if (w.autoPad.startsWith('SAME')) return Math.ceil(size / stride);
  if (typeof kernel !== 'number') return null;
  const extent = (kernel - 1) * w.dilations[axis]! + 1;
  const before = w.autoPad === 'VALID' ? 0 : w.pads[axis]!;
  const after = w.autoPad === 'VALID' ? 0 : w.pads[axis + w.kernel.length]!;
  const steps = (size + before + after - extent) / stride;
  const out = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
  return ceil && (out - 1) * stride >= size + before ? out - 1 : out;
}

function checkPositive(node: Node, dims: readonly Dim[]): readonly Dim[] {
  if (dims.some((d) => typeof d === 'number' && d < 1)) throw shapeError(node, `the input is smaller than the kernel`);
  return dims;
}

/** Convolution with data at input 0 and the weight at `at`; `type` gives the output's dtype. */
export function convolution(at: number, type: (c: Context) => Output['dtype'], weights: readonly number[]): Rule {
  return {
    infer: (c) => {
      const [x, w] = [shape(c, 0), shape(c, at)];
      const kernel = attrInts(c.node, 'kernel_shape') ?? w?.slice(2) ?? null;
      if (!x || !kernel) return [{ dtype: type(c), shape: x ? unknownDims(x.length) : null }];
      if (x.length !== kernel.length + 2) throw shapeError(c.node, `input of rank ${x.length} for a kernel of ${kernel.length} dimensions`);
      const group = attrInt(c.node, 'group', 1);
      const [channels, perGroup, outputs] = [x[1]!, w?.[1] ?? null, w?.[0] ?? null];
      if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * group)
        throw shapeError(c.node, `input has ${channels} channels, the weight expects ${perGroup * group}`);
      if (typeof outputs === 'number' && outputs % group !== 0)
        throw shapeError(c.node, `${outputs} output channels cannot be split into ${group} groups`);
      const window = windowOf(c.node, kernel);
      const spatial = x.slice(2).map((size, i) => slide(size, window, i, false));
      return [{ dtype: type(c), shape: [x[0]!, outputs, ...checkPositive(c.node, spatial)] }];
    },
    macs: (c, [out]) => count(out!.shape) * count(shape(c, at)?.slice(1)),
    weights,
  };
}

export const convTranspose: Rule = {
  infer: (c) => {
    const [x, w] = [shape(c, 0), shape(c, 1)];
    const kernel = attrInts(c.node, 'kernel_shape') ?? w?.slice(2) ?? null;
    if (!x || !kernel) return [{ dtype: dtype(c, 0), shape: x ? unknownDims(x.length) : null }];
    if (x.length !== kernel.length + 2) throw shapeError(c.node, `input of rank ${x.length} for a kernel of ${kernel.length} dimensions`);
    if (typeof x[1] === 'number' && typeof w?.[0] === 'number' && x[1] !== w[0])
      throw shapeError(c.node, `input has ${x[1]} channels, the weight expects ${w[0]}`);
    const window = windowOf(c.node, kernel);
    const extra = attrInts(c.node, 'output_padding') ?? kernel.map(() => 0);
    const fixed = attrInts(c.node, 'output_shape');
    const spatial = x.slice(2).map((size, i) => {
      if (fixed) return fixed[fixed.length - kernel.length + i]!;
      const k = kernel[i]!;
      if (typeof size !== 'number' || typeof k !== 'number') return null;
      if (window.autoPad.startsWith('SAME')) return size * window.strides[i]!;
      const pads = window.autoPad === 'VALID' ? 0 : window.pads[i]! + window.pads[i + kernel.length]!;
      return window.strides[i]! * (size - 1) + extra[i]! + (k - 1) * window.dilations[i]! + 1 - pads;
    });
    const perGroup = w?.[1] ?? null;
    const outputs = typeof perGroup === 'number' ? perGroup * attrInt(c.node, 'group', 1) : null;
    return [{ dtype: dtype(c, 0), shape: [x[0]!, outputs, ...checkPositive(c.node, spatial)] }];
  },
  macs: (c) => count(shape(c, 0)) * count(shape(c, 1)?.slice(1)),
  weights: [1, 2],
};

/** MaxPool (whose second output holds indices) and AveragePool. */
export const pool: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const kernel = attrInts(c.node, 'kernel_shape');
    if (!kernel) throw shapeError(c.node, 'kernel_shape is missing');
    const type = dtype(c, 0);
    if (!x)
      return [
        { dtype: type, shape: null },
        { dtype: 'int64', shape: null },
      ];
    if (x.length !== kernel.length + 2) throw shapeError(c.node, `input of rank ${x.length} for a kernel of ${kernel.length} dimensions`);
    const window = windowOf(c.node, kernel);
    const ceil = attrInt(c.node, 'ceil_mode', 0) === 1;
    const last = attrInt(c.node, 'channels_last', 0) === 1;
    const sizes = last ? x.slice(1, -1) : x.slice(2);
    const spatial = checkPositive(
      c.node,
      sizes.map((size, i) => slide(size, window, i, ceil)),
    );
    const dims = last ? [x[0]!, ...spatial, x[x.length - 1]!] : [x[0]!, x[1]!, ...spatial];
    return [
      { dtype: type, shape: dims },
      { dtype: 'int64', shape: dims },
    ];
  },
};

export const globalPool: Rule = {
  infer: (c) => {
    const last = attrInt(c.node, 'channels_last', 0) === 1;
    const x = shape(c, 0);
    const kept = (i: number) => i === 0 || i === (last ? x!.length - 1 : 1);
    return [{ dtype: dtype(c, 0), shape: x?.map((d, i) => (kept(i) ? d : 1)) ?? null }];
  },
};

function inner(c: Context, a: Dim, b: Dim): void {
  if (typeof a === 'number' && typeof b === 'number' && a !== b) throw shapeError(c.node, `inner dimensions differ (${a}, ${b})`);
}

function matrixShape(c: Context, a: readonly Dim[] | null, b: readonly Dim[] | null): readonly Dim[] | null {
  if (!a || !b) return null;
  if (a.length === 0 || b.length === 0) throw shapeError(c.node, 'a scalar is not a matrix');
  inner(c, a[a.length - 1]!, b[b.length === 1 ? 0 : b.length - 2]!);
  const batch = broadcast(c.node, a.slice(0, -2), b.slice(0, -2))!;
  return [...batch, ...(a.length > 1 ? [a[a.length - 2]!] : []), ...(b.length > 1 ? [b[b.length - 1]!] : [])];
}

/** Matrix product of inputs 0 and `at`. */
export function matMul(at: number, type: (c: Context) => Output['dtype'], weights: readonly number[]): Rule {
  return {
    infer: (c) => [{ dtype: type(c), shape: matrixShape(c, shape(c, 0), shape(c, at)) }],
    macs: (c, [out]) => count(out!.shape) * count(shape(c, 0)?.slice(-1)),
    weights,
  };
}

export const gemm: Rule = {
  infer: (c) => {
    const [a, b] = [shape(c, 0), shape(c, 1)];
    if (!a || !b) return [{ dtype: dtype(c, 0), shape: unknownDims(2) }];
    if (a.length !== 2 || b.length !== 2) throw shapeError(c.node, `inputs of rank ${a.length} and ${b.length}, both must be matrices`);
    const [m, k] = attrInt(c.node, 'transA', 0) ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
    const [k2, n] = attrInt(c.node, 'transB', 0) ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
    inner(c, k, k2);
    return [{ dtype: dtype(c, 0), shape: [m, n] }];
  },
  macs: (c, [out]) =>
    count(out!.shape) *
    count(
      shape(c, 0)
        ?.slice(attrInt(c.node, 'transA', 0) ? 0 : 1)
        .slice(0, 1),
    ),
  weights: [0, 1, 2],
};

/** Scales or sizes of Resize and Upsample of any opset: attribute, second, third or fourth input. */
function resizeTarget(c: Context): { scales?: readonly number[]; sizes?: readonly Dim[] } {
  if (c.node.op === 'Upsample' || c.opset < 11) {
    const scales = attrFloats(c.node, 'scales') ?? (has(c, 1) ? values(c, 1) : null);
    return scales ? { scales } : {};
  }
  const sizes = has(c, 3) ? partial(c, 3) : null;
  if (sizes && sizes.length > 0) return { sizes };
  const scales = has(c, 2) && shape(c, 2)?.[0] !== 0 ? values(c, 2) : null;
  return scales ? { scales } : {};
}

export const resize: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    if (!x) return [{ dtype: dtype(c, 0), shape: null }];
    const { scales, sizes } = resizeTarget(c);
    const cropped = attrString(c.node, 'coordinate_transformation_mode') === 'tf_crop_and_resize';
    if (!sizes && (!scales || cropped)) return [{ dtype: dtype(c, 0), shape: unknownDims(x.length) }];
    const axes = (attrInts(c.node, 'axes') ?? x.map((_, i) => i)).map((axis) => normalAxis(c.node, axis, x.length));
    if ((sizes ?? scales)!.length !== axes.length)
      throw shapeError(c.node, `${(sizes ?? scales)!.length} scales or sizes for ${axes.length} dimensions`);
    const policy = attrString(c.node, 'keep_aspect_ratio_policy', 'stretch');
    const ratios = sizes && policy !== 'stretch' ? axes.map((axis, i) => Number(sizes[i]) / Number(x[axis])) : null;
    const common = ratios ? (policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)) : null;
    const target = (axis: number, i: number): Dim => {
      const size = x[axis]!;
      if (common !== null) return Number.isNaN(common) || typeof size !== 'number' ? null : Math.round(common * size);
      if (sizes) return sizes[i]!;
      const scale = scales![i]!;
      return typeof size === 'number' ? Math.floor(size * scale) : scale === 1 ? size : null;
    };
    return [{ dtype: dtype(c, 0), shape: axes.reduce<readonly Dim[]>((dims, axis, i) => withDim(dims, axis, target(axis, i)), x) }];
  },
};

/** SpaceToDepth (`grow` false: space shrinks) and DepthToSpace. */
export function blockMove(grow: boolean): Rule {
  return {
    infer: (c) => {
      const x = shape(c, 0);
      if (x?.length !== 4) return [{ dtype: dtype(c, 0), shape: x ? x : UNKNOWN.shape }];
      const block = attrInt(c.node, 'blocksize', 1);
      const scaled = (d: Dim, factor: number): Dim => {
        if (typeof d !== 'number') return null;
        const out = d * factor;
        if (!Number.isInteger(out)) throw shapeError(c.node, `dimension ${d} cannot be divided by the block of ${block}`);
        return out;
      };
      const [channels, space] = grow ? [1 / block ** 2, block] : [block ** 2, 1 / block];
      return [{ dtype: dtype(c, 0), shape: [x[0]!, scaled(x[1]!, channels), scaled(x[2]!, space), scaled(x[3]!, space)] }];
    },
  };
}

/** The better known of two shapes' dimensions, where both are known to be of the same rank. */
export function mergeShapes(a: readonly Dim[] | null, b: readonly Dim[] | null): readonly Dim[] | null {
  if (!a || !b) return a ?? b;
  return a.length === b.length ? a.map((d, i) => sameDim(d, b[i]!)) : a;
}
