/** Recipes, presets and the run that composes the steps. May import steps, store and the rooms below. */
export type * from './types';
