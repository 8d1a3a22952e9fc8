import type { ErrorCode } from '../../numerics';
import type { RecipeStep, Verdict } from '../../pipeline';
import type { en } from './en';

declare module 'i18next' {
  interface CustomTypeOptions {
    nsSeparator: false;
    resources: { translation: typeof en };
  }
}

/** Tables whose keys are names out of the core; a name without an entry is shown as it is, or by its fallback. */
export const TABLES = [
  'recipe.steps',
  'recipe.does',
  'recipe.options',
  'recipe.repairs',
  'recipe.weights',
  'recipe.strength.names',
  'recipe.strength.does',
  'results.repairNames',
  'causes.columnHelp',
  'device.facts',
  'device.values',
  'training.parts',
  'sensitivity.regions',
] as const;
export type Table = (typeof TABLES)[number];

/** The same keys with texts of any wording; of plural forms the general one only. */
export type Translation<T> = {
  readonly [K in keyof T as K extends `${string}_one` ? never : K]: T[K] extends string ? string : Translation<T[K]>;
};

/** What the core says in English, in another language. */
export interface Core {
  /** What kind of trouble it is. */
  readonly errors: Readonly<Record<ErrorCode, string>>;
  readonly optionHelp: Readonly<Record<RecipeStep['step'], Readonly<Record<string, string>>>>;
  readonly verdicts: Readonly<
    Record<Verdict['kind'], (figures: Readonly<Record<string, number | undefined>>, role: Verdict['evidence']['role']) => string>
  >;
  /** Names of verdicts' figures. */
  readonly figures: Readonly<Record<string, string>>;
  /** Any sentence, label, unit or note; null where it isn't known. */
  readonly say: (english: string) => string | null;
}
