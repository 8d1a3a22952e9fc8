/** The steps of the main job. May import every room above, never each other. */
export type * from './types';
