/**
 * Search over recipes: a few sensible ones first, then the best one's neighbours, one option changed at a time. Each is
 * tried on few images; those that come out among the best are tried on all (successive halving: Jamieson and Talwalkar,
 * "Non-stochastic best arm identification and hyperparameter optimization", 2016).
 */
import { canonicalJson, type OptionValues } from '../../common';

/** One recipe measured: on few images (rung 0) or on all (rung 1). */
export interface SearchTrial {
  readonly options: OptionValues;
  readonly rung: 0 | 1;
  /** Percent of the float network's figure that is kept; higher is better. null = this recipe failed, `note` says why. */
  readonly score: number | null;
  readonly seconds: number;
  readonly note?: string;
}

/** What a search has found, plain data: enough to go on from. */
export interface SearchState {
  readonly trials: readonly SearchTrial[];
}

export interface SearchInput {
  readonly starts: readonly OptionValues[];
  neighbours(options: OptionValues): readonly OptionValues[];
  /** Measures a recipe; null = out of budget, which ends the search without a trial. */
  measure(options: OptionValues, rung: 0 | 1): Promise<SearchTrial | null>;
  /** Recipes kept and climbed from. */
  readonly keep: number;
  /** Score that is enough. */
  readonly target: number | null;
  /** Trials in all, known ones included: equal limits give equal results. null = no limit. */
  readonly limit: number | null;
  /** Trials of an earlier search over the same networks and images; they aren't measured again. */
  readonly known?: SearchState;
  /** After each trial. */
  save?(state: SearchState): Promise<void>;
}

export interface SearchResult {
  /** Best first, at most `keep`; measured on all images, unless the budget ended before any was. */
  readonly best: readonly SearchTrial[];
  readonly trials: readonly SearchTrial[];
  /** target: reached; exhausted: no neighbour of the best is left; budget: out of time or trials. */
  readonly ended: 'target' | 'exhausted' | 'budget';
}

/** Thrown inside to end from any depth. */
class Ended extends Error {
  constructor(readonly how: SearchResult['ended']) {
    super(how);
  }
}

const key = (options: OptionValues, rung: number): string => `${rung}|${canonicalJson(options)}`;

/** Which recipes are tried, and in what order, follows from the scores alone: the same budget in trials gives the same result. */
export async function searchRecipes(input: SearchInput): Promise<SearchResult> {
  const known = new Map((input.known?.trials ?? []).map((trial) => [key(trial.options, trial.rung), trial]));
  const trials = new Map<string, SearchTrial>();
  const ranked = (wanted: 0 | 1): SearchTrial[] =>
    [...trials.values()].filter(({ rung, score }) => rung === wanted && score !== null).sort((a, b) => b.score! - a.score!);

  const attempt = async (options: OptionValues, rung: 0 | 1): Promise<SearchTrial> => {
    const id = key(options, rung);
    const seen = trials.get(id);
    if (seen) return seen;
    if (input.limit !== null && trials.size >= input.limit) throw new Ended('budget');
    const trial = known.get(id) ?? (await input.measure(options, rung));
    if (!trial) throw new Ended('budget');
    trials.set(id, trial);
    if (!known.has(id)) await input.save?.({ trials: [...new Map([...known, ...trials]).values()] });
    if (rung === 1 && input.target !== null && trial.score !== null && trial.score >= input.target) throw new Ended('target');
    return trial;
  };

  /** Tries all on few images, then those that may be among the best on all. */
  const halve = async (candidates: readonly OptionValues[], bar: number): Promise<void> => {
    const quick: SearchTrial[] = [];
    for (const options of candidates) quick.push(await attempt(options, 0));
    const worth = quick.filter(({ score }) => score !== null && score > bar).sort((a, b) => b.score! - a.score!);
    for (const { options } of worth.slice(0, input.keep)) await attempt(options, 1);
  };

  let ended: SearchResult['ended'] = 'exhausted';
  try {
    await halve(input.starts, Number.NEGATIVE_INFINITY);
    const climbed = new Set<string>();
    for (;;) {
      const from = ranked(1)
        .slice(0, input.keep)
        .find(({ options }) => !climbed.has(key(options, 1)));
      if (!from) break;
      climbed.add(key(from.options, 1));
      const fresh = input.neighbours(from.options).filter((options) => !trials.has(key(options, 0)));
      await halve(fresh, (await attempt(from.options, 0)).score ?? Number.NEGATIVE_INFINITY);
    }
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    ended = error.how;
  }
  const best = ranked(1).length > 0 ? ranked(1) : ranked(0);
  return { best: best.slice(0, input.keep), trials: [...trials.values()], ended };
}
