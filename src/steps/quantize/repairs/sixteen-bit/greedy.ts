/**
 * Greedy forward selection with lazily measured gains: a candidate is measured again only while its last gain is the
 * best one known (Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
 */

export interface Candidate {
  /** Budget that it takes, ≥ 1. */
  readonly size: number;
}

export interface Pick {
  readonly index: number;
  /** After adding it to the picks before. */
  readonly error: number;
}

export interface GreedyInput {
  readonly candidates: readonly Candidate[];
  readonly budget: number;
  /** Error of the start on few images and on all of them. */
  readonly base: { readonly few: number; readonly all: number };
  /** Cheap: the error of one candidate alone. */
  screen(index: number): Promise<number>;
  /** Exact: the error of a set. */
  measure(chosen: ReadonlySet<number>): Promise<number>;
  /** Candidates measured again before one is picked, at most and (in the first round) at least. */
  readonly look: number;
}

interface Standing {
  readonly index: number;
  /** Share of the error it takes away, per unit of budget. */
  gain: number;
  error: number;
  round: number;
}

/** Picks while the error falls and the budget lasts; best first. */
export async function greedy({ candidates, budget, base, screen, measure, look }: GreedyInput): Promise<readonly Pick[]> {
  const standings: Standing[] = [];
  for (const [index, { size }] of candidates.entries()) {
    if (size > budget) continue;
    const error = await screen(index);
    standings.push({ index, gain: (base.few - error) / base.few / size, error, round: -1 });
  }
  const picks: Pick[] = [];
  const chosen = new Set<number>();
  let error = base.all;
  for (let left = budget, round = 0; ; round++) {
    const open = standings.filter(({ index }) => !chosen.has(index) && candidates[index]!.size <= left);
    const byGain = () => open.sort((a, b) => b.gain - a.gain || a.index - b.index);
    for (let measured = 0; measured < look; measured++) {
      byGain();
      // The first gains come from few images: look at more of them, not only at the leader.
      const stale = round === 0 ? open.find((standing) => standing.round < 0) : open[0];
      if (!stale || stale.round === round) break;
      stale.error = await measure(new Set([...chosen, stale.index]));
      stale.gain = (error - stale.error) / error / candidates[stale.index]!.size;
      stale.round = round;
    }
    const best = byGain().find((standing) => standing.round === round);
    if (!best || !(best.error < error)) return picks;
    chosen.add(best.index);
    error = best.error;
    left -= candidates[best.index]!.size;
    picks.push({ index: best.index, error });
    if (left < 1) return picks;
  }
}
