/** Short forms for writing facts down. */
import type { Fact, Mark, OpState, OpSupport } from './types';

export const verified = <T>(value: T, source: string): Fact<T> => ({ value, mark: 'verified', source });
export const seenOnce = <T>(value: T, source: string): Fact<T> => ({ value, mark: 'seen once', source });
export const inferred = <T>(value: T, source: string): Fact<T> => ({ value, mark: 'inferred', source });

export function entry(state: OpState, reason: string, advice: string, mark: Mark, source: string): OpSupport {
  return { state, reason, advice, mark, source };
}
