/** Nodes on constants, in plain TypeScript: enough for the chains that exporters leave behind. */

import type { Tensor } from '../graph';
import type { Context, Output } from '../infer/facts';
import { type OpType, opType } from '../ops';
import { product } from './arrays';
import * as element from './elementwise';
import * as move from './moves';
import type { Kernel } from './types';

/** Math.min takes no bigint. */
function least(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

function greatest(a: bigint, b: bigint): bigint {
  return least(a, b) === a ? b : a;
}

const KERNELS: Partial<Record<OpType, Kernel>> = {
  Identity: move.relabel,
  Reshape: move.relabel,
  Flatten: move.relabel,
  Squeeze: move.relabel,
  Unsqueeze: move.relabel,
  Transpose: move.transpose,
  Slice: move.slice,
  Expand: move.expand,
  Split: move.split,
  Concat: move.concat,
  Gather: move.gather,
  GatherElements: move.gatherElements,
  ScatterND: move.scatterND,
  Tile: move.tile,
  Pad: move.pad,
  Constant: move.constant,
  ConstantOfShape: move.constantOfShape,
  Range: move.range,
  ReduceSum: move.reduce(
    0,
    (sum, v) => sum + v,
    (total) => total,
  ),
  ReduceMean: move.reduce(
    0,
    (sum, v) => sum + v,
    (total, n) => total / n,
  ),
  ReduceMax: move.reduce(Number.NEGATIVE_INFINITY, Math.max, (total) => total),
  ReduceMin: move.reduce(Number.POSITIVE_INFINITY, Math.min, (total) => total),
  ReduceProd: move.reduce(
    1,
    (sum, v) => sum * v,
    (total) => total,
  ),
  ReduceL2: move.reduce(
    0,
    (sum, v) => sum + v * v,
    (total) => Math.sqrt(total),
  ),
  Add: element.binary(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Sub: element.binary(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  Mul: element.binary(
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  Div: element.divide,
  Mod: element.modulo,
  Pow: element.power,
  Min: element.binary(Math.min, least),
  Max: element.binary(Math.max, greatest),
  Sum: element.binary((a, b) => a + b),
  Equal: element.compare((a, b) => a === b),
  Less: element.compare((a, b) => a < b),
  LessOrEqual: element.compare((a, b) => a <= b),
  Greater: element.compare((a, b) => a > b),
  GreaterOrEqual: element.compare((a, b) => a >= b),
  And: element.compare((a, b) => a !== 0 && b !== 0),
  Or: element.compare((a, b) => a !== 0 || b !== 0),
  Not: element.unary((x) => (x === 0 ? 1 : 0)),
  Where: element.where,
  Cast: element.cast,
  Clip: element.clip,
  Neg: element.unary((x) => -x),
  Abs: element.unary(Math.abs),
  Sqrt: element.unary(Math.sqrt),
  Exp: element.unary(Math.exp),
  Log: element.unary(Math.log),
  Floor: element.unary(Math.floor),
  Ceil: element.unary(Math.ceil),
  Round: element.round,
  Reciprocal: element.unary((x) => 1 / x),
  Sign: element.unary(Math.sign),
  Sin: element.unary(Math.sin),
  Cos: element.unary(Math.cos),
  Relu: element.unary((x) => Math.max(x, 0)),
  Sigmoid: element.unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: element.unary(Math.tanh),
};

/** Numbers of elements that a fold may make: above a detector's largest grid, far below what fills memory. */
export const MAX_FOLDED = 2 ** 24;

const READABLE = new Set<Tensor['dtype']>([
  ...(['float32', 'float64', 'float16', 'bool'] as const),
  ...(['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const),
]);

/** [rank, number of non-zeros] indices, one column per element that isn't 0. */
function nonZero(x: Tensor): Tensor {
  const at: number[] = [];
  (x.data as ArrayLike<number | bigint> as number[]).forEach((v, i) => {
    if (Number(v) !== 0) at.push(i);
  });
  const columns = x.dims.map((size, d) => at.map((i) => Math.floor(i / product(x.dims.slice(d + 1))) % size));
  return { name: '', dtype: 'int64', dims: [x.dims.length, at.length], data: BigInt64Array.from(columns.flat(), BigInt) };
}

/**
 * The node's outputs where all its inputs are constants of plain types and it is one of the operators above; null else.
 * @param outputs their types and shapes as the shape rules give them
 * @param limit elements that the outputs may have
 */
export function evaluate(c: Context, outputs: readonly Output[], limit = MAX_FOLDED): readonly Tensor[] | null {
  const op = opType(c.node);
  if (op === null) return null;
  const inputs = c.inputs.map((fact) => fact?.constant ?? null);
  if (c.inputs.some((fact, i) => fact !== null && inputs[i] === null)) return null;
  const plain = (t: Tensor | null) => t === null || READABLE.has(t.dtype);
  if (op === 'NonZero' && plain(inputs[0]!)) return inputs[0]!.data.length <= limit ? [nonZero(inputs[0]!)] : null;
  const kernel = KERNELS[op];
  if (!kernel || (op !== 'Constant' && !inputs.every(plain))) return null;
  const shapes = outputs.slice(0, op === 'Split' ? outputs.length : 1).map((o) => o.shape);
  if (!shapes.every((dims): dims is readonly number[] => dims?.every((d) => typeof d === 'number') === true)) return null;
  if (op !== 'Constant' && shapes.reduce((sum, dims) => sum + product(dims), 0) > limit) return null;
  return kernel(inputs, shapes, c);
}
