/** Constant kernels that move, make or reduce data. */
import { attrFloat, attrFloats, attrInt, attrInts, attrString, attrTensor } from '../build';
import type { Tensor } from '../graph';
import { normalAxis } from '../infer/facts';
import { padding, permutation, slicePlan } from '../infer/moves';
import { reducedAxes } from '../infer/selections';
import { allocate, broadcastStrides, fromNumbers, type NumericData, product, sameType, stridesOf, toNumbers, view, walk } from './arrays';
import type { Kernel } from './types';

/** Same elements under another shape. */
export const relabel: Kernel = ([x], [dims]) => [{ ...x!, dims: dims! }];

export const transpose: Kernel = ([x], [dims], c) => {
  const strides = stridesOf(x!.dims);
  return [
    view(
      x!,
      dims!,
      permutation(c, x!.dims.length).map((p) => strides[p]!),
    ),
  ];
};

export const slice: Kernel = ([x], [dims], c) => {
  const plan = slicePlan(c, x!.dims);
  if (!plan) return null;
  const strides = stridesOf(x!.dims);
  const offset = plan.reduce((sum, { axis, start }) => sum + start * strides[axis]!, 0);
  const steps = strides.map((stride, axis) => stride * (plan.find((p) => p.axis === axis)?.step ?? 1));
  return [view(x!, dims!, steps, product(dims!) === 0 ? 0 : offset)];
};

export const expand: Kernel = ([x], [dims]) => [view(x!, dims!, broadcastStrides(x!.dims, dims!))];

export const split: Kernel = ([x], shapes, c) => {
  const axis = normalAxis(c.node, attrInt(c.node, 'axis', 0), x!.dims.length);
  const strides = stridesOf(x!.dims);
  let start = 0;
  return shapes.map((dims) => {
    const part = view(x!, dims, strides, start * strides[axis]!);
    start += dims[axis]!;
    return part;
  });
};

export const concat: Kernel = (inputs, [dims], c) => {
  const parts = inputs as readonly Tensor[];
  if (!sameType(...parts)) return null;
  const axis = normalAxis(c.node, attrInt(c.node, 'axis', 1), dims!.length);
  const data = allocate(parts[0]!, product(dims!));
  const row = product(dims!.slice(axis));
  let start = 0;
  for (const part of parts) {
    const chunk = product(part.dims.slice(axis));
    for (let i = 0, at = start; i < part.data.length; i += chunk, at += row)
      (data as Float32Array).set((part.data as Float32Array).subarray(i, i + chunk), at);
    start += chunk;
  }
  return [{ ...parts[0]!, dims: dims!, data }];
};

export const gather: Kernel = ([x, indices], [dims], c) => {
  const axis = normalAxis(c.node, attrInt(c.node, 'axis', 0), x!.dims.length);
  const size = x!.dims[axis]!;
  const picked = toNumbers(indices!).map((i) => (i < 0 ? i + size : i));
  if (picked.some((i) => !(i >= 0 && i < size))) return null;
  const inner = product(x!.dims.slice(axis + 1));
  const data = allocate(x!, product(dims!));
  const outer = product(x!.dims.slice(0, axis));
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const index of picked) {
      const from = (o * size + index) * inner;
      (data as Float32Array).set((x!.data as Float32Array).subarray(from, from + inner), at);
      at += inner;
    }
  return [{ ...x!, dims: dims!, data }];
};

export const gatherElements: Kernel = ([x, indices], [dims], c) => {
  const axis = normalAxis(c.node, attrInt(c.node, 'axis', 0), x!.dims.length);
  const size = x!.dims[axis]!;
  const picked = toNumbers(indices!).map((i) => (i < 0 ? i + size : i));
  if (picked.some((i) => !(i >= 0 && i < size))) return null;
  const strides = stridesOf(x!.dims);
  const data = allocate(x!, product(dims!));
  const base = strides.map((stride, d) => (d === axis ? 0 : stride));
  walk(dims!, base, 0, (index, i) => {
    data[i] = (x!.data as NumericData)[index + picked[i]! * strides[axis]!]!;
  });
  return [{ ...x!, dims: dims!, data }];
};

