import { describeError } from '../../numerics';

/** What went wrong and what to do. */
export function errorSentence(error: unknown): string {
  return describeError(error);
}
