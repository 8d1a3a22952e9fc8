import type { Tensor } from '../graph';
import type { Context } from '../infer/facts';

/**
 * Computes a node on constants. `inputs`: absent optional ones are null. `shapes`: of the outputs, from the shape rules.
 * Null = can't be computed here (the node stays in the graph).
 */
export type Kernel = (inputs: readonly (Tensor | null)[], shapes: readonly (readonly number[])[], c: Context) => readonly Tensor[] | null;
