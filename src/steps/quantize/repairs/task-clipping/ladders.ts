/** The ranges that are tried for a group of values with one scale: a ladder of bounds for either end. */
import { histogramQuantile, type QParams } from '../../../../numerics';
import type { RangesArtifact, TensorStats } from '../../../types';
import { isProbability } from '../../activations';
import { indexGraph } from '../../graph-index';
import type { QuantizeOptions } from '../../meta';
import { isWide, type QuantPlan } from '../../plan-types';
import type { QuantState } from '../types';

/** Percentiles of either end, innermost first; the present bound is added where it belongs. */
const PERCENTILES = [99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 100];

/** Bounds that differ by less than this share of the whole range are one. */
const LEAST_CHANGE = 0.01;

export interface Ladder {
  /** The value that names the group. */
  readonly root: string;
  /** Lower bounds ≤ 0 and upper bounds ≥ 0, innermost first. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Where the present range stands on both. */
  readonly at: Position;
}

export interface Position {
  readonly low: number;
  readonly high: number;
}

function covered({ scale, zeroPoint, qmin, qmax }: QParams): readonly [number, number] {
  return [(qmin - zeroPoint[0]!) * scale[0]!, (qmax - zeroPoint[0]!) * scale[0]!];
}

/** Distances from 0 in rising order with `present` among them, the ones that hardly differ left out. */
function rungs(distances: readonly number[], present: number, range: number): { rungs: readonly number[]; at: number } {
  const rungs: number[] = [present];
  for (const d of distances) if (d >= 0 && rungs.every((other) => Math.abs(other - d) >= LEAST_CHANGE * range)) rungs.push(d);
  rungs.sort((a, b) => a - b);
  return { rungs, at: rungs.indexOf(present) };
}

/** Values per scale, without those whose range is fixed: set by the recipe, inputs, probabilities, 16 bits, values that weren't measured. */
function groups(state: QuantState, options: QuantizeOptions, ranges: RangesArtifact): ReadonlyMap<string, readonly TensorStats[]> {
  const index = indexGraph(state.float.graph);
  const fixed = new Set<string>();
  const members = new Map<string, TensorStats[]>();
  for (const { value, sharesWith, params } of state.plan.activations.values()) {
    const root = sharesWith ?? value;
    const stats = ranges.tensors.get(value);
    const set = Object.hasOwn(options.ranges, value) || (options.fixedRanges && isProbability(index, value));
    if (set || isWide(params) || !index.producer(value) || !stats) fixed.add(root);
    else members.set(root, [...(members.get(root) ?? []), stats]);
  }
  return new Map([...members].filter(([root]) => !fixed.has(root)));
}

/** One ladder per group of activations, in the plan's order; groups that leave no choice are left out. */
export function laddersOf(state: QuantState, options: QuantizeOptions, ranges: RangesArtifact): readonly Ladder[] {
  return [...groups(state, options, ranges)].flatMap(([root, members]) => {
    const [lo, hi] = covered(planned(state.plan, root));
    const ends = (percentile: number): readonly [number, number] => {
      const share = percentile / 100;
      return [
        Math.min(...members.map((stats) => histogramQuantile(stats, 1 - share))),
        Math.max(...members.map((stats) => histogramQuantile(stats, share))),
      ];
    };
    const found = PERCENTILES.map(ends);
    const low = rungs(
      found.map(([a]) => -a),
      -lo,
      hi - lo,
    );
    const high = rungs(
      found.map(([, b]) => b),
      hi,
      hi - lo,
    );
    if (low.rungs.length + high.rungs.length <= 2) return [];
    return [{ root, low: low.rungs.map((d) => -d), high: high.rungs, at: { low: low.at, high: high.at } }];
  });
}

function planned(plan: QuantPlan, value: string): QParams {
  return plan.activations.get(value)!.params;
}
