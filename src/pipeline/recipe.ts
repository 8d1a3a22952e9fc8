import { StudioError } from '../numerics';
import { resolveOptions } from '../steps';
import { STEP_META } from './table';
import type { Recipe, RecipeStep } from './types';

const STEP_ORDER = ['prune', 'recover', 'calibrate', 'quantize', 'evaluate', 'export'] as const;

function bad(message: string, hint: string): StudioError {
  return new StudioError('bad-option', message, hint);
}

/** A misspelt key would otherwise be a setting that silently does nothing. */
function refuseUnknown(what: string, given: object, known: readonly string[]): void {
  const key = Object.keys(given).find((name) => !known.includes(name));
  if (key !== undefined) throw bad(`${what} has no "${key}".`, `It has: ${known.join(', ')}.`);
}

function checkStep(value: unknown, index: number): RecipeStep {
  const step = value as Partial<RecipeStep> | null;
  const id = step?.step;
  if (!id || !(STEP_ORDER as readonly string[]).includes(id))
    throw bad(`Step ${index + 1} of the recipe is ${JSON.stringify(id ?? value)}.`, `Steps are: ${STEP_ORDER.join(', ')}.`);
  if (step.options !== undefined && (typeof step.options !== 'object' || step.options === null || Array.isArray(step.options)))
    throw bad(`The options of the recipe's step "${id}" are not an object.`, 'Write them as {"key": value}.');
  if (step.enabled !== undefined && typeof step.enabled !== 'boolean')
    throw bad(`"enabled" of the recipe's step "${id}" is ${JSON.stringify(step.enabled)}.`, 'It must be true or false.');
  refuseUnknown(`The recipe's step "${id}"`, step, ['step', 'enabled', 'options']);
  return { step: id, enabled: step.enabled !== false, options: resolveOptions(STEP_META[id], step.options ?? {}) };
}

/**
 * Reads a recipe.json: fills defaults in, refuses what it doesn't know.
 * @throws StudioError 'bad-option' with the step, the key and what is allowed
 */
export function parseRecipe(json: unknown): Recipe {
  if (!json || typeof json !== 'object' || Array.isArray(json))
    throw bad('The recipe is not a JSON object.', 'Export one from the studio, or start from a preset.');
  const recipe = json as Partial<Recipe>;
  if (recipe.bonsai !== 1)
    throw bad(`The recipe's version is ${JSON.stringify(recipe.bonsai)}.`, 'This studio reads recipes with "bonsai": 1.');
  refuseUnknown('The recipe', json, ['bonsai', 'name', 'seed', 'device', 'preprocess', 'steps', 'record']);
  if (!Array.isArray(recipe.steps)) throw bad('The recipe has no list of steps.', 'Give it "steps": [{"step": "quantize", …}].');
  const given = recipe.steps.map(checkStep);
  const twice = given.find((step, i) => given.findIndex((other) => other.step === step.step) !== i);
  if (twice) throw bad(`The recipe has the step "${twice.step}" twice.`, 'Keep one of them.');
  const seed = recipe.seed ?? 1;
  if (!Number.isInteger(seed)) throw bad(`The recipe's seed is ${JSON.stringify(seed)}.`, 'It must be a whole number.');
  for (const key of ['name', 'device', 'preprocess'] as const)
    if (recipe[key] !== undefined && typeof recipe[key] !== 'string')
      throw bad(`The recipe's "${key}" is not text.`, 'Write it in quotes.');
  return {
    bonsai: 1,
    name: recipe.name ?? 'recipe',
    seed,
    device: recipe.device ?? 'hailo8',
    preprocess: recipe.preprocess ?? 'auto',
    steps: STEP_ORDER.map((id) => given.find((step) => step.step === id) ?? defaultStep(id, false)),
  };
}

function defaultStep(id: RecipeStep['step'], enabled: boolean, options: RecipeStep['options'] = {}): RecipeStep {
  return { step: id, enabled, options: resolveOptions(STEP_META[id], options) };
}

interface PresetParts {
  readonly device?: string;
  readonly prune?: RecipeStep['options'];
  readonly recover?: RecipeStep['options'];
  readonly quantize?: RecipeStep['options'];
}

function preset(name: string, { device = 'hailo8', prune, recover, quantize }: PresetParts): Recipe {
  return {
    bonsai: 1,
    name,
    seed: 1,
    device,
    preprocess: 'auto',
    steps: [
      defaultStep('prune', prune !== undefined, prune),
      defaultStep('recover', recover !== undefined, recover),
      defaultStep('calibrate', quantize !== undefined),
      defaultStep('quantize', quantize !== undefined, quantize),
      defaultStep('evaluate', true),
      defaultStep('export', true),
    ],
  };
}

const NAIVE = { weights: 'per-tensor', calibrator: 'minmax' };
const PERCENTILE = { weights: 'per-channel', calibrator: 'percentile' };

/** Seconds: channels evened out or their layers cut, so that little needs clipping. A Concat has one scale, as on Hailo. */
const FAST = { ...PERCENTILE, percentile: 99.99, tryCalibrators: true, equalize: true, splitLayers: 8, concat: 'shared' };
/** Minutes: scales, zero points and biases learned on top (least squares before that made the result worse on coco-more). */
const BEST = { ...FAST, learnSteps: 900 };

/** The weights too, on the training images; PTQ's cuts and ranges are where it starts. */
const QAT = { ...FAST, qatSteps: 1500 };

/** Shipped recipes by name; the CLI takes a name where it takes a file. */
export const PRESETS: Readonly<Record<string, () => Recipe>> = {
  'int8-naive': () => preset('int8-naive', { quantize: NAIVE }),
  'int8-percentile': () => preset('int8-percentile', { quantize: PERCENTILE }),
  'int8-fast': () => preset('int8-fast', { quantize: FAST }),
  'int8-best': () => preset('int8-best', { quantize: BEST }),
  'int8-mixed-5': () => preset('int8-mixed-5', { quantize: { ...BEST, sixteenBit: 'search', sixteenBitLayers: 5 } }),
  'int8-pertensor': () => preset('int8-pertensor', { quantize: { ...FAST, reconstruct: 'least-squares', weights: 'per-tensor' } }),
  'tflite-int8': () => preset('tflite-int8', { device: 'tflite', quantize: { ...BEST, activations: 'int8', fuseActivations: false } }),
  'qat-short': () => preset('qat-short', { quantize: QAT }),
  'qat-long': () => preset('qat-long', { quantize: { ...QAT, qatSteps: 12000, qatPatience: 20 } }),
  'qat-pertensor': () => preset('qat-pertensor', { quantize: { ...QAT, weights: 'per-tensor' } }),
  'prune-10': () => preset('prune-10', { prune: { macsReduction: 10 } }),
  'prune-10-int8': () => preset('prune-10-int8', { prune: { macsReduction: 10 }, quantize: FAST }),
  'prune-10-recover': () => preset('prune-10-recover', { prune: { macsReduction: 10 }, recover: { steps: 3000 } }),
  'prune-25-recover': () => preset('prune-25-recover', { prune: { macsReduction: 25 }, recover: { steps: 3000 } }),
  'prune-25-recover-int8': () =>
    preset('prune-25-recover-int8', { prune: { macsReduction: 25 }, recover: { steps: 3000 }, quantize: { ...QAT, qatSteps: 300 } }),
};

/** The step of a recipe, with its options. */
export function stepOf(recipe: Recipe, id: RecipeStep['step']): RecipeStep {
  const step = recipe.steps.find((s) => s.step === id);
  return step ?? defaultStep(id, false);
}
