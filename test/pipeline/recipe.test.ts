import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/numerics';
import { PRESETS, parseRecipe, type Recipe, STEP_META, stepOf } from '../../src/pipeline';

const ORDER = ['prune', 'recover', 'calibrate', 'quantize', 'evaluate', 'export'];

function refusal(json: unknown): string {
  try {
    parseRecipe(json);
  } catch (error) {
    expect(error).toBeInstanceOf(StudioError);
    const { code, message, hint } = error as StudioError;
    expect(code).toBe('bad-option');
    return `${message} | ${hint}`;
  }
  return 'accepted';
}

const withStep = (step: unknown) => ({ bonsai: 1, steps: [step] });

describe('parseRecipe', () => {
  it('fills in every default', () => {
    const recipe = parseRecipe({ bonsai: 1, steps: [{ step: 'quantize' }] });
    expect({ ...recipe, steps: recipe.steps.map(({ step, enabled }) => [step, enabled]) }).toEqual({
      bonsai: 1,
      name: 'recipe',
      seed: 1,
      device: 'hailo8',
      preprocess: 'auto',
      steps: [
        ['prune', false],
        ['recover', false],
        ['calibrate', false],
        ['quantize', true],
        ['evaluate', false],
        ['export', false],
      ],
    });
    for (const { step, options } of recipe.steps)
      expect(options).toEqual(Object.fromEntries(STEP_META[step].options.map((option) => [option.key, option.default])));
    expect(stepOf(recipe, 'calibrate').options.images).toBe(64);
  });

  it('keeps what is given, in the order of the flow', () => {
    const recipe = parseRecipe({
      bonsai: 1,
      name: 'mine',
      seed: 7,
      device: 'hailo8l',
      preprocess: 'rgb-0-1-stretch',
      steps: [
        { step: 'quantize', enabled: false, options: { percentile: 99.5 } },
        { step: 'prune', options: { macsReduction: 25 } },
      ],
    });
    expect(recipe).toMatchObject({ name: 'mine', seed: 7, device: 'hailo8l', preprocess: 'rgb-0-1-stretch' });
    expect(recipe.steps.map((s) => s.step)).toEqual(ORDER);
    expect(stepOf(recipe, 'quantize')).toMatchObject({ enabled: false, options: { percentile: 99.5, weights: 'per-channel' } });
    expect(stepOf(recipe, 'prune')).toMatchObject({ enabled: true, options: { macsReduction: 25, method: 'structured' } });
  });

  it('ignores a record, which only a run writes', () => {
    expect(parseRecipe({ bonsai: 1, steps: [], record: { engine: 'x' } })).not.toHaveProperty('record');
  });

  const list = `Steps are: ${ORDER.join(', ')}.`;
  it.each<[string, unknown, string]>([
    ['no object', 'prune', 'The recipe is not a JSON object. | Export one from the studio, or start from a preset.'],
    ['null', null, 'The recipe is not a JSON object. | Export one from the studio, or start from a preset.'],
    ['a list', [], 'The recipe is not a JSON object. | Export one from the studio, or start from a preset.'],
    ['no version', { steps: [] }, 'The recipe\'s version is undefined. | This studio reads recipes with "bonsai": 1.'],
    ['a later version', { bonsai: 2, steps: [] }, 'The recipe\'s version is 2. | This studio reads recipes with "bonsai": 1.'],
    ['no steps', { bonsai: 1 }, 'The recipe has no list of steps. | Give it "steps": [{"step": "quantize", …}].'],
    ['an unknown step', withStep({ step: 'shrink' }), `Step 1 of the recipe is "shrink". | ${list}`],
    ['a step that takes no options', withStep({ step: 'open' }), `Step 1 of the recipe is "open". | ${list}`],
    ['a null step', withStep(null), `Step 1 of the recipe is null. | ${list}`],
    ['a step that is a number', withStep(3), `Step 1 of the recipe is 3. | ${list}`],
    [
      'options that are a list',
      withStep({ step: 'prune', options: [] }),
      'The options of the recipe\'s step "prune" are not an object. | Write them as {"key": value}.',
    ],
    [
      'options that are null',
      withStep({ step: 'prune', options: null }),
      'The options of the recipe\'s step "prune" are not an object. | Write them as {"key": value}.',
    ],
    [
      'a switch in words',
      withStep({ step: 'prune', enabled: 'no' }),
      '"enabled" of the recipe\'s step "prune" is "no". | It must be true or false.',
    ],
    [
      'a misspelt switch',
      withStep({ step: 'prune', enable: false }),
      'The recipe\'s step "prune" has no "enable". | It has: step, enabled, options.',
    ],
    [
      'a misspelt key',
      { bonsai: 1, step: [] },
      'The recipe has no "step". | It has: bonsai, name, seed, device, preprocess, steps, record.',
    ],
    [
      'an unknown option',
      withStep({ step: 'calibrate', options: { image: 3 } }),
      'The recipe\'s step "calibrate" has no option "image". | It has: images, samples.',
    ],
    [
      'a number out of range',
      withStep({ step: 'prune', options: { macsReduction: 95 } }),
      "The recipe's option prune.macsReduction is 95. | It must be a number from 1 to 90.",
    ],
    [
      'text for a number',
      withStep({ step: 'calibrate', options: { images: '64' } }),
      'The recipe\'s option calibrate.images is "64". | It must be a number from 1 to 10000.',
    ],
    [
      'an unknown choice',
      withStep({ step: 'quantize', options: { calibrator: 'kl' } }),
      'The recipe\'s option quantize.calibrator is "kl". | It must be one of: minmax, percentile, mse, entropy.',
    ],
    [
      'a number for a switch',
      withStep({ step: 'quantize', options: { symmetric: 1 } }),
      "The recipe's option quantize.symmetric is 1. | It must be true or false.",
    ],
    [
      'a step twice',
      { bonsai: 1, steps: [{ step: 'prune' }, { step: 'prune' }] },
      'The recipe has the step "prune" twice. | Keep one of them.',
    ],
    ['a fractional seed', { bonsai: 1, steps: [], seed: 1.5 }, "The recipe's seed is 1.5. | It must be a whole number."],
    ['a seed in quotes', { bonsai: 1, steps: [], seed: '1' }, 'The recipe\'s seed is "1". | It must be a whole number.'],
    ['a name that is a number', { bonsai: 1, steps: [], name: 3 }, 'The recipe\'s "name" is not text. | Write it in quotes.'],
    ['a device that is null', { bonsai: 1, steps: [], device: null }, 'The recipe\'s "device" is not text. | Write it in quotes.'],
    [
      'a preprocess that is an object',
      { bonsai: 1, steps: [], preprocess: {} },
      'The recipe\'s "preprocess" is not text. | Write it in quotes.',
    ],
  ])('refuses %s', (_, json, sentence) => {
    expect(refusal(json)).toBe(sentence);
  });

  it('names the step by its place', () => {
    expect(refusal({ bonsai: 1, steps: [{ step: 'prune' }, {}] })).toBe(`Step 2 of the recipe is {}. | ${list}`);
  });
});

