/** The plan: which values and constants are quantized and how. `buildQdq` turns a model and its plan into a QDQ model. */
import type { QParams } from '../../numerics';
import type { ParetoPoint, TensorQuant } from '../types';

export interface ActivationQuant {
  readonly value: string;
  /** Per tensor (axis null). */
  readonly params: QParams;
  /** Value whose scale this one must have, else null. */
  readonly sharesWith: string | null;
}

export interface ConstantQuant {
  /** Node and index of the input that reads the constant; every reader has an entry of its own. */
  readonly node: string;
  readonly input: number;
  readonly tensor: string;
  readonly role: 'weight' | 'bias' | 'operand';
  readonly params: QParams;
}

/** A node with int8 weights, and what was fused to it. */
export interface QuantLayer {
  readonly node: string;
  /** Activation that it reads. */
  readonly input: string;
  /** Its own output, before a fused activation. */
  readonly rawOutput: string;
  /** Output of the fused pattern: the value that is quantized. */
  readonly output: string;
  /** True where only the float tail or the graph's outputs read `output`. */
  readonly isHead: boolean;
}

export interface QuantPlan {
  readonly activations: ReadonlyMap<string, ActivationQuant>;
  readonly constants: readonly ConstantQuant[];
  readonly layers: readonly QuantLayer[];
  readonly notes: readonly string[];
  /** What ever more layers in 16 bits would cost and win; only where they were searched. */
  readonly pareto?: readonly ParetoPoint[];
}

/** True for 16-bit integers. */
export function isWide({ dtype }: Pick<QParams, 'dtype'>): boolean {
  return dtype === 'int16' || dtype === 'uint16';
}

/** The plan as the artifact, the page and the bundle list it. */
export function toTensorQuants(plan: QuantPlan): readonly TensorQuant[] {
  const activations = [...plan.activations.values()].map(({ value, params, sharesWith }) => ({
    tensor: value,
    role: 'activation' as const,
    dtype: params.dtype,
    scale: params.scale,
    zeroPoint: params.zeroPoint,
    axis: null,
    sharesWith,
  }));
  const constants = plan.constants.map(({ tensor, role, params }) => ({
    tensor,
    role: role === 'bias' ? ('bias' as const) : ('weight' as const),
    dtype: params.dtype,
    scale: params.scale,
    zeroPoint: params.zeroPoint,
    axis: params.axis,
    sharesWith: null,
  }));
  return [...activations, ...constants];
}
