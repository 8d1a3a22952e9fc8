/** Gradients of operators that only move, repeat or pick values. */
import { attrInt, attrInts, attrString } from '../../onnx';
import { product } from '../emitter';
import type { GradientContext, GradientRule } from '../types';

/** −1 → rank − 1. */
export const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Reshape, Flatten, Squeeze, Unsqueeze. */
export const reshape: GradientRule = (c) => [c.e.reshape(c.g, c.dims(0))];

export const transpose: GradientRule = (c) => {
  const perm = attrInts(c.node, 'perm') ?? c.dims(0).map((_, i) => c.dims(0).length - 1 - i);
  return [
    c.e.transpose(
      c.g,
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ];
};

/** Where every part is wanted, one Split; else a Slice for each that is. */
export const concat: GradientRule = (c) => {
  const { e, g, node } = c;
  const axis = positive(attrInt(node, 'axis', 0), c.outDims(0).length);
  const sizes = node.inputs.map((_, i) => c.dims(i)[axis]!);
  if (sizes.every((_, i) => c.wants(i))) return e.split(g, axis, sizes);
  let start = 0;
  return sizes.map((size, i) => {
    start += size;
    return c.wants(i) ? e.slice(g, [axis], [start - size], [start]) : null;
  });
};

/** Parts that the loss doesn't read count as zeros. */
export const split: GradientRule = (c) => {
  const axis = positive(attrInt(c.node, 'axis', 0), c.dims(0).length);
  return [
    c.e.concat(
      c.node.outputs.map((_, i) => c.gradient(i) ?? c.e.zeros(c.outDims(i))),
      axis,
    ),
  ];
};

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
}

/** Starts and steps of a Slice, clamped as ONNX says; ends follow from the output's shape. */
function ranges(c: GradientContext): Range[] {
  const dims = c.dims(0);
  const optional = (i: number) => (c.has(i) ? c.fixed(i) : null);
  const [starts, axes, steps] = [c.fixed(1), optional(3), optional(4)];
  return starts.map((raw, i) => {
    const axis = positive(axes?.[i] ?? i, dims.length);
    const size = dims[axis]!;
    const step = steps?.[i] ?? 1;
    const from = raw < 0 ? raw + size : raw;
    return { axis, step, start: step > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, 0), size - 1) };
  });
}

/** Puts `g` (of shape `from`) back to every `step`-th place from `start` of an axis of `size`; zeros elsewhere. */
function putBack(c: GradientContext, g: string, from: number[], { axis, start, step }: Range, size: number): string {
  const { e } = c;
  const count = from[axis]!;
  const rank = from.length;
  let value = g;
  if (step < 0) value = e.slice(value, [axis], [-1], [-(2 ** 31)], [-1]);
  const stride = Math.abs(step);
  const first = step < 0 ? start - (count - 1) * stride : start;
  const pads = (at: number, before: number, after: number, of: number) =>
    Array.from({ length: 2 * of }, (_, i) => (i === at ? before : i === of + at ? after : 0));
  let length = count;
  if (stride > 1) {
    const spread = [...from.slice(0, axis + 1), 1, ...from.slice(axis + 1)];
    value = e.pad(e.reshape(value, spread), pads(axis + 1, 0, stride - 1, rank + 1));
    length = count * stride;
    from[axis] = length;
    value = e.reshape(value, from);
  }
  // The last place's own zeros may lie beyond the end: negative padding crops them.
  value = e.pad(value, pads(axis, first, size - first - length, rank));
  from[axis] = size;
  return value;
}

export const slice: GradientRule = (c) => {
  const dims = c.dims(0);
  const shape = [...c.outDims(0)];
  const moved = ranges(c).filter(({ axis, step }) => shape[axis] !== dims[axis] || step !== 1);
  if (product(shape) === 0) return [c.e.zeros(dims)];
  if (moved.every(({ step }) => step === 1)) {
    const pads = new Array<number>(2 * dims.length).fill(0);
    for (const { axis, start } of moved) {
      pads[axis] = start;
      pads[dims.length + axis] = dims[axis]! - start - shape[axis]!;
    }
    return [c.e.pad(c.g, pads)];
  }
  return [moved.reduce((g, range) => putBack(c, g, shape, range, dims[range.axis]!), c.g)];
};