describe('presets', () => {
  const enabled = (recipe: Recipe) => recipe.steps.filter((s) => s.enabled).map((s) => s.step);

  it.each(Object.keys(PRESETS))('%s is a complete recipe that survives JSON', (name) => {
    const recipe = PRESETS[name]!();
    expect(recipe.name).toBe(name);
    expect(recipe.steps.map((s) => s.step)).toEqual(ORDER);
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it('switches on what the names say', () => {
    expect(Object.fromEntries(Object.entries(PRESETS).map(([name, make]) => [name, enabled(make())]))).toEqual({
      'int8-naive': ['calibrate', 'quantize', 'evaluate', 'export'],
      ...Object.fromEntries(
        [
          ...['int8-percentile', 'int8-fast', 'int8-best', 'int8-mixed-5', 'int8-pertensor', 'tflite-int8'],
          ...['qat-short', 'qat-long', 'qat-pertensor'],
        ].map((name) => [name, ['calibrate', 'quantize', 'evaluate', 'export']]),
      ),
      'prune-10': ['prune', 'evaluate', 'export'],
      'prune-10-int8': ORDER.filter((step) => step !== 'recover'),
      'prune-10-recover': ['prune', 'recover', 'evaluate', 'export'],
      'prune-25-recover': ['prune', 'recover', 'evaluate', 'export'],
      'prune-25-recover-int8': ORDER,
    });
  });

  it('naive is per tensor with min and max; the others keep channels apart and clip', () => {
    const quantize = (name: string) => stepOf(PRESETS[name]!(), 'quantize').options;
    expect(quantize('int8-naive')).toMatchObject({ weights: 'per-tensor', calibrator: 'minmax' });
    expect(quantize('int8-percentile')).toMatchObject({ weights: 'per-channel', calibrator: 'percentile', percentile: 99.9 });
    expect(quantize('prune-10-int8')).toEqual(quantize('int8-fast'));
    expect(quantize('int8-pertensor')).toMatchObject({ weights: 'per-tensor', learnSteps: 0 });
    for (const name of ['int8-fast', 'int8-best', 'tflite-int8']) expect(quantize(name).sixteenBit).toBe('off');
    expect(quantize('int8-mixed-5')).toMatchObject({ sixteenBit: 'search', sixteenBitLayers: 5 });
    expect(PRESETS['tflite-int8']!().device).toBe('tflite');
    expect(quantize('tflite-int8')).toMatchObject({ activations: 'int8', symmetric: false, fuseActivations: false, concat: 'shared' });
    for (const name of ['qat-short', 'qat-long', 'qat-pertensor', 'prune-25-recover-int8'])
      expect(quantize(name).qatSteps, name).toBeGreaterThan(0);
    expect(quantize('qat-pertensor').weights).toBe('per-tensor');
    for (const name of ['prune-25-recover', 'prune-25-recover-int8'])
      expect(stepOf(PRESETS[name]!(), 'prune').options.macsReduction).toBe(25);
    for (const name of ['prune-10', 'prune-10-int8', 'prune-10-recover'])
      expect(stepOf(PRESETS[name]!(), 'prune').options.macsReduction).toBe(10);
  });
});
