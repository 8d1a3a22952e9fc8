/** Images, COCO annotations, splits, scenes. May import numerics only. */
export type * from './types';
