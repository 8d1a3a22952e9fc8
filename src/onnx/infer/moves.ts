/** Shapes of operators that move data: slicing, joining, reshaping, gathering. */
import { attrInt, attrInts, attrTensor } from '../build';
import type { Dim } from '../graph';
import {
  axisOf,
  broadcast,
  type Context,
  count,
  dtype,
  has,
  intsArg,
  normalAxis,
  type Output,
  partial,
  type Rule,
  sameDim,
  shape,
  shapeError,
  unknownDims,
  values,
  withDim,
} from './facts';

export const concat: Rule = {
  infer: (c) => {
    const shapes = c.inputs.map((_, i) => shape(c, i));
    const rank = shapes.find((s) => s)?.length;
    const type = c.inputs.map((_, i) => dtype(c, i)).find((t) => t) ?? null;
    if (rank === undefined) return [{ dtype: type, shape: null }];
    const axis = axisOf(c, rank, 1);
    for (const s of shapes) if (s && s.length !== rank) throw shapeError(c.node, `inputs differ in rank (${rank}, ${s.length})`);
    const dims = Array.from({ length: rank }, (_, d): Dim => {
      const column = shapes.map((s) => (s ? s[d]! : null));
      if (d === axis) return column.every((v) => typeof v === 'number') ? (column as number[]).reduce((a, b) => a + b, 0) : null;
      const numbers = [...new Set(column.filter((v) => typeof v === 'number'))];
      if (numbers.length > 1) throw shapeError(c.node, `inputs differ on axis ${d} (${numbers.join(', ')})`);
      return column.reduce(sameDim);
    });
    const parts = c.inputs.map((fact, i) => (rank === 1 && (fact?.partial || fact?.constant?.dtype === 'int64') ? partial(c, i) : null));
    const joined = parts.every((p) => p) && parts.some((p) => p!.length > 0) ? parts.flatMap((p) => [...p!]) : null;
    return [{ dtype: type, shape: dims, ...(joined && joined.length <= 64 ? { partial: joined } : {}) }];
  },
};

/** Part sizes along the axis: given, or equal (opset 18: the last may be smaller). */
export function splitSizes(c: Context, size: Dim): readonly Dim[] {
  const parts = c.node.outputs.length;
  const given = intsArg(c, 'split', 1);
  if (given === null) return unknownDims(parts);
  if (given) {
    const sum = given.reduce((a, b) => a + b, 0);
    if (given.length !== parts || (typeof size === 'number' && sum !== size))
      throw shapeError(c.node, `splits ${size} into [${given.join(', ')}] for ${parts} outputs`);
    return given;
  }
  if (typeof size !== 'number') return unknownDims(parts);
  const each = Math.ceil(size / parts);
  return Array.from({ length: parts }, (_, i) => (i < parts - 1 ? each : size - each * (parts - 1)));
}

export const split: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const type = dtype(c, 0);
    if (!x) return c.node.outputs.map(() => ({ dtype: type, shape: null }));
    const axis = axisOf(c, x.length, 0);
    return splitSizes(c, x[axis]!).map((size) => ({ dtype: type, shape: withDim(x, axis, size) }));
  },
};

export interface SliceAxis {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

/** One axis of a Slice, clamped as ONNX does; null when start or end isn't known. */
function sliceAxis(axis: number, size: number, start: number, end: number, step: number): SliceAxis {
  const clamp = (v: number, low: number, high: number) => Math.min(Math.max(v < 0 ? v + size : v, low), high);
  const from = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
  const to = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
  return { axis, start: from, step, length: Math.max(0, Math.ceil((to - from) / step)) };
}

/** Starts, ends, axes and steps of a Slice of any opset; null when one of them isn't known. */
export function sliceBounds(c: Context, rank: number) {
  const starts = intsArg(c, 'starts', 1);
  const ends = intsArg(c, 'ends', 2);
  const axes = intsArg(c, 'axes', 3);
  const steps = has(c, 4) ? values(c, 4) : undefined;
  if (!starts || !ends || axes === null || steps === null) return null;
  const at = (axes ?? starts.map((_, i) => i)).map((axis) => normalAxis(c.node, axis, rank));
  const by = steps ?? at.map(() => 1);
  if (at.length !== starts.length || at.length !== ends.length || by.length !== at.length || by.includes(0))
    throw shapeError(c.node, `${starts.length} starts, ${ends.length} ends, ${at.length} axes and steps [${by.join(', ')}] do not fit`);
  return at.map((axis, i) => ({ axis, start: starts[i]!, end: ends[i]!, step: by[i]! }));
}

/** Slices of a fully known shape. */
export function slicePlan(c: Context, dims: readonly number[]): readonly SliceAxis[] | null {
  const bounds = sliceBounds(c, dims.length);
  return bounds?.map(({ axis, start, end, step }) => sliceAxis(axis, dims[axis]!, start, end, step)) ?? null;
}

export const slice: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const type = dtype(c, 0);
    if (!x) return [{ dtype: type, shape: null }];
    const bounds = sliceBounds(c, x.length);
    const axes = bounds?.map((b) => b.axis) ?? intsArg(c, 'axes', 3)?.map((axis) => normalAxis(c.node, axis, x.length));
    if (!bounds) return [{ dtype: type, shape: x.map((d, i) => (axes && !axes.includes(i) ? d : null)) }];
    const dims = [...x];
    for (const { axis, start, end, step } of bounds) {
      const size = dims[axis]!;
      if (typeof size === 'number') dims[axis] = sliceAxis(axis, size, start, end, step).length;
      else if (!(start === 0 && step === 1 && end >= 2 ** 31 - 1)) dims[axis] = null;
    }
    const known = c.inputs[0]?.partial;
    const plan = known && bounds.length === 1 ? sliceAxis(0, known.length, bounds[0]!.start, bounds[0]!.end, bounds[0]!.step) : null;
    const part = plan ? Array.from({ length: plan.length }, (_, i) => known![plan.start + i * plan.step]!) : null;
    return [{ dtype: type, shape: dims, ...(part ? { partial: part } : {}) }];
  },
};

