import { StudioError } from '../../numerics';
import { errorSentence } from '../text';

export interface Alert {
  readonly id: number;
  readonly kind: 'error' | 'info';
  /** What it says, in the language of the moment. */
  message(): string;
  /** A way on, offered as a button. */
  readonly action?: { label(): string; run(): void };
}

/** Messages that never block: errors stay until dismissed, the rest for a while. */
export class Alerts {
  #next = 1;
  list = $state.raw<readonly Alert[]>([]);

  #add(alert: Omit<Alert, 'id'>): void {
    const id = this.#next++;
    // What is said again replaces what was said.
    const others = this.list.filter(({ message }) => message() !== alert.message());
    this.list = [...others.slice(-3), { ...alert, id }];
    if (alert.kind === 'info' && !alert.action) setTimeout(() => this.dismiss(id), 8000);
  }

  info(message: () => string, action?: Alert['action']): void {
    this.#add({ kind: 'info', message, action });
  }

  error(error: unknown): void {
    if (error instanceof StudioError && error.code === 'cancelled') return;
    this.#add({ kind: 'error', message: () => errorSentence(error) });
  }

  dismiss(id: number): void {
    this.list = this.list.filter((alert) => alert.id !== id);
  }
}
