/** Rounding of one layer's weights so that its output errs least: GPTQ and coordinate descent on the inputs' Gram matrix. */
import { cholesky, roundHalfEven } from '../../../../numerics';

/** The grid of each row's weights: (q − 0) · scale, symmetric. */
export interface RowGrid {
  /** Of every row, length rows, or one for all. */
  readonly scale: ArrayLike<number>;
  readonly qmin: number;
  readonly qmax: number;
}

const scaleOf = ({ scale }: RowGrid, row: number): number => scale[scale.length === 1 ? 0 : row]!;
const toGrid = (w: number, scale: number, { qmin, qmax }: RowGrid): number =>
  Math.min(Math.max(roundHalfEven(Math.fround(w / scale)), qmin), qmax);

/** Integers nearest to each row's weights. */
export function roundNearest(rows: Float64Array, inputs: number, grid: RowGrid): Float64Array {
  return rows.map((w, i) => toGrid(w, scaleOf(grid, Math.floor(i / inputs)), grid));
}

/** ‖(ŵ − w)·A‖² of one row: (ŵ − w)ᵀ·G·(ŵ − w). */
export function rowError(gram: Float64Array, delta: Float64Array): number {
  const n = delta.length;
  let total = 0;
  for (let i = 0; i < n; i++) {
    if (delta[i] === 0) continue;
    let inner = 0;
    for (let j = 0; j < n; j++) inner += gram[i * n + j]! * delta[j]!;
    total += delta[i]! * inner;
  }
  return total;
}

/** Share of the mean diagonal added to the Hessian, as the paper has it. */
const DAMPING = 0.01;

/**
 * Upper Cholesky factor of the inverse of the damped Gram matrix; row j tells how an error in weight j is best made up
 * for by the weights after it. Returned as its transpose, lower; null where the Gram matrix isn't positive definite.
 */
export function inverseFactor(gram: Float64Array, n: number): Float64Array | null {
  const damped = Float64Array.from(gram);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram[i * n + i]!;
  const damping = Math.max((DAMPING * trace) / n, Number.MIN_VALUE);
  for (let i = 0; i < n; i++) damped[i * n + i]! += damping;
  const l = cholesky(damped, n);
  if (!l) return null;
  const inverse = new Float64Array(n * n);
  // L⁻¹ column by column, then (L⁻¹)ᵀ·L⁻¹.
  const half = new Float64Array(n * n);
  for (let c = 0; c < n; c++)
    for (let i = c; i < n; i++) {
      let sum = i === c ? 1 : 0;
      for (let k = c; k < i; k++) sum -= l[i * n + k]! * half[k * n + c]!;
      half[i * n + c] = sum / l[i * n + i]!;
    }
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < n; k++) sum += half[k * n + i]! * half[k * n + j]!;
      inverse[i * n + j] = inverse[j * n + i] = sum;
    }
  return cholesky(inverse, n);
}

/**
 * GPTQ (Frantar et al. 2022, "GPTQ: Accurate post-training quantization"): weights are rounded one column after the
 * other, the error of each spread over those not yet rounded.
 * @param lower from {@link inverseFactor}
 * @param rows [outputs, inputs]
 * @returns integers
 */
export function gptq(lower: Float64Array, rows: Float64Array, inputs: number, grid: RowGrid): Float64Array {
  const rounded = new Float64Array(rows.length);
  const w = new Float64Array(inputs);
  for (let row = 0; row < rows.length / inputs; row++) {
    w.set(rows.subarray(row * inputs, (row + 1) * inputs));
    const scale = scaleOf(grid, row);
    for (let j = 0; j < inputs; j++) {
      const q = toGrid(w[j]!, scale, grid);
      rounded[row * inputs + j] = q;
      const error = (w[j]! - q * scale) / lower[j * inputs + j]!;
      for (let k = j + 1; k < inputs; k++) w[k]! -= error * lower[k * inputs + j]!;
    }
  }
  return rounded;
}

/** Most passes over a row's weights; few rows need more than three. */
const SWEEPS = 8;

/**
 * Coordinate descent: moves single weights by one step as long as the row's output error falls. Never makes it worse.
 * @param integers changed in place
 */
export function descend(gram: Float64Array, rows: Float64Array, integers: Float64Array, inputs: number, grid: RowGrid): void {
  const slope = new Float64Array(inputs);
  const delta = new Float64Array(inputs);
  for (let row = 0; row < rows.length / inputs; row++) {
    const scale = scaleOf(grid, row);
    const from = row * inputs;
    for (let i = 0; i < inputs; i++) delta[i] = integers[from + i]! * scale - rows[from + i]!;
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let j = 0; j < inputs; j++) sum += gram[i * inputs + j]! * delta[j]!;
      slope[i] = sum;
    }
    for (let sweep = 0, moved = true; moved && sweep < SWEEPS; sweep++) {
      moved = false;
      for (let i = 0; i < inputs; i++) {
        const step = slope[i]! > 0 ? -1 : 1;
        const next = integers[from + i]! + step;
        if (next < grid.qmin || next > grid.qmax) continue;
        const gain = scale * (2 * step * slope[i]! + scale * gram[i * inputs + i]!);
        if (!(gain < -1e-12 * Math.abs(scale * slope[i]!))) continue;
        integers[from + i] = next;
        for (let j = 0; j < inputs; j++) slope[j]! += step * scale * gram[i * inputs + j]!;
        moved = true;
      }
    }
  }
}

/**
 * The better of GPTQ and round-to-nearest for each row, both improved by coordinate descent: never worse on the
 * layer's own error than round-to-nearest.
 * @param gram [inputs, inputs] of the layer's (quantized) inputs, one group
 * @param factor of that Gram matrix, where it is known already
 * @returns integers [outputs, inputs]
 */
export function roundForOutput(
  gram: Float64Array,
  rows: Float64Array,
  inputs: number,
  grid: RowGrid,
  factor: Float64Array | null = inverseFactor(gram, inputs),
): Float64Array {
  const nearest = roundNearest(rows, inputs, grid);
  const best = Float64Array.from(nearest);
  descend(gram, rows, best, inputs, grid);
  if (!factor) return best;
  const other = gptq(factor, rows, inputs, grid);
  descend(gram, rows, other, inputs, grid);
  const error = (integers: Float64Array, row: number): number =>
    rowError(
      gram,
      Float64Array.from({ length: inputs }, (_, i) => integers[row * inputs + i]! * scaleOf(grid, row) - rows[row * inputs + i]!),
    );
  for (let row = 0; row < rows.length / inputs; row++)
    if (error(other, row) < error(best, row)) best.set(other.subarray(row * inputs, (row + 1) * inputs), row * inputs);
  return best;
}
