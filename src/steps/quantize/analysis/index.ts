/** Why a quantized network errs: which tensors, for what reason, and what helps. */
export type * from './types';
