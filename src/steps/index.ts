/** The steps of the main job. May import every room above, never each other. */

export type * from './meta';
export type * from './types';
