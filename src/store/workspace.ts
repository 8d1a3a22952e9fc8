/**
 * A whole workspace as one file: a first line that says what it is and how long the index is, the index as JSON, then the
 * binary parts one after the other. Nothing is held in memory but the index.
 */
import { StudioError } from '../numerics';
import { filesOfDataset } from './folders';
import { openPacker, unpackValue } from './portable';
import { type Store, type StoredDataset, TABLES, type TableName, type Write } from './types';

const MAGIC = 'bonsai-workspace 1';
const FIRST_LINE = 64;

interface Index {
  readonly made: number;
  readonly sizes: readonly number[];
  readonly records: readonly { readonly table: string; readonly record: unknown }[];
}

export interface Imported {
  /** Records by table. */
  readonly counts: Readonly<Record<TableName, number>>;
}

export interface ExportOptions {
  /** Milliseconds since 1970. */
  readonly now?: number;
  /** The browser may ask whether folders may be read: the user has just pressed something. */
  readonly ask?: boolean;
  /** Told the name of each set that can't be read. */
  leftOut?(name: string): void;
}

/**
 * Everything in the store: models, data sets, calibration results, checkpoints, runs, settings. Sets that are handles travel as
 * copies; those that can't be read now are left out.
 */
export async function exportWorkspace(store: Store, { now = Date.now(), ask = false, leftOut }: ExportOptions = {}): Promise<Blob> {
  const packer = openPacker();
  const records: Index['records'][number][] = [];
  for (const table of TABLES)
    for (const record of await store.all(table)) {
      const whole = 'handles' in record ? await copied(record, ask) : record;
      if (whole) records.push({ table, record: packer.pack(whole) });
      else if ('name' in record) leftOut?.(record.name);
    }
  const index: Index = { made: now, sizes: packer.parts.map(({ size }) => size), records };
  const json = new Blob([JSON.stringify(index)]);
  const head = `${MAGIC} ${json.size}`.padEnd(FIRST_LINE - 1);
  return new Blob([`${head}\n`, json, ...packer.parts], { type: 'application/octet-stream' });
}

/** A set with its files in it; null where they can't be read. */
async function copied(set: StoredDataset, ask: boolean): Promise<StoredDataset | null> {
  const { handles: _, ...rest } = set;
  const files = await filesOfDataset(set, ask).catch(() => null);
  return files && { ...rest, files };
}

const refuse = (what: string, hint: string) => new StudioError('bad-file', what, hint);

async function readIndex(file: Blob): Promise<{ index: Index; start: number }> {
  const head = await file.slice(0, FIRST_LINE).text();
  const match = /^bonsai-workspace (\d+) (\d+) *\n$/.exec(head);
  if (!match) throw refuse('This is not a workspace of Bonsai Studio.', 'Choose a .bonsai file that “Export workspace” wrote.');
  if (match[1] !== '1') throw refuse('This workspace was written by a newer Bonsai Studio.', 'Open it there, or update this page.');
  const start = FIRST_LINE + Number(match[2]);
  const cut = refuse('The workspace file is damaged: its end is missing.', 'Copy or export it again.');
  if (start > file.size) throw cut;
  let index: Index;
  try {
    index = JSON.parse(await file.slice(FIRST_LINE, start).text()) as Index;
  } catch {
    throw refuse('The workspace file is damaged: its index can’t be read.', 'Copy or export it again.');
  }
  const { sizes, records } = index ?? {};
  if (
    !Array.isArray(sizes) ||
    !Array.isArray(records) ||
    !records.every((r) => r instanceof Object) ||
    !sizes.every((size) => Number.isSafeInteger(size) && size >= 0)
  )
    throw refuse('The workspace file is damaged: its index is incomplete.', 'Copy or export it again.');
  if (start + sizes.reduce((a, b) => a + b, 0) > file.size) throw cut;
  return { index, start };
}

const isTable = (name: unknown): name is TableName => (TABLES as readonly unknown[]).includes(name);

/** What the page relies on when it reads a record back. */
const SHAPES: Readonly<Record<TableName, (record: Record<string, unknown>) => boolean>> = {
  models: ({ name, bytes, external, at }) =>
    typeof name === 'string' && bytes instanceof Uint8Array && external instanceof Map && typeof at === 'number',
  datasets: ({ name, files, at }) =>
    typeof name === 'string' &&
    typeof at === 'number' &&
    Array.isArray(files) &&
    files.every((f) => typeof f?.path === 'string' && f.file instanceof Blob),
  artifacts: ({ value, at }) => value !== undefined && typeof at === 'number',
  runs: ({ name, value, at }) => typeof name === 'string' && value !== undefined && typeof at === 'number',
  settings: ({ value }) => value !== undefined,
  checkpoints: ({ value }) => value !== undefined,
  jobs: ({ name, value, at }) => typeof name === 'string' && value !== undefined && typeof at === 'number',
};

/**
 * Adds a workspace's records to a store; records with the same id are replaced. All of them or none.
 * @throws StudioError 'bad-file' for another file, a newer format, a cut or damaged one
 */
export async function importWorkspace(store: Store, file: Blob): Promise<Imported> {
  const { index, start } = await readIndex(file);
  const offsets: number[] = [];
  let at = start;
  for (const size of index.sizes) {
    offsets.push(at);
    at += size;
  }
  const part = async (i: number): Promise<Blob> => {
    const offset = offsets[i];
    if (offset === undefined) throw refuse('The workspace file is damaged: a part is missing.', 'Copy or export it again.');
    return file.slice(offset, offset + index.sizes[i]!);
  };
  const counts = Object.fromEntries(TABLES.map((table) => [table, 0])) as Record<TableName, number>;
  const writes: Write[] = [];
  for (const { table, record: plain } of index.records) {
    const record = (await unpackValue(plain, part)) as Record<string, unknown> | null;
    if (!isTable(table) || typeof record !== 'object' || record === null || typeof record.id !== 'string' || !SHAPES[table](record))
      throw refuse('The workspace file is damaged: a record has another form than it says.', 'Export it again where it was made.');
    counts[table]++;
    writes.push({ table, record } as unknown as Write);
  }
  await store.put(writes);
  return { counts };
}
