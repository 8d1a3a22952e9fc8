/** Shapes of operators that work element by element, of normalisations, and arithmetic on partly known shape vectors. */
import { attrInt, attrInts, attrTensor } from '../build';
import { storageOf } from '../dtypes';
import type { Dim } from '../graph';
import { axisOf, broadcast, type Context, dtype, has, type Output, type Rule, shape } from './facts';

/** Same type and shape as the first input; shape vectors pass through where `keeps`. */
export function same(options: { readonly keeps?: boolean; readonly weights?: readonly number[] } = {}): Rule {
  return {
    infer: (c) => {
      const first = c.inputs[0];
      const kept = options.keeps && first?.partial ? { partial: first.partial } : {};
      return [{ dtype: dtype(c, 0), shape: shape(c, 0), ...kept }];
    },
    ...(options.weights ? { weights: options.weights } : {}),
  };
}

type Scalar = (a: number, b: number) => number;

/** Element by element on two vectors or a vector and a scalar, of which some elements are known. */
function partialOf(c: Context, combine: Scalar | undefined): Output['partial'] {
  const [a, b] = [c.inputs[0], c.inputs[1]].map((fact) => {
    if (fact?.partial) return fact.partial;
    const t = fact?.constant;
    return (t?.dtype === 'int64' || t?.dtype === 'int32') && t.dims.length <= 1 && t.data.length <= 64
      ? Array.from(t.data as ArrayLike<number | bigint>, Number)
      : undefined;
  });
  if (!combine || !a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return undefined;
  const at = (list: readonly Dim[], i: number) => list[list.length === 1 ? 0 : i]!;
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const [p, q] = [at(a, i), at(b, i)];
    return typeof p === 'number' && typeof q === 'number' ? combine(p, q) : null;
  });
}

/** Broadcast of all inputs; the type of the first. */
export function arithmetic(combine?: Scalar): Rule {
  return {
    infer: (c) => {
      const known = partialOf(c, combine);
      return [
        {
          dtype: dtype(c, 0) ?? dtype(c, 1),
          shape: broadcast(c.node, ...c.inputs.map((_, i) => shape(c, i))),
          ...(known ? { partial: known } : {}),
        },
      ];
    },
  };
}

export const compare: Rule = {
  infer: (c) => [{ dtype: 'bool', shape: broadcast(c.node, ...c.inputs.map((_, i) => shape(c, i))) }],
};

export const where: Rule = {
  infer: (c) => [{ dtype: dtype(c, 1) ?? dtype(c, 2), shape: broadcast(c.node, shape(c, 0), shape(c, 1), shape(c, 2)) }],
};

export const cast: Rule = {
  infer: (c) => {
    const known = c.inputs[0]?.partial;
    const to = storageOf(attrInt(c.node, 'to', 0))?.dtype ?? null;
    const integer = to === 'int64' || to === 'int32';
    return [{ dtype: to, shape: shape(c, 0), ...(known && integer ? { partial: known } : {}) }];
  },
};

/** Softmax and kin check their axis against the rank. */
export const softmax: Rule = {
  infer: (c) => {
    const dims = shape(c, 0);
    // Before opset 13 the axis may be the rank itself: everything in one row.
    if (dims && dims.length > 0 && c.opset >= 13) axisOf(c, dims.length, -1);
    return [{ dtype: dtype(c, 0), shape: dims }];
  },
};

export const batchNormalization: Rule = {
  infer: (c) => {
    const channels = shape(c, 1);
    const first = { dtype: dtype(c, 0), shape: shape(c, 0) };
    return c.node.outputs.map((_, i) => (i === 0 ? first : { dtype: dtype(c, 3), shape: channels }));
  },
  weights: [1, 2, 3, 4],
};

export const layerNormalization: Rule = {
  infer: (c) => {
    const dims = shape(c, 0);
    const axis = dims ? axisOf(c, dims.length, -1) : 0;
    const reduced = dims?.map((d, i) => (i < axis ? d : 1)) ?? null;
    return c.node.outputs.map((_, i) => (i === 0 ? { dtype: dtype(c, 0), shape: dims } : { dtype: 'float32', shape: reduced }));
  },
  weights: [1, 2],
};

export const dropout: Rule = {
  infer: (c) => [
    { dtype: dtype(c, 0), shape: shape(c, 0) },
    { dtype: c.opset >= 10 ? 'bool' : dtype(c, 0), shape: shape(c, 0) },
  ],
};

export const constant: Rule = {
  infer: (c) => {
    const { node } = c;
    const t = attrTensor(node, 'value');
    if (t) return [{ dtype: t.dtype, shape: t.dims }];
    if (node.attributes.value_float) return [{ dtype: 'float32', shape: [] }];
    if (node.attributes.value_int) return [{ dtype: 'int64', shape: [] }];
    if (node.attributes.value_string) return [{ dtype: 'string', shape: [] }];
    const ints = attrInts(node, 'value_ints');
    if (ints) return [{ dtype: 'int64', shape: [ints.length] }];
    const list = node.attributes.value_floats ?? node.attributes.value_strings;
    if (list?.type === 'floats') return [{ dtype: 'float32', shape: [list.value.length] }];
    if (list?.type === 'strings') return [{ dtype: 'string', shape: [list.value.length] }];
    return [{ dtype: null, shape: null }];
  },
};

/** Type of the zero point, or what `output_dtype` says, or uint8. */
export const quantizeLinear: Rule = {
  infer: (c) => {
    const declared = storageOf(attrInt(c.node, 'output_dtype', 0))?.dtype;
    return [{ dtype: has(c, 2) ? dtype(c, 2) : (declared ?? 'uint8'), shape: shape(c, 0) }];
  },
};

export const dequantizeLinear: Rule = { infer: (c) => [{ dtype: dtype(c, 1), shape: shape(c, 0) }] };

export const dynamicQuantizeLinear: Rule = {
  infer: (c) => [
    { dtype: 'uint8', shape: shape(c, 0) },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ],
};

/** com.microsoft QLinearAdd and QLinearMul: a, its scale and zero point, b, its scale and zero point, y's. */
export const qlinearBinary: Rule = { infer: (c) => [{ dtype: dtype(c, 0), shape: broadcast(c.node, shape(c, 0), shape(c, 3)) }] };
