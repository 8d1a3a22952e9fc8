/** Coordinate descent over ladders of bounds, most sensitive group first, within a number of trials. */
import type { Ladder, Position } from './ladders';

export interface SearchInput {
  readonly ladders: readonly Ladder[];
  readonly images: number;
  /** Error of one image, ≥ 0, with every group where `positions` says. */
  error(positions: ReadonlyMap<string, Position>, image: number): Promise<number>;
  /** Whether two positions of a group give the same quantizer. */
  same(ladder: Ladder, a: Position, b: Position): boolean;
  /** Trials at most; a trial is one choice of ranges, on as many images as it takes to see that it isn't better. */
  readonly trials: number;
  onTrial?(done: number): void;
}

export interface SearchResult {
  readonly positions: ReadonlyMap<string, Position>;
  /** Mean error before and after, over the images. */
  readonly before: number;
  readonly after: number;
  readonly trials: number;
}

type Side = 'low' | 'high';

/** A move by whole rungs; 'both' ends together only while looking for what is sensitive. */
interface Move {
  readonly sides: readonly Side[];
  readonly by: 1 | -1;
}

const PROBES: readonly Move[] = [
  { sides: ['low', 'high'], by: 1 },
  { sides: ['low', 'high'], by: -1 },
];
const STEPS: readonly Move[] = [
  { sides: ['high'], by: -1 },
  { sides: ['high'], by: 1 },
  { sides: ['low'], by: -1 },
  { sides: ['low'], by: 1 },
];

function moved(ladder: Ladder, from: Position, { sides, by }: Move): Position {
  const step = (side: Side): number =>
    sides.includes(side) ? Math.min(Math.max(from[side] + by, 0), ladder[side].length - 1) : from[side];
  return { low: step('low'), high: step('high') };
}

/**
 * Tries both ends of every group one rung wider and one narrower, in order; then goes over the groups again, those first
 * whose ranges changed the error most, moves each end by itself and on while that helps, until nothing does or the trials
 * are used up. What helps is kept at once. Deterministic.
 */
export async function searchRanges(input: SearchInput): Promise<SearchResult> {
  const { ladders, images } = input;
  const positions = new Map(ladders.map(({ root, at }) => [root, at]));
  let best: number[] = [];
  for (let image = 0; image < images; image++) best.push(await input.error(positions, image));
  const total = (errors: readonly number[]): number => errors.reduce((a, b) => a + b, 0);
  const before = total(best) / images;
  // Images of large errors first: they tell soonest that a choice is worse.
  let order = best.map((_, i) => i).sort((a, b) => best[b]! - best[a]! || a - b);
  let done = 0;

  /** Relative change of the error, on the images seen before the choice was given up; kept when it is negative. */
  const attempt = async (ladder: Ladder, to: Position): Promise<number | null> => {
    const from = positions.get(ladder.root)!;
    if (done >= input.trials || input.same(ladder, from, to)) return null;
    positions.set(ladder.root, to);
    const limit = total(best);
    const errors = best.slice();
    let [seen, was] = [0, 0];
    for (const image of order) {
      errors[image] = await input.error(positions, image);
      seen += errors[image]!;
      was += best[image]!;
      if (!(seen < limit)) break;
    }
    done++;
    input.onTrial?.(done);
    if (seen < limit) {
      best = errors;
      order = order.sort((a, b) => best[b]! - best[a]! || a - b);
    } else positions.set(ladder.root, from);
    return was > 0 ? seen / was - 1 : 0;
  };

  const reaction = new Map<Ladder, number>();
  for (const ladder of ladders) {
    let largest = 0;
    for (const probe of PROBES) {
      const change = await attempt(ladder, moved(ladder, positions.get(ladder.root)!, probe));
      largest = Math.max(largest, Math.abs(change ?? 0));
      if (change !== null && change < 0) break;
    }
    reaction.set(ladder, largest);
  }
  for (let improved = true; improved && done < input.trials; ) {
    improved = false;
    for (const ladder of [...ladders].sort((a, b) => reaction.get(b)! - reaction.get(a)!)) {
      for (const step of STEPS) {
        for (;;) {
          const change = await attempt(ladder, moved(ladder, positions.get(ladder.root)!, step));
          if (change === null || change >= 0) break;
          improved = true;
        }
      }
    }
  }
  return { positions, before, after: total(best) / images, trials: done };
}
