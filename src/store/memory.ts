import { type Store, TABLES, type TableName, type Tables } from './types';

/** Keeps everything until the page is closed. Never fails. */
export function memoryStore(): Store {
  const tables = new Map(TABLES.map((name) => [name as TableName, new Map<string, unknown>()]));
  return {
    kind: 'memory',
    get: async <T extends TableName>(table: T, id: string) => tables.get(table)!.get(id) as Tables[T] | undefined,
    all: async <T extends TableName>(table: T) => [...tables.get(table)!.values()] as Tables[T][],
    ids: async (table) => [...tables.get(table)!.keys()],
    put: async (writes) => {
      for (const { table, record } of writes) {
        const rows = tables.get(table)!;
        rows.delete(record.id);
        rows.set(record.id, record);
      }
    },
    remove: async (table, id) => void tables.get(table)!.delete(id),
    close() {},
  };
}
