import type { JobSource, SourceFile } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import { hashModel } from '../../onnx';
import { filesOfDataset, type Store, type StoredDataset, storageUsage } from '../../store';
import type { Given } from '../intake';
import { t } from '../text';
import { type FileSource, fileSources, withFiles } from './sources';

/** Part of the space left that one set may take. */
const MOST_OF_SPACE = 0.25;

const listed = ({ path, file }: SourceFile) => `${path}:${file.size}:${file instanceof File ? file.lastModified : 0}`;

/** What a set is open for. */
export type Role = 'images' | 'training';

interface Opened {
  readonly name: string;
  readonly files: readonly SourceFile[];
}

/** Image sets that outlive a visit: by reference where the browser gives handles, else as copies. */
export class ImageSetsState {
  /** Open on the last visit, in folders that the browser wants to ask about again. */
  waiting = $state.raw<ReadonlyMap<Role, StoredDataset>>(new Map());

  constructor(
    private readonly store: () => Promise<Store>,
    /** Called where there is no room for copies of a set. */
    private readonly noRoom: (name: string) => void,
  ) {}

  /**
   * Keeps a set, once for equal files, and opens it on the next visit.
   * @param id of a set that grows; absent: what the files are
   * @returns the set as a source of images
   */
  async keep(role: Role, { name, files }: Opened, handles: readonly FileSystemHandle[] | null, id?: string): Promise<FileSource> {
    this.#wait(role, null);
    const store = await this.store();
    const key = id ?? (await hashModel(new TextEncoder().encode(files.map(listed).join('\n'))));
    const linked = handles !== null && store.kind === 'disk';
    const usage = await storageUsage();
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    if (!linked && usage && bytes > MOST_OF_SPACE * usage.available) {
      this.noRoom(name);
      return { kind: 'files', name, files };
    }
    const known = await store.get('datasets', key);
    const record = { id: key, name: known?.name ?? name, at: Date.now(), ...(linked ? { files: [], handles } : { files }) };
    await store.put([
      { table: 'datasets', record },
      { table: 'settings', record: { id: role, value: key } },
    ]);
    return { kind: 'files', name, files, ...(linked ? { folder: key } : {}) };
  }

  /** The next visit begins without a set of the user's in this role. */
  async leave(role: Role): Promise<void> {
    this.#wait(role, null);
    await (await this.store()).remove('settings', role);
  }

  #wait(role: Role, set: StoredDataset | null): void {
    const others = [...this.waiting].filter(([other]) => other !== role);
    this.waiting = new Map(set ? [...others, [role, set]] : others);
  }

  /** What was open on the last visit; null where nothing was, or the browser wants to be asked first ({@link waiting}). */
  async last(role: Role): Promise<FileSource | null> {
    const store = await this.store();
    const id = (await store.get('settings', role))?.value;
    const set = typeof id === 'string' ? await store.get('datasets', id) : undefined;
    const files = set && (await filesOfDataset(set));
    if (set && !files) this.#wait(role, set);
    return files ? { kind: 'files', name: set.name, files, ...(set.handles ? { folder: set.id } : {}) } : null;
  }

  /**
   * A job's source with the files that its record left in their folders; the browser may ask the user.
   * @throws StudioError 'missing-data' where a folder is gone or can't be read
   */
  async filled(source: JobSource): Promise<JobSource> {
    const store = await this.store();
    const filled = new Map<FileSource, FileSource>();
    for (const left of fileSources(source)) {
      if (left.folder === undefined || left.files.length > 0) continue;
      const set = await store.get('datasets', left.folder);
      if (!set) throw new StudioError('missing-data', t('library.goneSet', { name: left.name }), t('library.goneSetHint'));
      filled.set(left, { ...left, files: (await this.read(set)).files });
    }
    return withFiles(source, filled);
  }

  /**
   * A kept set; the browser may ask the user.
   * @throws StudioError 'missing-data' where it is gone or can't be read
   */
  async read(set: StoredDataset): Promise<Given> {
    const files = await filesOfDataset(set, true);
    if (!files) throw new StudioError('missing-data', t('library.refusedFolder', { name: set.name }), t('library.refusedFolderHint'));
    return { files, handles: set.handles ?? null };
  }
}
