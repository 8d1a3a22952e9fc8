import { describe, expect, it } from 'vitest';
import { PRESETS, parseRecipe, STEP_META, stepOf } from '../../src/pipeline';
import {
  foldedOptions,
  isOn,
  knownRepairs,
  quantizeOption,
  REPAIR_SWITCHES,
  rangesOption,
  strengthOf,
  strengthOptions,
  strengths,
  topOptions,
} from '../../src/ui/recipe/repairs';
import { named } from '../../src/ui/text';

describe('the quantize card', () => {
  it('shows every option exactly once, when all repairs are on', () => {
    const on = Object.fromEntries(REPAIR_SWITCHES.map(({ key, on: value }) => [key, value]));
    const shown = [
      ...topOptions.map(({ key }) => key),
      ...foldedOptions.map(({ key }) => key),
      rangesOption.key,
      ...knownRepairs.flatMap((repair) => [repair.key, ...strengthOptions(repair, on).map(({ key }) => key)]),
    ];
    expect([...new Set(shown)].sort()).toEqual(STEP_META.quantize.options.map(({ key }) => key).sort());
  });

  it('knows every repair, and switches it between values that the step takes', () => {
    expect(knownRepairs.length).toBe(REPAIR_SWITCHES.length);
    for (const { key, off, on } of REPAIR_SWITCHES) {
      expect(quantizeOption(key)?.default, `${key} is off unless switched on`).toBe(off);
      for (const value of [off, on])
        expect(() => parseRecipe({ bonsai: 1, steps: [{ step: 'quantize', options: { [key]: value } }] }), key).not.toThrow();
      expect(isOn({ key, off, on, strength: [] }, { [key]: on })).toBe(true);
      expect(isOn({ key, off, on, strength: [] }, { [key]: off })).toBe(false);
    }
  });

  it('has no "off" among the strengths of a repair that is on', () => {
    const sixteen = REPAIR_SWITCHES.find(({ key }) => key === 'sixteenBit')!;
    const [which, most] = strengthOptions(sixteen, { sixteenBit: 'search' });
    expect(which).toMatchObject({ key: 'sixteenBit', choices: ['depthwise', 'search'] });
    expect(most?.key).toBe('sixteenBitLayers');
    expect(strengthOptions(sixteen, { sixteenBit: 'depthwise' }).map(({ key }) => key)).toEqual(['sixteenBit']);
  });

  it('names every option of every step, every strength and every repair in the texts', () => {
    for (const { key } of Object.values(STEP_META).flatMap(({ options }) => options))
      expect(named('recipe.options', key, '') || named('recipe.repairs', key, ''), key).toBeTruthy();
    for (const name of strengths)
      expect([named('recipe.strength.names', name, ''), named('recipe.strength.does', name, '')], name).not.toContain('');
    for (const { key } of REPAIR_SWITCHES) expect(named('recipe.repairs', key, ''), key).toBeTruthy();
  });
});

describe('strengths', () => {
  it('are recognised from a preset, with pruning before it or not', () => {
    for (const name of strengths) expect(strengthOf(PRESETS[name]!())).toBe(name);
    expect(strengthOf(PRESETS['prune-10-int8']!())).toBe('int8-fast');
  });

  it('are not claimed for a recipe that differs in one option', () => {
    const recipe = PRESETS['int8-percentile']!();
    const steps = recipe.steps.map((step) => (step.step === 'quantize' ? { ...step, options: { ...step.options, percentile: 99 } } : step));
    expect(strengthOf({ ...recipe, steps })).toBeNull();
    expect(stepOf({ ...recipe, steps }, 'quantize').options.percentile).toBe(99);
  });
});
