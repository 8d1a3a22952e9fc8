/**
 * What a step has worked out so far, so that a run that died goes on where it was. A step is deterministic for its inputs,
 * so the n-th result that it asks for is the n-th that the run before it got: results that are there are given back, the
 * others computed and written down. Values are structured-cloneable, and nobody changes them afterwards.
 */
export interface Journal {
  /**
   * The result at this point: the recorded one, else what `make` computes now. One call at a time. What `make` does besides
   * (notes, drawing random numbers) doesn't happen on replay, so it belongs into the result.
   * @param make may write into a journal of its own, which its result replaces
   */
  next<T>(make: (inner: Journal) => Promise<T>): Promise<T>;
  /** The newest state that was saved, for the start of the work; undefined where there is none. */
  saved<T>(): T | undefined;
  /** Replaces the state before, and all results since it: what follows counts from here. */
  save(state: unknown): Promise<void>;
}

/** Records nothing. */
export const NO_JOURNAL: Journal = {
  next: (make) => make(NO_JOURNAL),
  saved: () => undefined,
  save: async () => {},
};
