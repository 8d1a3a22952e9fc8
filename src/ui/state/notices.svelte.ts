import { describeError, StudioError } from '../../numerics';

export interface Notice {
  readonly id: number;
  readonly kind: 'info' | 'good' | 'error';
  readonly message: string;
  readonly hint: string;
  readonly action?: { readonly label: string; run(): void };
}

/** Messages that never block: newest last, equal ones once. */
export class Notices {
  list = $state.raw<readonly Notice[]>([]);
  #next = 1;

  add(notice: Omit<Notice, 'id'>): void {
    const others = this.list.filter((other) => other.message !== notice.message);
    this.list = [...others.slice(-3), { ...notice, id: this.#next++ }];
  }

  /** A failure as its one sentence and what to do; a cancelled job is no failure. */
  fail(error: unknown): void {
    if (error instanceof StudioError && error.code === 'cancelled') return;
    const known = error instanceof StudioError;
    this.add({ kind: 'error', message: known ? error.message : describeError(error), hint: known ? error.hint : '' });
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }
}
