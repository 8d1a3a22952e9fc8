/** What people do with kept things: look them over, give them another name, copy them, throw them away. */
import { StudioError } from '../numerics';
import { type Store, TABLES, type Tables, type Write } from './types';

/** Tables whose records people know by name. */
export const KINDS = ['models', 'datasets', 'runs'] as const;
export type Kind = (typeof KINDS)[number];

export interface Entry {
  readonly kind: Kind;
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  /** Id in the model catalog of a model that is an official file, byte for byte. */
  readonly official: string | null;
  /** Its files stay in their folder; nothing of them is kept here. */
  readonly linked: boolean;
  readonly at: number;
}

/** Bytes of typed arrays and blobs anywhere inside a value; each once. */
export function sizeOf(value: unknown, seen = new Set<unknown>()): number {
  if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (value instanceof Blob) return value.size;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  const inner = value instanceof Map ? [...value.values()] : value instanceof Set ? [...value] : Object.values(value);
  return inner.reduce<number>((sum, each) => sum + sizeOf(each, seen), 0);
}

/**
 * Everything with a name, newest first.
 * @param recognise gives the id of a model in the catalog, or null
 */
export async function listEntries(
  store: Store,
  recognise: (bytes: Uint8Array) => Promise<string | null> = async () => null,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const kind of KINDS)
    for (const record of await store.all(kind)) {
      const { id, name, at } = record;
      const official = 'bytes' in record ? await recognise(record.bytes) : null;
      entries.push({ kind, id, name, at, bytes: sizeOf(record), official, linked: 'handles' in record });
    }
  return entries.sort((a, b) => b.at - a.at);
}

async function recordOf<K extends Kind>(store: Store, kind: K, id: string): Promise<Tables[K]> {
  const record = await store.get(kind, id);
  if (!record) throw new StudioError('missing-data', 'It is no longer kept.', 'Another tab may have deleted it.');
  return record;
}

const write = (kind: Kind, record: unknown): Write => ({ table: kind, record }) as Write;

/** @throws StudioError 'bad-option' for an empty name, 'missing-data' for a record that is gone */
export async function renameEntry(store: Store, kind: Kind, id: string, name: string): Promise<void> {
  const plain = name.trim();
  if (!plain) throw new StudioError('bad-option', 'A name needs at least one character.', 'Type another one.');
  await store.put([write(kind, { ...(await recordOf(store, kind, id)), name: plain })]);
}

/**
 * A copy under another id. Models are kept once per content, so they have none.
 * @returns the copy's id
 * @throws StudioError 'missing-data' for a record that is gone
 */
export async function duplicateEntry(store: Store, kind: 'datasets' | 'runs', id: string, name: string): Promise<string> {
  const copy = `${id}-${crypto.randomUUID()}`;
  await store.put([write(kind, { ...(await recordOf(store, kind, id)), id: copy, name, at: Date.now() })]);
  return copy;
}

/**
 * Takes a record out of the store.
 * @returns puts it back
 * @throws StudioError 'missing-data' for a record that is gone
 */
export async function removeEntry(store: Store, kind: Kind, id: string): Promise<() => Promise<void>> {
  const record = await recordOf(store, kind, id);
  await store.remove(kind, id);
  return () => store.put([write(kind, record)]);
}

/** Deletes everything, unfinished work and settings included. */
export async function forgetEverything(store: Store): Promise<void> {
  for (const table of TABLES) for (const id of await store.ids(table)) await store.remove(table, id);
}
