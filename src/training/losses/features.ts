/** The feature part of a distillation: values inside the networks, compared channel by channel in units of the teacher's variance. */
import { type Dim, type Tensor, tensor } from '../../onnx';
import type { Variable } from '../optimizers';
import type { GraphWriter } from './writer';

export interface FeaturePair {
  /** Value of the student's network. */
  readonly value: string;
  /** Value of the teacher's network; absent: of the same name. */
  readonly teacher?: string;
  /** Channels (axis 1) of the teacher's value that the student's has, in order; absent: all. */
  readonly keep?: readonly number[];
  /** Per channel of the teacher's value after `keep`, > 0. */
  readonly variance: ArrayLike<number>;
}

/** Σ over tensors of the mean over channels and pixels of (S − T)² / variance_T. */
export interface FeatureLoss {
  readonly strength: number;
  readonly tensors: readonly FeaturePair[];
}

export const featureTarget = (i: number): string => `target/feature_${i}`;
const projectionName = (i: number): string => `projection/${i}`;

/** Step of a projection's entries in units of their size. */
const PROJECTION_RATE = 1e-2;

/** The teacher's value with the student's channels only. */
export function featureValue(w: GraphWriter, { value, teacher = value, keep }: FeaturePair): string {
  return keep ? w.add('Gather', [teacher, w.ints(keep)], { axis: 1 }) : teacher;
}

/**
 * A 1×1 convolution that takes the student's channels to the teacher's, where their numbers differ (as FitNets, Romero et
 * al. 2015). It starts at 0 and is trained with the rest; it is not part of the network that comes out.
 */
export function projectionOf(i: number, from: number, to: number): Variable {
  const unit = new Float32Array(to).fill(1 / Math.sqrt(from));
  return { name: projectionName(i), dims: [to, from, 1, 1], data: new Float32Array(to * from), unit, rate: PROJECTION_RATE };
}

export const projectionTensor = ({ name, dims, data }: Variable): Tensor => tensor(name, 'float32', dims, data);

/** @param dims of the target */
export function featureTerm(
  w: GraphWriter,
  { value, variance }: FeaturePair,
  i: number,
  dims: readonly Dim[],
  projection: Variable | undefined,
): string {
  const elements = (dims as readonly number[]).reduce((a, b) => a * b, 1);
  const weights = Float32Array.from(variance, (v) => 1 / (Math.max(v, 1e-12) * elements));
  const own = projection ? w.add('Conv', [value, projection.name]) : value;
  const difference = w.add('Sub', [own, featureTarget(i)]);
  const weighted = w.add('Mul', [difference, w.floats('feature', [1, weights.length, ...dims.slice(2).map(() => 1)], weights)]);
  return w.sum(w.add('Mul', [weighted, difference]));
}
