import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB, type StoreNames } from 'idb';
import type { Store, TableName, Tables } from './types';

type Schema = DBSchema & { [T in TableName]: { key: string; value: Tables[T]; indexes: { at: number } } };
/** Tables whose records have a time. */
const DATED = ['models', 'datasets', 'artifacts', 'runs', 'jobs'] as const satisfies readonly TableName[];
const dated: ReadonlySet<TableName> = new Set(DATED);
type Upgrade = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>;

export const DATABASE = 'bonsai-studio';

/** Migration i takes a database of version i to version i + 1; a released one is never edited. */
const MIGRATIONS: readonly ((db: IDBPDatabase<Schema>, transaction: Upgrade) => void)[] = [
  (db) => {
    for (const table of ['models', 'datasets', 'artifacts', 'runs', 'settings'] as const) db.createObjectStore(table, { keyPath: 'id' });
  },
  // Checkpoints lay among the settings; those of version 1 are of no use to journals.
  (db, transaction) => {
    for (const table of ['checkpoints', 'jobs'] as const) db.createObjectStore(table, { keyPath: 'id' });
    void transaction.objectStore('settings').delete(IDBKeyRange.bound('checkpoint', 'checkpoint\uffff'));
  },
  // Which records are the oldest is known without reading them.
  (_db, transaction) => {
    for (const table of DATED) transaction.objectStore(table).createIndex('at', 'at');
  },
];

export interface DiskOptions {
  readonly name?: string;
  /** Another tab wants a newer version, or the database went away: this store is of no more use. */
  readonly onLost?: () => void;
}

/** IndexedDB. Rejects as the browser does: private mode, quota, a newer schema, a deleted database. */
export async function diskStore({ name = DATABASE, onLost }: DiskOptions = {}): Promise<Store> {
  const db = await openDB<Schema>(name, MIGRATIONS.length, {
    upgrade(database, oldVersion, _newVersion, transaction) {
      for (const migrate of MIGRATIONS.slice(oldVersion)) migrate(database, transaction);
    },
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      onLost?.();
    },
    terminated: () => onLost?.(),
  });
  return {
    kind: 'disk',
    get: (table, id) => db.get(table, id) as never,
    all: async (table) => {
      const rows = await db.getAll(table);
      return rows.sort((a, b) => ('at' in a && 'at' in b ? a.at - b.at : 0)) as never;
    },
    async ids(table) {
      const keys = await db.getAllKeys(table);
      if (!dated.has(table)) return keys;
      // The index leaves out what has no time, as a workspace's file may bring it.
      const inOrder = await db.getAllKeysFromIndex(table, 'at');
      const timed = new Set(inOrder);
      return [...keys.filter((id) => !timed.has(id)), ...inOrder];
    },
    async put(writes) {
      const tables = [...new Set(writes.map((write) => write.table))];
      if (tables.length === 0) return;
      const transaction = db.transaction(tables, 'readwrite');
      // A put that fails later aborts the transaction by itself; one that can't be cloned throws here and doesn't.
      const pending: Promise<unknown>[] = [transaction.done];
      try {
        for (const { table, record } of writes) pending.push(transaction.objectStore(table).put(record));
      } catch (error) {
        transaction.abort();
        await Promise.allSettled(pending);
        throw error;
      }
      await Promise.all(pending);
    },
    remove: (table, id) => db.delete(table, id),
    close: () => db.close(),
  };
}