/** Constant indices only: each element's readers are known, so its gradient is a Gather too (repeats are summed). */
export const gather: GradientRule = (c) => {
  const { e } = c;
  const dims = c.dims(0);
  const axis = positive(attrInt(c.node, 'axis', 0), dims.length);
  const indices = c.fixed(1).map((i) => positive(i, dims[axis]!));
  const flat = [...dims.slice(0, axis), indices.length, ...dims.slice(axis + 1)];
  const readers: number[][] = Array.from({ length: dims[axis]! }, () => []);
  for (const [at, from] of indices.entries()) readers[from]!.push(at);
  // One zero after the last index serves the elements that nobody (or fewer) read.
  const pads = flat.map(() => 0);
  const padded = e.pad(e.reshape(c.g, flat), [...pads, ...pads.map((_, i) => (i === axis ? 1 : 0))]);
  const most = Math.max(1, ...readers.map((list) => list.length));
  const layers = Array.from({ length: most }, (_, n) =>
    e.emit('Gather', [padded, e.ints(readers.map((list) => list[n] ?? indices.length))], { axis }),
  );
  return [layers.reduce(e.add)];
};

export const expand: GradientRule = (c) => [c.e.reduceTo(c.g, c.outDims(0), c.dims(0))];

export const tile: GradientRule = (c) => {
  const dims = c.dims(0);
  const repeats = c.outDims(0).map((size, i) => size / dims[i]!);
  const spread = dims.flatMap((size, i) => [repeats[i]!, size]);
  const axes = dims.map((_, i) => 2 * i);
  return [c.e.reduceSum(c.e.reshape(c.g, spread), axes, false)];
};

/** Pads of every axis: begins, then ends. */
function padsOf(c: GradientContext): number[] {
  const rank = c.dims(0).length;
  const given = c.fixed(1);
  const axes = c.has(3) ? c.fixed(3) : null;
  if (!axes) return [...given];
  const pads = new Array<number>(2 * rank).fill(0);
  axes.forEach((raw, i) => {
    const axis = positive(raw, rank);
    pads[axis] = given[i]!;
    pads[rank + axis] = given[axes.length + i]!;
  });
  return pads;
}

/** Where a padded position reads from, in an axis of `size`; null outside it with constant padding. */
function source(at: number, size: number, mode: string): number | null {
  if (at >= 0 && at < size) return at;
  if (mode === 'edge') return Math.min(Math.max(at, 0), size - 1);
  if (mode === 'wrap') return ((at % size) + size) % size;
  if (mode !== 'reflect') return null;
  const period = Math.max(1, 2 * (size - 1));
  const turn = ((at % period) + period) % period;
  return turn < size ? turn : period - turn;
}

/** Constant padding is cut off again (negative padding comes back as zeros); mirrored values add to where they came from. */
export const pad: GradientRule = (c) => {
  const { e } = c;
  const dims = c.dims(0);
  const pads = padsOf(c);
  const mode = attrString(c.node, 'mode', 'constant');
  if (mode === 'constant')
    return [
      e.pad(
        c.g,
        pads.map((p) => -p),
      ),
    ];
  const shape = [...c.outDims(0)];
  let g = c.g;
  dims.forEach((size, axis) => {
    if (pads[axis] === 0 && pads[dims.length + axis] === 0) return;
    const readers: number[][] = Array.from({ length: size }, () => []);
    for (let i = 0; i < shape[axis]!; i++) readers[source(i - pads[axis]!, size, mode)!]!.push(i);
    const none = shape[axis]!;
    const extra = shape.map((_, i) => (i === axis ? 1 : 0));
    const padded = e.pad(g, [...shape.map(() => 0), ...extra]);
    const most = Math.max(...readers.map((list) => list.length));
    g = Array.from({ length: most }, (_, n) => e.emit('Gather', [padded, e.ints(readers.map((list) => list[n] ?? none))], { axis })).reduce(
      e.add,
    );
    shape[axis] = size;
  });
  return [g];
};

/** y[n, c·b² …] of SpaceToDepth: DepthToSpace takes it back. */
export const spaceToDepth: GradientRule = (c) => [
  c.e.emit('DepthToSpace', [c.g], { blocksize: attrInt(c.node, 'blocksize', 1), mode: 'DCR' }),
];

export const depthToSpace: GradientRule = (c) => {
  const { e } = c;
  const block = attrInt(c.node, 'blocksize', 1);
  if (attrString(c.node, 'mode', 'DCR') === 'DCR') return [e.emit('SpaceToDepth', [c.g], { blocksize: block })];
  const [n, channels, h, w] = c.dims(0) as readonly [number, number, number, number];
  const open = e.reshape(c.g, [n, channels / block ** 2, h, block, w, block]);
  return [e.reshape(e.transpose(open, [0, 1, 3, 5, 2, 4]), c.dims(0))];
};

/** float → float32 comes back as it went; to an integer nothing does (the caller treats that as flat). */
export const cast: GradientRule = (c) => [c.g];
