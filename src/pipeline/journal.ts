/** A step's journal in a store of checkpoints: one record, written every few seconds while the step computes. */
import type { Journal } from '../steps';
import type { Checkpoints } from './types';

/** Milliseconds between two writes: at least, and at most where writing is slow. */
const EVERY = { least: 3000, most: 8000 };
/** A write may take this share of the time. */
const SHARE = 1 / 60;

interface Log {
  state?: unknown;
  /** Since the state. */
  results: unknown[];
  /** Of the result that is being computed. */
  open?: Log;
}

export interface OpenJournal extends Journal {
  /** Forgets everything: the step's result is safe elsewhere. */
  close(): Promise<void>;
}

class Page implements Journal {
  readonly #log: Log;
  readonly #written: () => Promise<void>;
  /** Results that this run has been given or has made. */
  #at = 0;
  #busy = false;

  constructor(log: Log, written: () => Promise<void>) {
    this.#log = log;
    this.#written = written;
  }

  #free(): void {
    if (this.#busy) throw new Error('A journal takes one call at a time.');
  }

  async next<T>(make: (inner: Journal) => Promise<T>): Promise<T> {
    this.#free();
    const log = this.#log;
    if (this.#at < log.results.length) return log.results[this.#at++] as T;
    this.#busy = true;
    try {
      log.open ??= { results: [] };
      const result = await make(new Page(log.open, this.#written));
      log.results.push(result);
      this.#at++;
      delete log.open;
      await this.#written();
      return result;
    } finally {
      // What failed in the middle is of no use to a step that goes on in another way.
      delete log.open;
      this.#busy = false;
    }
  }

  saved<T>(): T | undefined {
    return this.#log.state as T | undefined;
  }

  async save(state: unknown): Promise<void> {
    this.#free();
    this.#log.state = state;
    this.#log.results = [];
    delete this.#log.open;
    this.#at = 0;
    await this.#written();
  }
}

/**
 * @param key of the step's result: its version, inputs, options and engine, so that no other step's records are replayed
 * @param now milliseconds
 */
export async function openJournal(store: Checkpoints, key: string, now: () => number = () => performance.now()): Promise<OpenJournal> {
  const found = (await store.get(key)) as Log | undefined;
  const log: Log = found ?? { results: [] };
  let stored = found !== undefined;
  let due = now() + EVERY.least;
  const page = new Page(log, async () => {
    const start = now();
    if (start < due) return;
    await store.put(key, log);
    stored = true;
    const end = now();
    due = end + Math.min(EVERY.most, Math.max(EVERY.least, (end - start) / SHARE));
  });
  return {
    next: (make) => page.next(make),
    saved: () => page.saved(),
    save: (state) => page.save(state),
    async close() {
      if (stored) await store.remove(key);
    },
  };
}
