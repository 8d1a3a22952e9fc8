/** Ridge regression from Gram matrices, in double precision. */

/** What a layer's inputs and targets say, summed over columns (pixels); all row-major. */
export interface Gram {
  /** [groups, inputs, inputs]: Σ a·aᵀ */
  readonly inputs: Float64Array;
  /** [groups, inputs, outputs]: Σ a·yᵀ; empty without targets */
  readonly cross: Float64Array;
  /** [groups, inputs]: Σ a */
  readonly inputSums: Float64Array;
  /** [groups, outputs]: Σ y; empty without targets */
  readonly targetSums: Float64Array;
  /** [groups]: weights of the columns added up. */
  readonly counts: Float64Array;
}

/** Lower Cholesky factor of a symmetric positive definite n × n matrix, in place (the upper triangle is left as it was). Null when it isn't definite. */
export function cholesky(a: Float64Array, n: number): Float64Array | null {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j]!;
      const ri = i * n;
      const rj = j * n;
      for (let k = 0; k < j; k++) sum -= a[ri + k]! * a[rj + k]!;
      if (i === j) {
        if (!(sum > 0)) return null;
        a[ri + j] = Math.sqrt(sum);
      } else a[ri + j] = sum / a[rj + j]!;
    }
  }
  return a;
}

/** Solves L·Lᵀ·x = b in place. */
export function solveCholesky(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    const x = (b[i] = b[i]! / l[i * n + i]!);
    for (let k = 0; k < i; k++) b[k] = b[k]! - l[i * n + k]! * x;
  }
}

export interface Affine {
  /** [groups · outputs, inputs] */
  readonly rows: Float64Array;
  /** [groups · outputs] */
  readonly bias: Float64Array;
}

/** A bias is free to move: its pull to the old value is this much weaker than a weight's. */
const BIAS_RIDGE = 1e-3;

/**
 * (G + D)·[w; b] = R + D·[w₀; b₀] with D = lambda · mean(diag G): the least squares fit of targets by inputs, pulled to
 * the old weights so that directions that the images hardly show stay as they were.
 * @param hasBias false: only weights are solved, b₀ stays
 * @returns null where a system is not positive definite (a NaN among the values)
 */
export function ridge(
  gram: Gram,
  old: Affine,
  shape: { groups: number; inputs: number; outputs: number },
  lambda: number,
  hasBias: boolean,
): Affine | null {
  const { groups, inputs: d, outputs: m } = shape;
  const n = hasBias ? d + 1 : d;
  const rows = new Float64Array(old.rows.length);
  const bias = Float64Array.from(old.bias);
  for (let g = 0; g < groups; g++) {
    const system = new Float64Array(n * n);
    let trace = 0;
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) system[i * n + j] = gram.inputs[(g * d + i) * d + j]!;
      trace += system[i * n + i]!;
    }
    // An input that is always 0 leaves the old weights; the tiny floor keeps the system definite.
    const pull = Math.max((lambda * trace) / d, 1e-12 * gram.counts[g]!, Number.MIN_VALUE);
    if (hasBias) {
      for (let i = 0; i < d; i++) system[i * n + d] = system[d * n + i] = gram.inputSums[g * d + i]!;
      system[d * n + d] = gram.counts[g]! + BIAS_RIDGE * pull;
    }
    for (let i = 0; i < d; i++) system[i * n + i] = system[i * n + i]! + pull;
    const factor = cholesky(system, n);
    if (!factor) return null;
    const x = new Float64Array(n);
    for (let o = 0; o < m; o++) {
      const row = g * m + o;
      const fixed = hasBias ? 0 : old.bias[row]!;
      for (let i = 0; i < d; i++)
        x[i] = gram.cross[(g * d + i) * m + o]! - fixed * gram.inputSums[g * d + i]! + pull * old.rows[row * d + i]!;
      if (hasBias) x[d] = gram.targetSums[row]! + BIAS_RIDGE * pull * old.bias[row]!;
      solveCholesky(factor, n, x);
      rows.set(x.subarray(0, d), row * d);
      if (hasBias) bias[row] = x[d]!;
    }
  }
  return rows.every(Number.isFinite) && bias.every(Number.isFinite) ? { rows, bias } : null;
}

/** Σ (w·a + b − y)² less Σ y², by row: what differs between two solutions of the same layer. */
export function rowErrors(gram: Gram, { rows, bias }: Affine, shape: { groups: number; inputs: number; outputs: number }): Float64Array {
  const { groups, inputs: d, outputs: m } = shape;
  const errors = new Float64Array(groups * m);
  for (let g = 0; g < groups; g++)
    for (let o = 0; o < m; o++) {
      const row = g * m + o;
      const b = bias[row]!;
      let total = b * b * gram.counts[g]! - 2 * b * gram.targetSums[row]!;
      for (let i = 0; i < d; i++) {
        const w = rows[row * d + i]!;
        let inner = 2 * (b * gram.inputSums[g * d + i]! - gram.cross[(g * d + i) * m + o]!);
        const base = (g * d + i) * d;
        for (let j = 0; j < d; j++) inner += gram.inputs[base + j]! * rows[row * d + j]!;
        total += w * inner;
      }
      errors[row] = total;
    }
  return errors;
}