export const gather: Rule = {
  infer: (c) => {
    const [x, at] = [shape(c, 0), shape(c, 1)];
    const type = dtype(c, 0);
    if (!x || !at) return [{ dtype: type, shape: null }];
    const axis = axisOf(c, x.length, 0);
    const known = c.inputs[0]?.partial;
    const index = known ? values(c, 1) : null;
    const part = index?.map((i) => known![i < 0 ? i + known!.length : i] ?? null);
    return [{ dtype: type, shape: [...x.slice(0, axis), ...at, ...x.slice(axis + 1)], ...(part ? { partial: part } : {}) }];
  },
};

export const gatherElements: Rule = { infer: (c) => [{ dtype: dtype(c, 0), shape: shape(c, 1) }] };

export const gatherND: Rule = {
  infer: (c) => {
    const [x, at] = [shape(c, 0), shape(c, 1)];
    const batch = attrInt(c.node, 'batch_dims', 0);
    const depth = at?.[at.length - 1];
    if (!x || !at || typeof depth !== 'number') return [{ dtype: dtype(c, 0), shape: null }];
    return [{ dtype: dtype(c, 0), shape: [...at.slice(0, -1), ...x.slice(batch + depth)] }];
  },
};

function reshaped(c: Context, x: readonly Dim[] | null, target: readonly Dim[]): readonly Dim[] {
  const keepZero = attrInt(c.node, 'allowzero', 0) === 1;
  if (target.filter((d) => d === -1).length > 1) throw shapeError(c.node, `the shape [${target.join(', ')}] has more than one −1`);
  const dims = target.map((d, i): Dim => (d === 0 && !keepZero ? (x?.[i] ?? null) : d));
  const total = count(x);
  const free = dims.indexOf(-1);
  if (free < 0) {
    const wanted = count(dims);
    if (wanted !== total && !Number.isNaN(wanted) && !Number.isNaN(total))
      throw shapeError(c.node, `[${x!.join(', ')}] cannot become [${dims.join(', ')}]`);
    return dims;
  }
  if (!x) return withDim(dims, free, null);
  // Symbols that stand on both sides cancel out, so that a dynamic batch doesn't hide the rest.
  const left = [...x];
  const right = dims.filter((_, i) => i !== free);
  for (let i = right.length - 1; i >= 0; i--) {
    const same = typeof right[i] === 'string' ? left.indexOf(right[i]!) : -1;
    if (same < 0) continue;
    left.splice(same, 1);
    right.splice(i, 1);
  }
  if (right.length === 0 && left.length === 1) return withDim(dims, free, left[0]!);
  const rest = count(left) / count(right);
  if (Number.isNaN(rest)) return withDim(dims, free, null);
  if (!Number.isInteger(rest)) throw shapeError(c.node, `[${x.join(', ')}] cannot become [${target.join(', ')}]`);
  return withDim(dims, free, rest);
}

export const reshape: Rule = {
  infer: (c) => {
    const target = attrInts(c.node, 'shape') ?? partial(c, 1);
    return [{ dtype: dtype(c, 0), shape: target ? reshaped(c, shape(c, 0), target) : null }];
  },
};

export const flatten: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    if (!x) return [{ dtype: dtype(c, 0), shape: unknownDims(2) }];
    const given = attrInt(c.node, 'axis', 1);
    const axis = given < 0 ? given + x.length : given;
    const side = (dims: readonly Dim[]): Dim => {
      if (dims.length === 1) return dims[0]!;
      const n = count(dims);
      return Number.isNaN(n) ? null : n;
    };
    return [{ dtype: dtype(c, 0), shape: [side(x.slice(0, axis)), side(x.slice(axis))] }];
  },
};

