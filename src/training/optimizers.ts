/**
 * Optimizers on normalised variables. Released detectors have their BatchNorm folded into the weights, so channels differ
 * by orders of magnitude and one step size for all destroys the network; here each variable says what one unit is (the rms
 * of an output channel, a channel's σ, a log scale's 1), gradients are taken and steps are made in these units.
 */
import { REPORT_IT, StudioError } from '../numerics';

/** Something that is trained: one input of the training graph. */
export interface Variable {
  /** The graph input's name. */
  readonly name: string;
  readonly dims: readonly number[];
  /** Start values, `dims` row-major. */
  readonly data: Float32Array;
  /** Unit of a step, > 0: one value, or one for each equal consecutive part (an output channel's weights). */
  readonly unit: Float32Array;
  /** Step in units at the schedule's peak: 0.03 moves a value by about 3 % of its unit. */
  readonly rate: number;
  /** Values are kept within [min, max]. */
  readonly min?: number;
  readonly max?: number;
}

export type OptimizerId = 'adam' | 'adamw' | 'sgd';

interface Optimizer {
  /** Arrays of state per variable. */
  readonly slots: number;
  /** Writes the step to take, in units and before the rate, over `direction`, which holds the gradient in units. */
  step(direction: Float64Array, slots: readonly Float32Array[], data: Float32Array, variable: Variable, count: number): void;
}

const BETA1 = 0.9;
const BETA2 = 0.99;
const EPSILON = 1e-12;
const MOMENTUM = 0.9;
/** Decoupled decay per step of AdamW, relative to the rate. */
const WEIGHT_DECAY = 0.01;

function adamStep(direction: Float64Array, slots: readonly Float32Array[], count: number): void {
  const [m, v] = slots as readonly [Float32Array, Float32Array];
  const first = 1 - BETA1 ** count;
  const second = 1 - BETA2 ** count;
  for (let i = 0; i < direction.length; i++) {
    const g = direction[i]!;
    m[i] = BETA1 * m[i]! + (1 - BETA1) * g;
    v[i] = BETA2 * v[i]! + (1 - BETA2) * g * g;
    direction[i] = m[i]! / first / (Math.sqrt(v[i]! / second) + EPSILON);
  }
}

export const OPTIMIZERS = {
  /** Kingma & Ba 2015, β = (0.9, 0.99). */
  adam: { slots: 2, step: (direction, slots, _data, _variable, count) => adamStep(direction, slots, count) },
  /** Loshchilov & Hutter 2019: Adam, and values decay toward 0 by themselves. */
  adamw: {
    slots: 2,
    step(direction, slots, data, { unit }, count) {
      adamStep(direction, slots, count);
      const part = direction.length / unit.length;
      for (const [channel, size] of unit.entries())
        for (let i = channel * part; i < (channel + 1) * part; i++) direction[i] = direction[i]! + (WEIGHT_DECAY * data[i]!) / size;
    },
  },
  /** Momentum on gradients scaled to an rms of 1 in each channel (as LARS, You et al. 2017, does for each layer). */
  sgd: {
    slots: 1,
    step(direction, slots, _data, { unit }) {
      const momentum = slots[0]!;
      const part = direction.length / unit.length;
      for (let from = 0; from < direction.length; from += part) {
        let squares = 0;
        for (let i = from; i < from + part; i++) squares += direction[i]! ** 2;
        const rms = Math.sqrt(squares / part) + EPSILON;
        for (let i = from; i < from + part; i++) {
          momentum[i] = MOMENTUM * momentum[i]! + (1 - MOMENTUM) * (direction[i]! / rms);
          direction[i] = momentum[i]!;
        }
      }
    },
  },
} satisfies Record<OptimizerId, Optimizer>;

export function emptySlots(id: OptimizerId, variable: Variable): Float32Array[] {
  return Array.from({ length: OPTIMIZERS[id].slots }, () => new Float32Array(variable.data.length));
}

/** A variable's gradient is asked for at every step: memory that is new each time costs as much as the step itself. */
const directions = new WeakMap<Variable, Float64Array>();

/**
 * The gradient in the variable's units, in an array that the next call for the same variable overwrites.
 * @throws StudioError 'runtime' when it has another size
 */
export function inUnits(variable: Variable, gradient: ArrayLike<number>): Float64Array {
  const { name, data, unit } = variable;
  if (gradient.length !== data.length || data.length % unit.length !== 0)
    throw new StudioError(
      'runtime',
      `The gradient of "${name}" has ${gradient.length} values for ${data.length}, with ${unit.length} units.`,
      REPORT_IT,
    );
  const part = data.length / unit.length;
  const direction = directions.get(variable) ?? new Float64Array(data.length);
  directions.set(variable, direction);
  for (const [channel, size] of unit.entries())
    for (let i = channel * part; i < (channel + 1) * part; i++) direction[i] = gradient[i]! * size;
  return direction;
}

/**
 * One step, in place.
 * @param direction the gradient in units (see {@link inUnits}); overwritten
 * @param factor of the schedule, on the variable's rate
 * @param count steps so far, this one included
 */
export function applyStep(
  id: OptimizerId,
  variable: Variable,
  data: Float32Array,
  slots: readonly Float32Array[],
  direction: Float64Array,
  factor: number,
  count: number,
): void {
  const optimizer: Optimizer = OPTIMIZERS[id];
  optimizer.step(direction, slots, data, variable, count);
  const { unit, rate, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = variable;
  const part = data.length / unit.length;
  for (const [channel, size] of unit.entries()) {
    const step = rate * factor * size;
    for (let i = channel * part; i < (channel + 1) * part; i++) data[i] = Math.min(max, Math.max(min, data[i]! - step * direction[i]!));
  }
}
