/**
 * What the core says in English, in the language of the page: by code, key or figures where it gives them, else by the
 * sentence. What has no translation is shown as it is.
 */
import { describeError, StudioError } from '../../numerics';
import type { RecipeStep, Verdict } from '../../pipeline';
import { coreTexts, t } from './i18n.svelte';

/** What went wrong and what to do; in Japanese the kind of trouble leads, the detail stays as it was thrown. */
export function errorSentence(error: unknown): string {
  const lead = error instanceof StudioError ? coreTexts()?.errors[error.code] : undefined;
  return lead ? `${lead} ${describeError(error)}` : describeError(error);
}

export function optionHelp(step: RecipeStep['step'], { key, help }: { readonly key: string; readonly help: string }): string {
  return coreTexts()?.optionHelp[step]?.[key] ?? help;
}

export function verdictSentence({ kind, sentence, evidence }: Verdict): string {
  return coreTexts()?.verdicts[kind](evidence.figures, evidence.role) ?? sentence;
}

/** "channelRatio" → "channel ratio" */
export const humanKey = (key: string): string => key.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);

/** The name of one of a verdict's figures. */
export const figureName = (key: string): string => coreTexts()?.figures[key] ?? humanKey(key);

const NUMBER = /\d+(?:[.,]\d+)*/g;
/** A name that was put in, or a number. */
const GAP = /"[^"]*"|\([^)]*\)|\d+(?:[.,]\d+)*/g;

/** A label, unit or note of the core. Sentences are known by their words, with `#` for each gap. */
export function coreWords(sentence: string): string {
  const words = coreTexts()?.words;
  if (!words) return sentence;
  const known = (text: string): string | undefined => {
    if (Object.hasOwn(words, text)) return words[text];
    for (const gap of [NUMBER, GAP]) {
      const given = text.match(gap) ?? [];
      const pattern = text.replace(gap, '#');
      if (Object.hasOwn(words, pattern)) return words[pattern]!.replace(/#/g, () => given.shift() ?? '#');
    }
    return undefined;
  };
  const whole = known(sentence);
  if (whole !== undefined) return whole;
  const parts = sentence.split(', ');
  return parts.some((part) => known(part)) ? parts.map((part) => known(part) ?? part).join(t('marks.comma')) : sentence;
}