/** The permutation of a Transpose: reversed by default. */
export function permutation(c: Context, rank: number): readonly number[] {
  const perm = attrInts(c.node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (perm.length !== rank || new Set(perm).size !== rank || perm.some((p) => !(p >= 0 && p < rank)))
    throw shapeError(c.node, `perm [${perm.join(', ')}] does not permute ${rank} dimensions`);
  return perm;
}

export const transpose: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    return [{ dtype: dtype(c, 0), shape: x ? permutation(c, x.length).map((p) => x[p]!) : null }];
  },
};

export const squeeze: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const known = c.inputs[0]?.partial;
    const kept = known && x?.length === 1 ? { partial: known } : {};
    const axes = intsArg(c, 'axes', 1);
    if (!x || axes === null || (axes === undefined && x.some((d) => typeof d !== 'number'))) return [{ dtype: dtype(c, 0), shape: null }];
    const gone = axes?.map((axis) => normalAxis(c.node, axis, x.length));
    const wrong = gone?.find((axis) => typeof x[axis] === 'number' && x[axis] !== 1);
    if (wrong !== undefined) throw shapeError(c.node, `axis ${wrong} has size ${x[wrong]}, only 1 can be squeezed`);
    return [{ dtype: dtype(c, 0), shape: x.filter((d, i) => (gone ? !gone.includes(i) : d !== 1)), ...kept }];
  },
};

export const unsqueeze: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const axes = intsArg(c, 'axes', 1);
    if (!x || !axes) return [{ dtype: dtype(c, 0), shape: null }];
    const rank = x.length + axes.length;
    const added = new Set(axes.map((axis) => normalAxis(c.node, axis, rank)));
    const rest = [...x];
    const dims = Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : rest.shift()!));
    const known = c.inputs[0]?.partial;
    return [{ dtype: dtype(c, 0), shape: dims, ...(known && rank === 1 ? { partial: known } : {}) }];
  },
};

export const expand: Rule = {
  infer: (c) => {
    const target = partial(c, 1);
    return [{ dtype: dtype(c, 0), shape: target ? broadcast(c.node, shape(c, 0), target) : null }];
  },
};

export const tile: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const repeats = values(c, 1);
    const times = (d: Dim, n: number | undefined): Dim => (n === 1 ? d : typeof d === 'number' && n !== undefined ? d * n : null);
    return [{ dtype: dtype(c, 0), shape: x?.map((d, i) => times(d, repeats?.[i])) ?? null }];
  },
};

/** Begin and end padding of every axis; null when not known. */
export function padding(c: Context, rank: number): { before: number[]; after: number[] } | null {
  const pads = intsArg(c, 'pads', 1) ?? attrInts(c.node, 'paddings');
  const axes = has(c, 3) ? values(c, 3) : Array.from({ length: rank }, (_, i) => i);
  if (!pads || !axes) return null;
  if (pads.length !== 2 * axes.length) throw shapeError(c.node, `${pads.length} pads for ${axes.length} axes`);
  const before = new Array<number>(rank).fill(0);
  const after = [...before];
  axes.forEach((axis, i) => {
    const at = normalAxis(c.node, axis, rank);
    before[at] = pads[i]!;
    after[at] = pads[i + axes.length]!;
  });
  return { before, after };
}

export const pad: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const p = x && padding(c, x.length);
    const grown = (d: Dim, by: number): Dim => (by === 0 ? d : typeof d === 'number' ? d + by : null);
    return [{ dtype: dtype(c, 0), shape: x?.map((d, i) => (p ? grown(d, p.before[i]! + p.after[i]!) : null)) ?? null }];
  },
};

export const shapeOf: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    if (!x) return [{ dtype: 'int64', shape: [null] }];
    const part = x.slice(attrInt(c.node, 'start', 0), attrInt(c.node, 'end'));
    return [{ dtype: 'int64', shape: [part.length], partial: part }];
  },
};

export const size: Rule = {
  infer: (c) => {
    const n = count(shape(c, 0));
    return [{ dtype: 'int64', shape: [], ...(Number.isNaN(n) ? {} : { partial: [n] }) }];
  },
};

export const constantOfShape: Rule = {
  infer: (c) => [{ dtype: attrTensor(c.node, 'value')?.dtype ?? 'float32', shape: partial(c, 0) }],
};

export const range: Rule = {
  infer: (c) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => (c.inputs[i]?.constant || c.inputs[i]?.partial ? values(c, i)?.[0] : undefined));
    const known = start !== undefined && limit !== undefined && delta !== undefined && delta !== 0;
    const dims: Output['shape'] = [known ? Math.max(0, Math.ceil((limit - start) / delta)) : null];
    return [{ dtype: dtype(c, 0), shape: dims }];
  },
};
