/** The search itself, on recipes whose scores are known. */
import { describe, expect, it } from 'vitest';
import { sceneSet } from '../../../src/data';
import type { OptionValues } from '../../../src/steps/common';
import { resolveOptions } from '../../../src/steps/common';
import {
  neighbours,
  quantizeMeta,
  type SearchInput,
  type SearchState,
  type SearchTrial,
  searchRecipes,
  searchSets,
  starts,
} from '../../../src/steps/quantize';

const BASE = resolveOptions(quantizeMeta, {});

/** What each choice is worth; rung 0 sees it through a little noise of its own. */
function worth(options: OptionValues, rung: 0 | 1): number {
  let score = 70;
  if (options.calibrator === 'mse') score += 2;
  if (options.reconstruct === 'least-squares') score += 5;
  score += { 0: 0, 300: 8, 900: 12, 2400: 11 }[Number(options.learnSteps)] ?? 0;
  if (options.biasCorrection) score -= 30;
  if (options.rounding === 'gptq') score += 0.5;
  return score + (rung === 0 ? 0.25 * Math.sin(JSON.stringify(options).length) : 0);
}

function search(more: Partial<SearchInput> = {}): { input: SearchInput; measured: [OptionValues, number][] } {
  const measured: [OptionValues, number][] = [];
  const input: SearchInput = {
    starts: starts(BASE),
    neighbours: (options) => neighbours(options, BASE),
    keep: 4,
    target: null,
    limit: null,
    measure: async (options, rung) => {
      measured.push([options, rung]);
      return { options, rung, score: worth(options, rung), seconds: 1 };
    },
    ...more,
  };
  return { input, measured };
}

describe('searchRecipes', () => {
  it('climbs to the best recipe, one option at a time, and keeps the best four', async () => {
    const { input, measured } = search();
    const { best, trials, ended } = await searchRecipes(input);
    expect(ended).toBe('exhausted');
    expect(best[0]!.options).toMatchObject({
      calibrator: 'mse',
      reconstruct: 'least-squares',
      learnSteps: 900,
      rounding: 'gptq',
      biasCorrection: false,
    });
    expect(best[0]!.score).toBeCloseTo(89.5, 10);
    expect(best.map(({ score }) => score)).toEqual([...best.map(({ score }) => score)].sort((a, b) => b! - a!));
    expect([best.length, new Set(best.map(({ rung }) => rung))]).toEqual([4, new Set([1])]);
    const keys = measured.map((each) => JSON.stringify(each));
    expect(new Set(keys).size).toBe(keys.length);
    expect(trials).toHaveLength(keys.length);
    // Halving: most recipes are only looked at quickly.
    expect(measured.filter(([, rung]) => rung === 1).length).toBeLessThan(measured.length / 2);
  });

  it('is deterministic, and goes on from what it knows without measuring it again', async () => {
    const saved: SearchState[] = [];
    let left = 14;
    const first = search({ save: async (state) => void saved.push(state) });
    const limited = { ...first.input, measure: async (o: OptionValues, r: 0 | 1) => (left-- > 0 ? first.input.measure(o, r) : null) };
    const part = await searchRecipes(limited);
    expect([part.ended, part.trials.length, saved.length]).toEqual(['budget', 14, 14]);
    const known = JSON.parse(JSON.stringify(saved.at(-1))) as SearchState;
    const rest = search({ known });
    const resumed = await searchRecipes(rest.input);
    const whole = await searchRecipes(search().input);
    expect(resumed).toEqual(whole);
    expect(rest.measured).toHaveLength(whole.trials.length - 14);
  });

  it('ends after a number of trials, known ones included', async () => {
    const whole = await searchRecipes(search().input);
    const part = await searchRecipes(search({ limit: 12 }).input);
    expect([part.ended, part.trials]).toEqual(['budget', whole.trials.slice(0, 12)]);
    const again = search({ limit: 12, known: { trials: whole.trials } });
    expect(await searchRecipes(again.input)).toEqual(part);
    expect(again.measured).toEqual([]);
  });

  it('ends at the target, measured on all images', async () => {
    const { input, measured } = search({ target: 82 });
    const { best, ended } = await searchRecipes(input);
    expect(ended).toBe('target');
    expect(best[0]!.score).toBeGreaterThanOrEqual(82);
    expect(measured.at(-1)![1]).toBe(1);
    expect(measured.length).toBeLessThan((await searchRecipes(search().input)).trials.length);
  });

  it('says the best of a quick look where the time ends before the second, and nothing where it ends at once', async () => {
    const one = search();
    let left = 2;
    const { best } = await searchRecipes({ ...one.input, measure: async (o, r) => (left-- > 0 ? one.input.measure(o, r) : null) });
    expect(best.map(({ rung }) => rung)).toEqual([0, 0]);
    expect(await searchRecipes({ ...one.input, measure: async () => null })).toEqual({ best: [], trials: [], ended: 'budget' });
  });

  it('passes over recipes that fail', async () => {
    const { input } = search();
    const measure = async (options: OptionValues, rung: 0 | 1): Promise<SearchTrial | null> =>
      options.reconstruct === 'least-squares' ? { options, rung, score: null, seconds: 0, note: 'no' } : input.measure(options, rung);
    const { best, trials } = await searchRecipes({ ...input, measure });
    expect(best[0]!.options).toMatchObject({ calibrator: 'mse', learnSteps: 900, reconstruct: 'off' });
    expect(trials.some(({ score, note }) => score === null && note === 'no')).toBe(true);
  });
});

