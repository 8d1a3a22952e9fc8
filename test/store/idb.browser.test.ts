import { deleteDB, openDB } from 'idb';
import { afterEach, describe, expect, it } from 'vitest';
import { diskStore, type StoredDataset, TABLES } from '../../src/store';

const NAME = 'bonsai-test';
afterEach(() => deleteDB(NAME));

const dataset = (id: string, at: number): StoredDataset => ({
  id,
  name: `set ${id}`,
  files: [{ path: 'a/b.jpg', file: new Blob([new Uint8Array([1, 2, 3])]) }],
  at,
});

describe('IndexedDB', () => {
  it('keeps blobs, maps and typed arrays across openings, oldest first', async () => {
    const first = await diskStore({ name: NAME });
    await first.put([
      { table: 'datasets', record: dataset('late', 2) },
      { table: 'datasets', record: dataset('early', 1) },
      {
        table: 'models',
        record: { id: 'm', name: 'm.onnx', bytes: new Uint8Array([8, 9]), external: new Map([['w', new Uint8Array([7])]]), at: 3 },
      },
    ]);
    first.close();
    const second = await diskStore({ name: NAME });
    const sets = await second.all('datasets');
    expect(sets.map((set) => set.id)).toEqual(['early', 'late']);
    expect(await second.ids('datasets')).toEqual(['early', 'late']);
    expect(await second.ids('settings')).toEqual([]);
    expect([...new Uint8Array(await sets[0]!.files[0]!.file.arrayBuffer())]).toEqual([1, 2, 3]);
    const model = await second.get('models', 'm');
    expect([...model!.bytes, ...model!.external.get('w')!]).toEqual([8, 9, 7]);
    second.close();
  });

  it('knows the order of records that an earlier version kept', async () => {
    const old = await openDB(NAME, 2, {
      upgrade(db) {
        for (const table of TABLES) db.createObjectStore(table, { keyPath: 'id' });
      },
    });
    await old.put('runs', { id: 'b', name: 'second', value: {}, at: 2 });
    await old.put('runs', { id: 'c', name: 'first', value: {}, at: 1 });
    await old.put('runs', { id: 'a', name: 'without a time', value: {} });
    old.close();
    const store = await diskStore({ name: NAME });
    expect(await store.ids('runs')).toEqual(['a', 'c', 'b']);
    expect((await store.get('runs', 'b'))?.name).toBe('second');
    store.close();
  });

  it('writes all of a batch or nothing', async () => {
    const store = await diskStore({ name: NAME });
    const unclonable = { id: 'bad', value: () => 0 };
    await expect(
      store.put([
        { table: 'settings', record: { id: 'good', value: 1 } },
        { table: 'settings', record: unclonable },
      ]),
    ).rejects.toThrow();
    expect(await store.all('settings')).toEqual([]);
    store.close();
  });

  it('tells when another tab wants the database gone', async () => {
    let lost = 0;
    const store = await diskStore({ name: NAME, onLost: () => lost++ });
    await deleteDB(NAME);
    expect(lost).toBe(1);
    await expect(store.get('settings', 'x')).rejects.toThrow();
  });
});
