/** How the quantize step's options are grouped on the page: strengths, repairs that switch, and the rest. */
import { type OptionMeta, type OptionValues, PRESETS, type Recipe, STEP_META, stepOf } from '../../pipeline';

type Value = number | string | boolean;

/** One repair as a switch: an option's value when it is off, and when it is switched on. */
export interface RepairSwitch {
  readonly key: string;
  readonly off: Value;
  readonly on: Value;
  /** Options that matter while it is on. */
  readonly strength: readonly string[];
}

/** In the order in which a run applies them. */
export const REPAIR_SWITCHES: readonly RepairSwitch[] = [
  { key: 'equalize', off: false, on: true, strength: [] },
  { key: 'splitLayers', off: 0, on: 4, strength: ['splitLayers'] },
  { key: 'tryCalibrators', off: false, on: true, strength: [] },
  { key: 'weightRange', off: 'absmax', on: 'mse', strength: [] },
  { key: 'sixteenBit', off: 'off', on: 'search', strength: ['sixteenBit', 'sixteenBitLayers'] },
  { key: 'clipping', off: 'calibrator', on: 'task', strength: ['clipTrials'] },
  { key: 'reconstruct', off: 'off', on: 'least-squares', strength: [] },
  { key: 'learnSteps', off: 0, on: 900, strength: ['learnSteps'] },
  { key: 'qatSteps', off: 0, on: 1200, strength: ['qatSteps', 'qatMethod', 'qatPatience'] },
  { key: 'rounding', off: 'nearest', on: 'gptq', strength: [] },
  { key: 'biasCorrection', off: false, on: true, strength: [] },
];

const TOP = ['weights'];

export const isOn = ({ key, off }: RepairSwitch, options: OptionValues): boolean => options[key] !== undefined && options[key] !== off;

export function quantizeOption(key: string): OptionMeta | undefined {
  return STEP_META.quantize.options.find((option) => option.key === key);
}

/** Repairs that this studio's quantize step knows. */
export const knownRepairs = REPAIR_SWITCHES.filter(({ key }) => quantizeOption(key));

/** The options that a repair's own switch shows while it is on; without the choice that is "off". */
export function strengthOptions({ key, off, strength }: RepairSwitch, options: OptionValues): readonly OptionMeta[] {
  return strength.flatMap((name) => {
    const option = quantizeOption(name);
    if (!option || (name === 'sixteenBitLayers' && options.sixteenBit !== 'search')) return [];
    if (name === key && option.type === 'choice') return [{ ...option, choices: option.choices.filter((choice) => choice !== off) }];
    return [option];
  });
}

/** In sight on the card, above the repairs. */
export const topOptions = STEP_META.quantize.options.filter(({ key }) => TOP.includes(key));

/** Ranges set by hand have a list of their own. */
export const rangesOption = quantizeOption('ranges')!;

/** Everything else, folded. */
export const foldedOptions = STEP_META.quantize.options.filter(
  ({ key }) => key !== rangesOption.key && !TOP.includes(key) && !REPAIR_SWITCHES.some((r) => r.key === key || r.strength.includes(key)),
);

/** Presets that differ in how hard INT8 is repaired, weakest first; those of other devices are chosen as a whole. */
const STRENGTHS = [
  'int8-naive',
  'int8-percentile',
  'int8-fast',
  'int8-best',
  'int8-mixed-5',
  'int8-pertensor',
  'qat-short',
  'qat-long',
  'qat-pertensor',
];

export const strengths = STRENGTHS.filter((name) => Object.hasOwn(PRESETS, name));

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The strength whose calibration and quantization a recipe has, or null. */
export function strengthOf(recipe: Recipe): string | null {
  return (
    strengths.find((name) => {
      const preset = PRESETS[name]!();
      return (['calibrate', 'quantize'] as const).every((id) => same(stepOf(preset, id).options, stepOf(recipe, id).options));
    }) ?? null
  );
}
