/** What an analysis says, in words and shares. */
import {
  type AnalysisReport,
  type Evidence,
  type Gain,
  type LayerAnalysis,
  type OptionValues,
  STEP_META,
  type Verdict,
} from '../../pipeline';
import { count } from '../format';
import { coreWords, named, t } from '../text';

export interface WholePart {
  readonly id: 'weightsOnly' | 'activationsOnly' | 'both';
  readonly sqnrDb: number;
  readonly cosine: number;
  readonly outputError: number;
  /** Of the largest of the three, 0…1. */
  readonly share: number;
}

const PARTS = ['weightsOnly', 'activationsOnly', 'both'] as const;

export function wholeParts({ whole }: AnalysisReport): readonly WholePart[] {
  const largest = Math.max(...PARTS.map((id) => whole[id].outputError), Number.MIN_VALUE);
  return PARTS.map((id) => ({ id, ...whole[id], share: whole[id].outputError / largest }));
}

/** One of the two causes at least this many times the other is *the* cause. */
const CLEARLY = 3;
/** dB above which an output is as good as the float network's. */
const HARMLESS_DB = 40;

/** The first question of all, answered: weights or activations? */
export function wholeSentence({ whole }: AnalysisReport): string {
  const { weightsOnly, activationsOnly, both } = whole;
  if (both.sqnrDb >= HARMLESS_DB) return t('causes.whole.harmless');
  const ratio = activationsOnly.outputError / Math.max(weightsOnly.outputError, Number.MIN_VALUE);
  if (ratio >= CLEARLY) return t('causes.whole.activations', { ratio: times(ratio) });
  if (ratio <= 1 / CLEARLY) return t('causes.whole.weights', { ratio: times(1 / ratio) });
  return t('causes.whole.balanced');
}

/** "3.4×", "1,000×" at most: beyond that the figure says nothing. */
export function times(ratio: number): string {
  return ratio >= 1000 ? t('causes.manyTimes') : t('causes.times', { figure: ratio.toPrecision(ratio < 10 ? 2 : 3).replace(/\.0+$/, '') });
}

/** Everything that a layer adds to the output error; null before it was measured. */
export function layerError({ sensitivity, weightSensitivity }: LayerAnalysis): number | null {
  return sensitivity === null && weightSensitivity === null ? null : (sensitivity ?? 0) + (weightSensitivity ?? 0);
}

/** Channels that the grid gives fewer steps than this are nearly invisible to the next layer. */
export const FEW_STEPS = 16;

export interface ChannelBar {
  readonly channel: number;
  readonly low: number;
  readonly high: number;
  /** Steps of the grid that the channel's values can take; null without a grid. */
  readonly steps: number | null;
}

/** Channels, widest first. */
export function channelBars({ channels, grid }: Pick<Evidence, 'channels' | 'grid'>): readonly ChannelBar[] {
  if (!channels) return [];
  return channels.low
    .map((low, channel) => {
      const high = channels.high[channel]!;
      const inside = grid ? Math.min(high, grid.hi) - Math.max(low, grid.lo) : 0;
      return { channel, low, high, steps: grid ? Math.max(0, Math.floor(inside / grid.scale)) + 1 : null };
    })
    .sort((a, b) => b.high - b.low - (a.high - a.low));
}

export function figure(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return count(value);
  return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : value.toPrecision(3);
}

/** Relative change of an error, as "−74 %"; null where there was none before. */
export function change(before: number, after: number): string | null {
  if (!(before > 0)) return null;
  const percent = Math.round((after / before - 1) * 100);
  return percent === 0 ? '±0 %' : `${percent < 0 ? '−' : '+'}${Math.abs(percent)} %`;
}

/** A repair's options as "label: value". */
export function repairWords(repair: OptionValues): readonly string[] {
  return Object.entries(repair).map(([key, value]) => {
    const label = named('recipe.repairs', key, named('recipe.options', key));
    const shown = typeof value === 'boolean' ? (value ? t('causes.on') : t('causes.off')) : String(value);
    const known = STEP_META.quantize.options.find((option) => option.key === key);
    return `${label}: ${shown}${known?.type === 'number' && known.unit ? ` ${coreWords(known.unit)}` : ''}`;
  });
}

/** True when every option that the repair wants is set so already. */
export const isApplied = (repair: OptionValues, options: OptionValues): boolean =>
  Object.entries(repair).every(([key, value]) => options[key] === value);

/** True for a repair after which the network errs less. */
export const helps = ({ before, after }: Gain): boolean => after < before;

const measured = ({ gain }: Verdict) => (gain && gain.before > 0 ? gain.after / gain.before : Number.POSITIVE_INFINITY);

/** Verdicts with the most helpful repair first; unmeasured ones keep their order behind. */
export const byGain = (verdicts: readonly Verdict[]): readonly Verdict[] => [...verdicts].sort((a, b) => measured(a) - measured(b) || 0);

export interface HelpfulRepair {
  readonly options: OptionValues;
  readonly gain: Gain;
  /** Layers whose verdicts suggest it, worst first. */
  readonly nodes: readonly string[];
}

/** Every repair that was measured and helps, once each, the most helpful first. */
export function helpfulRepairs({ layers }: AnalysisReport): readonly HelpfulRepair[] {
  const found = new Map<string, HelpfulRepair>();
  for (const { node, verdicts } of layers) {
    for (const { repair, gain } of verdicts) {
      if (!repair || !gain || !helps(gain)) continue;
      const key = JSON.stringify(Object.entries(repair).sort(([a], [b]) => a.localeCompare(b)));
      const known = found.get(key);
      found.set(key, { options: repair, gain: known?.gain ?? gain, nodes: [...(known?.nodes ?? []), node] });
    }
  }
  return [...found.values()].sort((a, b) => a.gain.after / a.gain.before - b.gain.after / b.gain.before);
}
