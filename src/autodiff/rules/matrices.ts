/** Gradients of matrix products. */
import { attrFloat, attrInt } from '../../onnx';
import type { Dims, Emitter } from '../emitter';
import type { GradientRule } from '../types';

/** Y = alpha·A'·B' + beta·C, where ' transposes if the attribute says so. */
export const gemm: GradientRule = (c) => {
  const { e, g, node } = c;
  const [transA, transB] = [attrInt(node, 'transA', 0), attrInt(node, 'transB', 0)];
  const [alpha, beta] = [attrFloat(node, 'alpha', 1), attrFloat(node, 'beta', 1)];
  const product = (a: string, b: string, ta: number, tb: number) =>
    e.emit('Gemm', [a, b], { transA: ta, transB: tb, alpha: { type: 'float', value: alpha } });
  const [a, b] = [c.x(0), c.x(1)];
  return [
    transA ? product(b, g, transB, 1) : product(g, b, 0, 1 - transB),
    transB ? product(g, a, 1, transA) : product(a, g, 1 - transA, 0),
    c.has(2) ? e.times(e.reduceTo(g, c.outDims(0), c.dims(2)), beta) : null,
  ];
};

function transposed(e: Emitter, x: string, rank: number): string {
  return e.transpose(x, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

/** Vectors are seen as a row (left) or a column (right); batch axes that were broadcast are summed. */
export const matMul: GradientRule = (c) => {
  const { e } = c;
  const [a, b] = [c.dims(0), c.dims(1)];
  const left: Dims = a.length === 1 ? [1, ...a] : a;
  const right: Dims = b.length === 1 ? [...b, 1] : b;
  const full = (batch: Dims): Dims => [...batch, left[left.length - 2]!, right[right.length - 1]!];
  const out = c.outDims(0);
  const batch = out.slice(0, out.length - (a.length > 1 ? 1 : 0) - (b.length > 1 ? 1 : 0));
  const open = (name: string, from: Dims, to: Dims) => (from.length === to.length ? name : e.reshape(name, to));
  const g = open(c.g, out, full(batch));
  const [x, y] = [open(c.x(0), a, left), open(c.x(1), b, right)];
  const to = (value: string, inner: readonly [number, number], dims: Dims, given: Dims) =>
    open(e.reduceTo(value, [...batch, ...inner], dims), dims, given);
  const [m, k, n] = [left[left.length - 2]!, left[left.length - 1]!, right[right.length - 1]!];
  return [
    c.wants(0) ? to(e.emit('MatMul', [g, transposed(e, y, right.length)]), [m, k], left, a) : null,
    c.wants(1) ? to(e.emit('MatMul', [transposed(e, x, left.length), g]), [k, n], right, b) : null,
  ];
};
