/** Worker that reads what is kept of earlier runs: megabytes each, which would hold up the page. */
import * as Comlink from 'comlink';
import { recogniseModel } from '../src/models';
import { type Entry, listEntries, openStore, type StoredRun } from '../src/store';
import { buffersOf } from './buffers';
import { keepErrors } from './wire';

keepErrors();
const store = openStore(() => {});

/** A run without its networks and statistics. */
function light({ id, name, at, value }: StoredRun): StoredRun {
  if (!(value instanceof Object) || !('result' in value)) return { id, name, at, value };
  const { rows } = (value.result ?? {}) as { rows?: unknown };
  return { id, name, at, value: { ...value, result: { rows } } };
}

const table = {
  /** Whether it reads the page's records: not where they are in the page's memory. */
  async onDisk(): Promise<boolean> {
    return (await store).kind === 'disk';
  },

  /** All runs, oldest first; of their results the rows alone. */
  async runs(): Promise<readonly StoredRun[]> {
    return (await (await store).all('runs')).map(light);
  },

  async run(id: string): Promise<StoredRun | undefined> {
    const run = await (await store).get('runs', id);
    return run && Comlink.transfer(run, buffersOf(run));
  },

  async entries(): Promise<readonly Entry[]> {
    return listEntries(await store, recogniseModel);
  },
};

export type ShelfTable = typeof table;
Comlink.expose(table);
