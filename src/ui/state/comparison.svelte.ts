import type { JobResult } from '../../../workers/wire';

export interface NamedRun {
  readonly id: string;
  readonly name: string;
  readonly result: JobResult;
}

/** Two runs that were picked to lie beside each other. */
export class Comparison {
  /** Ids in the order in which they were picked; at most two. */
  picked = $state.raw<readonly string[]>([]);
  pair = $state.raw<{ readonly a: NamedRun; readonly b: NamedRun } | null>(null);

  /** @param read a run by its id; null where it is gone */
  constructor(private readonly read: (id: string) => Promise<NamedRun | null>) {}

  /** Picks a run or lets go of it; a third one takes the place of the first. */
  async toggle(id: string): Promise<void> {
    this.picked = this.picked.includes(id) ? this.picked.filter((other) => other !== id) : [...this.picked, id].slice(-2);
    const picked = this.picked;
    const runs = picked.length === 2 ? await Promise.all(picked.map(this.read)) : [];
    // Another one may have been picked meanwhile.
    if (picked !== this.picked) return;
    const [a, b] = runs;
    this.pair = a && b ? { a, b } : null;
  }

  close(): void {
    this.picked = [];
    this.pair = null;
  }
}
