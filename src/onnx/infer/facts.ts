/** What is known about a value without running the network, and the readers that the rules share. */
import { type DType, StudioError } from '../../numerics';
import { attrInt, attrInts } from '../build';
import { toNumbers } from '../float';
import type { Dim, Node, Tensor } from '../graph';

export interface Fact {
  readonly dtype: DType | null;
  /** null = rank unknown. */
  readonly shape: readonly Dim[] | null;
  /** The value itself, where it is constant and has been computed. */
  readonly constant?: Tensor;
  /** Elements of an integer scalar or vector of which only some are known (from Shape). */
  readonly partial?: readonly Dim[];
  /** Computed from constants alone (whether or not `constant` is there): a weight, not an activation. */
  readonly fixed: boolean;
}

export type Output = Pick<Fact, 'dtype' | 'shape' | 'partial'>;

/** A node with what is known of its inputs; absent optional inputs are null. */
export interface Context {
  readonly node: Node;
  readonly opset: number;
  readonly inputs: readonly (Fact | null)[];
}

export interface Rule {
  /** One entry per output; throws StudioError 'bad-model' where shapes contradict each other. */
  readonly infer: (c: Context) => readonly Output[];
  /** Multiply-accumulates; absent = 0. Unknown dimensions give NaN, which counts as 0. */
  readonly macs?: (c: Context, outputs: readonly Output[]) => number;
  /** Input positions that hold weights and biases when constant. */
  readonly weights?: readonly number[];
}

export const UNKNOWN: Output = { dtype: null, shape: null };

/** An error at a node: 'Concat_12: inputs differ on axis 2 (40, 41).' */
export function shapeError(node: Node, problem: string): StudioError {
  return new StudioError('bad-model', `${node.name} (${node.op}): ${problem}.`, 'Export the model again with fixed input sizes.');
}

export function shape(c: Context, input: number): readonly Dim[] | null {
  return c.inputs[input]?.shape ?? null;
}

export function dtype(c: Context, input: number): DType | null {
  return c.inputs[input]?.dtype ?? null;
}

/** Elements of an integer input, as far as known: numbers, symbols, null; null when not even their count is. */
export function partial(c: Context, input: number): readonly Dim[] | null {
  const fact = c.inputs[input];
  if (!fact) return null;
  if (fact.constant) return fact.constant.dtype === 'string' ? null : toNumbers(fact.constant);
  if (fact.partial) return fact.partial;
  const count = fact.shape?.length === 1 ? fact.shape[0] : null;
  return typeof count === 'number' && count <= MAX_PARTIAL ? Array.from({ length: count }, () => null) : null;
}

/** Shape vectors and slice bounds are short; longer ones are data. */
export const MAX_PARTIAL = 64;

/** Values of a constant input, null when absent or not known. */
export function values(c: Context, input: number): readonly number[] | null {
  const known = partial(c, input);
  return known?.every((v) => typeof v === 'number') ? (known as number[]) : null;
}

/** True where an optional input is given (even if its value isn't known). */
export function has(c: Context, input: number): boolean {
  return c.inputs[input] != null;
}

/** Integers from an attribute in old opsets, from an input in newer ones; undefined = absent, null = not known. */
export function intsArg(c: Context, attribute: string, input: number): readonly number[] | undefined | null {
  const fixed = attrInts(c.node, attribute);
  if (fixed) return fixed;
  return has(c, input) ? values(c, input) : undefined;
}

/** −1 → rank − 1. Throws 'bad-model' outside [−rank, rank). */
export function normalAxis(node: Node, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!(at >= 0 && at < rank)) throw shapeError(node, `axis ${axis} does not exist in rank ${rank}`);
  return at;
}

export function axisOf(c: Context, rank: number, fallback: number): number {
  return normalAxis(c.node, attrInt(c.node, 'axis', fallback), rank);
}

/** Product of known dimensions; NaN when one isn't. */
export function count(dims: readonly Dim[] | null | undefined): number {
  return dims ? dims.reduce<number>((product, d) => (typeof d === 'number' ? product * d : Number.NaN), 1) : Number.NaN;
}

/** Two dimensions that must be equal: the better known one. */
export function sameDim(a: Dim, b: Dim): Dim {
  if (typeof a === 'number') return a;
  if (typeof b === 'number') return b;
  return a ?? b;
}

function broadcastDim(node: Node, a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number' && a !== b) throw shapeError(node, `inputs do not broadcast (${a} against ${b})`);
  if (typeof a === 'number') return a;
  if (typeof b === 'number') return b;
  return a === b ? a : null;
}

/** NumPy broadcasting; null when a rank is unknown. */
export function broadcast(node: Node, ...shapes: readonly (readonly Dim[] | null)[]): readonly Dim[] | null {
  return shapes.reduce((a, b) => {
    if (!a || !b) return null;
    const rank = Math.max(a.length, b.length);
    const at = (dims: readonly Dim[], i: number): Dim => (i < rank - dims.length ? 1 : dims[i - rank + dims.length]!);
    return Array.from({ length: rank }, (_, i) => broadcastDim(node, at(a, i), at(b, i)));
  });
}

export function unknownDims(rank: number): Dim[] {
  return Array.from({ length: rank }, () => null);
}

/** The shape with one dimension replaced. */
export function withDim(dims: readonly Dim[], axis: number, dim: Dim): Dim[] {
  return dims.map((d, i) => (i === axis ? dim : d));
}
