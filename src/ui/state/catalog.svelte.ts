import { CATALOG, CATALOG_HOST, type CatalogEntry } from '../../models';
import type { Entry } from '../../store';
import { CatalogWorker } from '../library/catalog-worker';
import { isSingleFile } from '../site';
import { t } from '../text';
import { secondsLeft } from '../training/curves';
import type { Studio } from './studio.svelte';

/** Beside the store, so that no workspace that is imported switches it on. */
const KEY = 'bonsai-downloads';

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) === 'on';
  } catch {
    return false;
  }
}

export interface Download {
  readonly entry: CatalogEntry;
  readonly bytes: number;
  /** Undefined until there is a pace. */
  readonly secondsLeft?: number;
}

/** Official detectors: which are on this machine, and the way to the others. */
export class CatalogState {
  readonly #worker = new CatalogWorker();

  readonly entries = CATALOG;
  readonly host = CATALOG_HOST;
  /** Workers of the single file have its page's policy, which lets them talk to nobody. */
  readonly possible = !isSingleFile;
  /** The one exception to "nothing but this site", made by the user, for this visit and the next. */
  allowed = $state(!isSingleFile && stored());
  download = $state.raw<Download | null>(null);
  /** What the page promises, with the exception while there is one. */
  claim = $derived.by(() => (this.allowed ? t('localBut', { host: this.host }) : t('local')));

  constructor(private readonly studio: Studio) {
    addEventListener('storage', ({ key }) => {
      if (key === KEY) this.#become(stored());
    });
  }

  /** What is kept of an entry; undefined where nothing is. */
  kept(entry: CatalogEntry): Entry | undefined {
    return this.studio.library.entries?.find(({ official }) => official === entry.id);
  }

  nameOf(official: string | null): string | null {
    return CATALOG.find(({ id }) => id === official)?.name ?? null;
  }

  allow(on: boolean): void {
    try {
      if (on) localStorage.setItem(KEY, 'on');
      else localStorage.removeItem(KEY);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this.#become(on);
  }

  #become(allowed: boolean): void {
    this.allowed = allowed;
    if (!allowed) this.cancel();
  }

  /** @throws StudioError as downloadModel does, 'cancelled' after {@link cancel} */
  async fetch(entry: CatalogEntry): Promise<void> {
    if (!this.allowed || this.download) return;
    this.download = { entry, bytes: 0 };
    let first: { readonly done: number; readonly at: number } | null = null;
    const progress = (bytes: number) => {
      const now = { done: bytes, at: performance.now() };
      const left = secondsLeft((first ??= now), now, entry.bytes);
      if (this.download) this.download = { entry, bytes, secondsLeft: left && left / 1000 };
    };
    try {
      const bytes = await this.#worker.download(entry.id, progress);
      await this.studio.library.keep({ name: entry.file, bytes }, entry.sha256);
      this.studio.alerts.info(() => t('catalog.fetched', { name: entry.name }));
    } finally {
      this.download = null;
    }
  }

  cancel(): void {
    if (this.download) this.#worker.end();
  }
}