/** Without reduction; later updates win. */
export const scatterND: Kernel = ([x, indices, updates], [dims], c) => {
  if (attrString(c.node, 'reduction', 'none') !== 'none' || !sameType(x!, updates!)) return null;
  const depth = indices!.dims[indices!.dims.length - 1]!;
  const strides = stridesOf(x!.dims);
  const row = product(x!.dims.slice(depth));
  const data = (x!.data as Float32Array).slice();
  const at = toNumbers(indices!);
  for (let i = 0, u = 0; i < at.length; i += depth, u += row) {
    let offset = 0;
    for (let d = 0; d < depth; d++) {
      const index = at[i + d]! < 0 ? at[i + d]! + x!.dims[d]! : at[i + d]!;
      if (!(index >= 0 && index < x!.dims[d]!)) return null;
      offset += index * strides[d]!;
    }
    data.set((updates!.data as Float32Array).subarray(u, u + row), offset);
  }
  return [{ ...x!, dims: dims!, data }];
};

export const tile: Kernel = ([x], [dims]) => {
  const strides = stridesOf(x!.dims);
  const data = allocate(x!, product(dims!));
  const at = new Array<number>(dims!.length).fill(0);
  for (let i = 0; i < data.length; i++) {
    let index = 0;
    for (let d = 0; d < at.length; d++) index += (at[d]! % x!.dims[d]!) * strides[d]!;
    data[i] = (x!.data as NumericData)[index]!;
    for (let d = at.length - 1; d >= 0; d--) {
      if (++at[d]! < dims![d]!) break;
      at[d] = 0;
    }
  }
  return [{ ...x!, dims: dims!, data }];
};

/** Constant mode, no cropping. */
export const pad: Kernel = ([x, , value], [dims], c) => {
  const p = padding(c, x!.dims.length);
  if (!p || attrString(c.node, 'mode', 'constant') !== 'constant' || [...p.before, ...p.after].some((v) => v < 0)) return null;
  const data = allocate(x!, product(dims!));
  const fill = value ?? fromNumbers(x!.dtype, [], [attrFloat(c.node, 'value', 0)]);
  if (fill && !sameType(x!, fill)) return null;
  if (fill) data.fill((fill.data as NumericData)[0]! as never);
  const strides = stridesOf(dims!);
  const offset = p.before.reduce((sum, n, d) => sum + n * strides[d]!, 0);
  walk(x!.dims, strides, offset, (index, i) => {
    data[index] = (x!.data as NumericData)[i]!;
  });
  return [{ ...x!, dims: dims!, data }];
};

export const constant: Kernel = (_inputs, [dims], c) => {
  const { node } = c;
  const t = attrTensor(node, 'value');
  if (t) return [t];
  const float = node.attributes.value_float;
  const numbers = float?.type === 'float' ? [float.value] : attrFloats(node, 'value_floats');
  const integers = node.attributes.value_int ? [attrInt(node, 'value_int', 0)] : attrInts(node, 'value_ints');
  const made = numbers ? fromNumbers('float32', dims!, numbers) : integers ? fromNumbers('int64', dims!, integers) : null;
  return made && [made];
};

export const constantOfShape: Kernel = (_inputs, [dims], c) => {
  const value = attrTensor(c.node, 'value') ?? { name: '', dtype: 'float32' as const, dims: [1], data: new Float32Array(1) };
  return [
    view(
      { ...value, dims: [] },
      dims!,
      dims!.map(() => 0),
    ),
  ];
};

export const range: Kernel = ([start, , delta], [dims]) => {
  const [from, step] = [toNumbers(start!)[0]!, toNumbers(delta!)[0]!];
  const numbers = Array.from({ length: dims![0]! }, (_, i) => from + i * step);
  const t = fromNumbers(start!.dtype, dims!, numbers);
  return t && [t];
};

/** Folds the reduced axes with `step` from `initial`, then `finish(total, count)`. */
export function reduce(initial: number, step: (sum: number, v: number) => number, finish: (total: number, n: number) => number): Kernel {
  return ([x], [dims], c) => {
    const axes = reducedAxes(c, x!.dims.length);
    if (!axes) return null;
    const kept = x!.dims.map((d, i) => (axes.includes(i) ? 1 : d));
    const totals = new Array<number>(product(kept)).fill(initial);
    const numbers = toNumbers(x!);
    walk(x!.dims, broadcastStrides(kept, x!.dims), 0, (index, i) => {
      totals[index] = step(totals[index]!, numbers[i]!);
    });
    const n = numbers.length / totals.length;
    const t = fromNumbers(
      x!.dtype,
      dims!,
      totals.map((total) => finish(total, n)),
    );
    return t && [t];
  };
}
