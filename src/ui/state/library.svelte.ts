import { recogniseModel } from '../../models';
import { hashModel } from '../../onnx';
import {
  askToPersist,
  duplicateEntry,
  type Entry,
  exportWorkspace,
  forgetEverything,
  importWorkspace,
  listEntries,
  removeEntry,
  renameEntry,
  type Store,
  type StoredModel,
  storageUsage,
  type Usage,
} from '../../store';
import type { ShelfWorker } from '../bridge';
import { download, stamp } from '../download';
import { t } from '../text';
import type { Studio } from './studio.svelte';

/** A network's files, and the record that they came from. */
type Kept = Pick<StoredModel, 'name' | 'bytes'> & Partial<Pick<StoredModel, 'external'>> & { readonly kept?: string };

/** What is kept in this browser. */
export class LibraryState {
  entries = $state.raw<readonly Entry[] | null>(null);
  /** null where the browser doesn't say. */
  usage = $state.raw<Usage | null>(null);
  /** The browser was asked to keep everything, and did not promise it. */
  refused = $state(false);
  working = $state(false);

  constructor(
    private readonly studio: Studio,
    private readonly store: () => Promise<Store>,
    private readonly shelf: ShelfWorker,
  ) {}

  async load(): Promise<void> {
    const store = await this.store();
    this.entries = (store.kind === 'disk' ? await this.shelf.entries() : null) ?? (await listEntries(store, recogniseModel));
    this.usage = await storageUsage();
  }

  /**
   * Keeps a network, unless it is kept already.
   * @param hash of the network that these files make; the file's own names it where there is but one
   * @returns the record's id
   */
  async keep({ name, bytes, external = new Map(), kept }: Kept, hash: string): Promise<string> {
    const store = await this.store();
    const id = kept ?? (external.size > 0 ? hash : await hashModel(bytes));
    if (!(await store.get('models', id))) await store.put([{ table: 'models', record: { id, name, bytes, external, at: Date.now() } }]);
    if (this.entries) this.studio.attempt(() => this.load());
    void askToPersist();
    return id;
  }

  /** Something kept is another now. */
  async #changed(): Promise<void> {
    await this.load();
    await this.studio.history.open(await this.store());
  }

  async open({ kind, id }: Entry): Promise<void> {
    const { studio } = this;
    if (kind === 'models') await studio.openKept(id);
    else if (kind === 'runs') {
      await studio.showRun(id);
      studio.tab = 'results';
    } else {
      const set = await (await this.store()).get('datasets', id);
      if (set) await studio.takeFiles(await studio.imageSets.read(set));
    }
  }

  async rename({ kind, id }: Entry, name: string): Promise<void> {
    await renameEntry(await this.store(), kind, id, name);
    await this.#changed();
  }

  async duplicate({ kind, id, name }: Entry): Promise<void> {
    if (kind === 'models') return;
    await duplicateEntry(await this.store(), kind, id, t('library.copyOf', { name }));
    await this.#changed();
  }

  async remove({ kind, id, name }: Entry): Promise<void> {
    const undo = await removeEntry(await this.store(), kind, id);
    await this.#changed();
    const back = async () => {
      await undo();
      await this.#changed();
    };
    this.studio.alerts.info(() => t('library.removed', { name }), {
      label: () => t('library.undo'),
      run: () => this.studio.attempt(back),
    });
  }

  async persist(): Promise<void> {
    this.refused = !(await askToPersist());
    this.usage = await storageUsage();
  }

  /** Everything in one file, handed to the browser's downloads. */
  async export(): Promise<void> {
    this.working = true;
    try {
      const leftOut = (name: string) => this.studio.alerts.info(() => t('library.leftOut', { name }));
      download(await exportWorkspace(await this.store(), { ask: true, leftOut }), `${stamp()}.bonsai`);
    } finally {
      this.working = false;
    }
  }

  /** Adds a workspace's records to what is kept. Throws StudioError 'bad-file'. */
  async import(file: Blob): Promise<void> {
    this.working = true;
    try {
      const { counts } = await importWorkspace(await this.store(), file);
      await this.#changed();
      this.studio.alerts.info(() => t('library.imported', { ...counts }));
    } finally {
      this.working = false;
    }
  }

  /** Deletes everything, and begins as on a first visit. */
  async forget(): Promise<void> {
    this.studio.cancel();
    this.studio.catalog.allow(false);
    await forgetEverything(await this.store());
    location.reload();
  }
}
