/** Two descents over ladders of bounds: each group by itself, then the few that matter most with everything quantized. */
import type { Ladder, Position } from './ladders';

type Side = 'low' | 'high';

/** A number of trials, used up by whoever tries; each is one range of one group on a few images. */
export interface Budget {
  left: number;
  /** Called after each. */
  used?(left: number): void;
}

function spend(budget: Budget): void {
  budget.left--;
  budget.used?.(budget.left);
}

/** Whether two positions give the same quantizer. */
export type Same = (ladder: Ladder, a: Position, b: Position) => boolean;

export interface AloneInput {
  readonly ladders: readonly Ladder[];
  readonly images: number;
  /** Error of one image when the values of this group alone are quantized, ≥ 0. */
  error(ladder: Ladder, at: Position, image: number): Promise<number>;
  readonly same: Same;
  readonly budget: Budget;
}

/** One group's range by itself; errors are sums over the images. */
export interface Alone {
  readonly ladder: Ladder;
  readonly at: Position;
  readonly before: number;
  readonly after: number;
}

/** Images that tell which groups come first. */
const RANKING = 2;

/**
 * The range of each group that disturbs the outputs least while everything else is in float: there the error is smooth in
 * the range, where in a whole quantized network single rounding flips drown it. Groups that disturb most come first;
 * both ends in turn go to the full range if that is better, and on from the better one while it helps.
 * @returns the groups that the budget reached, most disturbing first
 */
export async function searchAlone({ ladders, images, error, same, budget }: AloneInput): Promise<readonly Alone[]> {
  /** Sum over the images, given up as soon as it exceeds `limit`; errors aren't negative. */
  const measure = async (ladder: Ladder, at: Position, limit = Number.POSITIVE_INFINITY, count = images): Promise<number> => {
    let sum = 0;
    for (let image = 0; image < count && sum < limit; image++) sum += await error(ladder, at, image);
    spend(budget);
    return sum;
  };
  const ranked: { readonly ladder: Ladder; readonly first: number }[] = [];
  for (const ladder of ladders) {
    if (budget.left <= 0) break;
    ranked.push({ ladder, first: await measure(ladder, ladder.at, Number.POSITIVE_INFINITY, Math.min(RANKING, images)) });
  }
  ranked.sort((a, b) => b.first - a.first);
  const found: Alone[] = [];
  for (const { ladder } of ranked) {
    if (budget.left <= 0) break;
    found.push(await descend(ladder, measure, same, budget));
  }
  return found;
}

/** Least error of one group along both of its ladders. */
async function descend(
  ladder: Ladder,
  measure: (ladder: Ladder, at: Position, limit?: number) => Promise<number>,
  same: Same,
  budget: Budget,
): Promise<Alone> {
  const before = await measure(ladder, ladder.at);
  let [at, best] = [ladder.at, before];
  const tried = new Set([`${at.low} ${at.high}`]);
  const attempt = async (side: Side, to: number): Promise<boolean> => {
    const next = { ...at, [side]: to };
    const key = `${next.low} ${next.high}`;
    if (budget.left <= 0 || to < 0 || to >= ladder[side].length || tried.has(key) || same(ladder, at, next)) return false;
    tried.add(key);
    const sum = await measure(ladder, next, best);
    if (!(sum < best)) return false;
    [at, best] = [next, sum];
    return true;
  };
  for (let improved = true; improved; ) {
    const start = best;
    for (const side of ['high', 'low'] as const) {
      const full = await attempt(side, ladder[side].length - 1);
      for (const by of full ? [-1] : [-1, 1]) while (await attempt(side, at[side] + by));
    }
    improved = best < start;
  }
  return { ladder, at, before, after: best };
}

export interface TogetherInput {
  /** Most sensitive first. */
  readonly ladders: readonly Ladder[];
  readonly start: ReadonlyMap<string, Position>;
  readonly images: number;
  /** Error of one image with every group where `positions` says. */
  error(positions: ReadonlyMap<string, Position>, image: number): Promise<number>;
  readonly same: Same;
  readonly budget: Budget;
}

/** Images after which a choice that is worse so far is given up. */
const FIRST_LOOK = 8;

/**
 * Moves either end of some groups by a rung with the whole network quantized, and on while it helps. There a few images
 * err by chance, so a move is kept only where the mean gain over the images exceeds its standard error.
 */
export async function searchTogether({
  ladders,
  start,
  images,
  error,
  same,
  budget,
}: TogetherInput): Promise<ReadonlyMap<string, Position>> {
  const positions = new Map(start);
  if (budget.left <= 0 || images < 2) return positions;
  let best: number[] = [];
  for (let image = 0; image < images; image++) best.push(await error(positions, image));
  spend(budget);
  const attempt = async (ladder: Ladder, to: Position): Promise<boolean> => {
    const from = positions.get(ladder.root)!;
    if (budget.left <= 0 || same(ladder, from, to)) return false;
    positions.set(ladder.root, to);
    const errors: number[] = [];
    let gain = 0;
    while (errors.length < images && (errors.length < FIRST_LOOK || gain > 0)) {
      errors.push(await error(positions, errors.length));
      gain += best[errors.length - 1]! - errors.at(-1)!;
    }
    spend(budget);
    const mean = gain / errors.length;
    const variance = errors.reduce((sum, e, i) => sum + (best[i]! - e - mean) ** 2, 0) / (images - 1);
    const kept = errors.length === images && mean > Math.sqrt(variance / images);
    if (kept) best = errors;
    else positions.set(ladder.root, from);
    return kept;
  };
  for (const ladder of ladders) {
    for (const side of ['high', 'low'] as const) {
      for (const by of [-1, 1]) {
        for (;;) {
          const at = positions.get(ladder.root)!;
          const to = at[side] + by;
          if (to < 0 || to >= ladder[side].length || !(await attempt(ladder, { ...at, [side]: to }))) break;
        }
      }
    }
  }
  return positions;
}
