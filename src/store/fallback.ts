import { describeError } from '../numerics';
import { memoryStore } from './memory';
import type { Store, TableName, Tables, Usage, Write } from './types';

/** Why records are kept in memory only, as one sentence with what to do. */
export type LostReason = 'closed' | 'full' | 'unavailable';

export interface Loss {
  readonly reason: LostReason;
  readonly detail: string;
}

export interface OpenOptions {
  /** Opens the disk store; it is told whom to call when the database goes away. */
  readonly disk: (onLost: () => void) => Promise<Store>;
  /** Called at most once. */
  readonly onLoss: (loss: Loss) => void;
}

function isQuota(error: unknown): boolean {
  return error instanceof Error && (error.name === 'QuotaExceededError' || /quota/i.test(error.message));
}

/**
 * A store that never rejects: what the disk refuses is kept in memory, and `onLoss` says so once. After a full disk,
 * what is there can still be read.
 */
export async function openWithFallback({ disk, onLoss }: OpenOptions): Promise<Store> {
  const memory = memoryStore();
  let onDisk: Store | null = null;
  let writable = true;
  let told = false;

  const lose = (reason: LostReason, detail: string) => {
    writable = false;
    if (reason !== 'full') onDisk = null;
    if (!told) onLoss({ reason, detail });
    told = true;
  };
  const attempt = async <T>(work: (store: Store) => Promise<T>): Promise<T | undefined> => {
    if (!onDisk) return undefined;
    try {
      return await work(onDisk);
    } catch (error) {
      lose(isQuota(error) ? 'full' : 'closed', describeError(error));
      return undefined;
    }
  };

  try {
    onDisk = await disk(() => lose('closed', 'The database was closed by the browser or by another tab.'));
  } catch (error) {
    lose(isQuota(error) ? 'full' : 'unavailable', describeError(error));
  }

  return {
    get kind() {
      return onDisk && writable ? 'disk' : 'memory';
    },
    async get(table, id) {
      return (await memory.get(table, id)) ?? (await attempt((store) => store.get(table, id)));
    },
    async all<T extends TableName>(table: T) {
      const fresh = await memory.all(table);
      const kept = (await attempt((store) => store.all(table))) ?? [];
      const ids = new Set(fresh.map((record) => record.id));
      return [...kept.filter((record) => !ids.has(record.id)), ...fresh] as readonly Tables[T][];
    },
    async ids(table) {
      const fresh = await memory.ids(table);
      const kept = (await attempt((store) => store.ids(table))) ?? [];
      return [...kept.filter((id) => !fresh.includes(id)), ...fresh];
    },
    async put(writes: readonly Write[]) {
      if (onDisk && writable) {
        const done = await attempt(async (store) => {
          await store.put(writes);
          return true;
        });
        if (done) return;
      }
      await memory.put(writes);
    },
    async remove(table, id) {
      await memory.remove(table, id);
      await attempt((store) => store.remove(table, id));
    },
    close() {
      onDisk?.close();
    },
  };
}

/** What the browser says about space; null where it doesn't. */
export async function storageUsage(): Promise<Usage | null> {
  try {
    const { usage = 0, quota = 0 } = await navigator.storage.estimate();
    return { used: usage, available: Math.max(0, quota - usage), persisted: await navigator.storage.persisted() };
  } catch {
    return null;
  }
}

/** Asks the browser not to evict what is stored; false where it refuses or can't. */
export async function askToPersist(): Promise<boolean> {
  try {
    return (await navigator.storage.persisted()) || (await (navigator.storage as { persist?(): Promise<boolean> }).persist?.()) === true;
  } catch {
    return false;
  }
}
