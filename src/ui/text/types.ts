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
  'training.parts',
  'sensitivity.regions',
] as const;
export type Table = (typeof TABLES)[number];

/** The same keys with texts of any wording; of plural forms the general one only. */
export type Translation<T> = {
  readonly [K in keyof T as K extends `${string}_one` ? never : K]: T[K] extends string ? string : Translation<T[K]>;
};