describe('what may change', () => {
  it('is one option, with a value that the step takes; what the device decides stays', () => {
    const found = neighbours(BASE, BASE);
    expect(found.length).toBeGreaterThan(8);
    for (const options of found) {
      expect(resolveOptions(quantizeMeta, options)).toEqual(options);
      const changed = Object.keys(options).filter((key) => options[key] !== BASE[key]);
      expect(changed, JSON.stringify(options)).toHaveLength(1);
      expect(['weights', 'activations', 'symmetric', 'concat', 'tail', 'fuseActivations', 'sixteenBit']).not.toContain(changed[0]);
    }
    for (const options of starts(BASE)) expect(resolveOptions(quantizeMeta, options)).toEqual(options);
  });

  it('numbers move one step at a time', () => {
    const steps = (learnSteps: number) =>
      neighbours({ ...BASE, learnSteps }, BASE)
        .map((options) => options.learnSteps)
        .filter((n) => n !== learnSteps);
    expect(steps(0)).toEqual([300]);
    expect(steps(900)).toEqual([300, 2400]);
    expect(steps(1200)).toEqual([900, 2400]);
  });

  it('16 bits only where the recipe has them, and never more layers than it allows', () => {
    const counts = (base: OptionValues) => new Set(neighbours(base, base).map((options) => options.sixteenBitLayers));
    expect(counts(BASE)).toEqual(new Set([5]));
    expect(counts({ ...BASE, sixteenBit: 'search' })).toEqual(new Set([5, 3]));
    expect(counts({ ...BASE, sixteenBit: 'search', sixteenBitLayers: 3 })).toEqual(new Set([3, 2]));
  });
});

describe('searchSets', () => {
  it('scores on images that nothing is fitted on', () => {
    const sets = searchSets(sceneSet(0, 96), null);
    expect([sets.fit.entries.length, sets.score[1].entries.length, sets.score[0].entries.length]).toEqual([72, 24, 8]);
    const fitted = new Set(sets.fit.entries.map(({ id }) => id));
    expect(sets.score[1].entries.some(({ id }) => fitted.has(id))).toBe(false);
    const scored = new Set(sets.score[1].entries.map(({ id }) => id));
    expect(sets.score[0].entries.every(({ id }) => scored.has(id))).toBe(true);
    expect(sets.repairImages[0]).toBe(24);
  });

  it('or on labelled ones, and then fits on all', () => {
    const labelled = sceneSet(500_000, 30);
    const sets = searchSets(sceneSet(0, 12), labelled);
    expect(sets.fit.entries).toHaveLength(12);
    expect([sets.score[0].entries.length, sets.score[1]]).toEqual([10, labelled]);
  });
});
