/**
 * Puts a solved layer on its grid so that its output errs least: the scale searched below what the largest weight asks
 * for, integers by GPTQ, and the bias shifted by what rounding does to the mean.
 */

import type { Affine, Gram } from '../../../../numerics';
import { gptq, inverseFactor, type RowGrid, roundForOutput, roundNearest } from '../rounding/round';
import type { MatrixLayer } from './layout';

/** Shares of the largest weight's scale that are tried: one scale for channels of very different size clips the large ones. */
const RATIOS = [1, 0.85, 0.7, 0.55, 0.4, 0.3, 0.2, 0.13];

interface Group {
  /** Gram matrix about the mean: what a shift of the bias can't make up for. */
  readonly centred: Float64Array;
  readonly means: Float64Array;
  readonly factor: Float64Array | null;
  readonly rows: Float64Array;
  /** 1 / variance of each row's output. */
  readonly weights: Float64Array;
}

function groupOf({ inputs: d, outputs: m }: MatrixLayer, gram: Gram, { rows }: Affine, g: number, free: boolean): Group {
  const means = gram.inputSums.slice(g * d, (g + 1) * d).map((sum) => (free ? sum / gram.counts[g]! : 0));
  const centred = gram.inputs.slice(g * d * d, (g + 1) * d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) centred[i * d + j]! -= gram.counts[g]! * means[i]! * means[j]!;
  const own = rows.slice(g * m * d, (g + 1) * m * d);
  const energies = Float64Array.from({ length: m }, (_, o) => quadratic(centred, own.subarray(o * d, (o + 1) * d)));
  const floor = Math.max(...energies) * 1e-6 + Number.MIN_VALUE;
  return { centred, means, factor: inverseFactor(centred, d), rows: own, weights: energies.map((e) => 1 / (e + floor)) };
}

function quadratic(gram: Float64Array, v: Float64Array): number {
  const n = v.length;
  let total = 0;
  for (let i = 0; i < n; i++) {
    let inner = 0;
    for (let j = 0; j < n; j++) inner += gram[i * n + j]! * v[j]!;
    total += v[i]! * inner;
  }
  return total;
}

function gridOf(scale: readonly number[], ratio: number, g: number, outputs: number): RowGrid {
  const own = scale.length === 1 ? scale : scale.slice(g * outputs, (g + 1) * outputs);
  return { scale: own.map((s) => Math.fround(s * ratio)), qmin: -127, qmax: 127 };
}

/** Error of integers, each row relative to its own output's variance, so that small channels count as large ones do. */
function relativeError({ centred, rows, weights }: Group, integers: Float64Array, inputs: number, { scale }: RowGrid): number {
  let total = 0;
  for (let o = 0; o < weights.length; o++) {
    const s = scale[scale.length === 1 ? 0 : o]!;
    const delta = Float64Array.from({ length: inputs }, (_, i) => integers[o * inputs + i]! * s - rows[o * inputs + i]!);
    total += weights[o]! * quadratic(centred, delta);
  }
  return total;
}

/**
 * @param scale planned weight scales, one or one a row
 * @returns the share of those scales to take, and weights that stand on that grid
 */
export function onGrid(
  layer: MatrixLayer,
  gram: Gram,
  solved: Affine,
  scale: readonly number[],
): { readonly ratio: number; readonly affine: Affine } {
  const { groups, inputs, outputs } = layer;
  const all = Array.from({ length: groups }, (_, g) => groupOf(layer, gram, solved, g, layer.bias !== null));
  const errorAt = (ratio: number): number =>
    all.reduce((sum, group, g) => {
      const grid = gridOf(scale, ratio, g, outputs);
      const integers = group.factor ? gptq(group.factor, group.rows, inputs, grid) : roundNearest(group.rows, inputs, grid);
      return sum + relativeError(group, integers, inputs, grid);
    }, 0);
  const errors = (scale.length === 1 ? RATIOS : [1]).map((ratio) => ({ ratio, error: errorAt(ratio) }));
  const { ratio } = errors.reduce((best, next) => (next.error < best.error ? next : best));
  const rows = new Float64Array(solved.rows.length);
  const bias = Float64Array.from(solved.bias);
  all.forEach((group, g) => {
    const grid = gridOf(scale, ratio, g, outputs);
    const integers = roundForOutput(group.centred, group.rows, inputs, grid, group.factor);
    for (let o = 0; o < outputs; o++) {
      const s = grid.scale[grid.scale.length === 1 ? 0 : o]!;
      for (let i = 0; i < inputs; i++) {
        const at = o * inputs + i;
        const w = integers[at]! * s;
        rows[g * outputs * inputs + at] = w;
        bias[g * outputs + o]! += (group.rows[at]! - w) * group.means[i]!;
      }
    }
  });
  return { ratio, affine: { rows, bias } };
}
