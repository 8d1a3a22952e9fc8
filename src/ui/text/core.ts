/**
 * What the core says in English, in the language of the page: by key or figures where it gives them, else by the sentence
 * (sentences.ts). What has no translation is shown as it is.
 */
import { describeError, StudioError } from '../../numerics';
import type { RecipeStep, Verdict } from '../../pipeline';
import { coreTexts } from './i18n.svelte';

const JAPANESE = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u;

/** What went wrong and what to do; where the sentence isn't known, the kind of trouble leads and the detail stays as it was thrown. */
export function errorSentence(error: unknown): string {
  const core = coreTexts();
  if (!core) return describeError(error);
  if (!(error instanceof StudioError)) return core.say(describeError(error)) ?? `${core.errors.runtime}${describeError(error)}`;
  const { code, message, hint } = error;
  const said = core.say(message) ?? (JAPANESE.test(message) ? message : `${core.errors[code]}${message}`);
  const advice = core.say(hint) ?? hint;
  return advice && !said.endsWith('。') ? `${said} ${advice}` : `${said}${advice}`;
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

/** A sentence, label, unit or note of the core. */
export const coreWords = (english: string): string => coreTexts()?.say(english) ?? english;
