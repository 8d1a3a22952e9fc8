/** Shapes of reductions and of operators that pick elements. */
import { attrInt } from '../build';
import type { Dim } from '../graph';
import { axisOf, type Context, dtype, intsArg, normalAxis, type Rule, shape, unknownDims, values, withDim } from './facts';

/** Axes that a reduction removes; null when not known. */
export function reducedAxes(c: Context, rank: number): readonly number[] | null {
  const axes = intsArg(c, 'axes', 1);
  if (axes === null) return null;
  if (axes === undefined || axes.length === 0)
    return attrInt(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((axis) => normalAxis(c.node, axis, rank));
}

export const reduce: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const keep = attrInt(c.node, 'keepdims', 1) === 1;
    const axes = x && reducedAxes(c, x.length);
    if (!x || !axes) return [{ dtype: dtype(c, 0), shape: x && keep ? unknownDims(x.length) : null }];
    const dims = keep ? x.map((d, i) => (axes.includes(i) ? 1 : d)) : x.filter((_, i) => !axes.includes(i));
    return [{ dtype: dtype(c, 0), shape: dims }];
  },
};

/** ArgMax, ArgMin. */
export const argReduce: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    if (!x) return [{ dtype: 'int64', shape: null }];
    const axis = axisOf(c, x.length, 0);
    return [{ dtype: 'int64', shape: attrInt(c.node, 'keepdims', 1) ? withDim(x, axis, 1) : x.filter((_, i) => i !== axis) }];
  },
};

export const topK: Rule = {
  infer: (c) => {
    const x = shape(c, 0);
    const k = attrInt(c.node, 'k') ?? values(c, 1)?.[0] ?? null;
    const dims: readonly Dim[] | null = x && withDim(x, axisOf(c, x.length, -1), k);
    return [
      { dtype: dtype(c, 0), shape: dims },
      { dtype: 'int64', shape: dims },
    ];
  },
};

/** [number of boxes kept, (batch, class, box)]. */
export const nonMaxSuppression: Rule = { infer: () => [{ dtype: 'int64', shape: [null, 3] }] };

export const nonZero: Rule = { infer: (c) => [{ dtype: 'int64', shape: [shape(c, 0)?.length ?? null, null] }] };
