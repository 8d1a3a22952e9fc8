import { describe, expect, it } from 'vitest';
import { duplicateEntry, forgetEverything, listEntries, memoryStore, removeEntry, renameEntry, TABLES } from '../../src/store';

async function filled() {
  const store = memoryStore();
  const bytes = new Uint8Array(10);
  await store.put([
    { table: 'models', record: { id: 'm', name: 'm.onnx', bytes, external: new Map([['w', new Uint8Array(5)]]), at: 1 } },
    { table: 'datasets', record: { id: 'd', name: 'photos', files: [{ path: 'a.png', file: new Blob([new Uint8Array(7)]) }], at: 3 } },
    { table: 'runs', record: { id: 'r', name: 'int8', value: { a: bytes, again: bytes, set: new Set([new Float32Array(2)]) }, at: 2 } },
    { table: 'settings', record: { id: 's', value: 1 } },
  ]);
  return store;
}

describe('kept things', () => {
  it('are listed newest first, with the bytes they take', async () => {
    const entries = await listEntries(await filled());
    expect(entries.map(({ kind, name, bytes }) => [kind, name, bytes])).toEqual([
      ['datasets', 'photos', 7],
      ['runs', 'int8', 18],
      ['models', 'm.onnx', 15],
    ]);
  });

  it('are renamed, and nothing else of them changes', async () => {
    const store = await filled();
    await renameEntry(store, 'models', 'm', '  nano.onnx ');
    expect(await store.get('models', 'm')).toEqual({ ...(await (await filled()).get('models', 'm'))!, name: 'nano.onnx' });
    await expect(renameEntry(store, 'models', 'm', '  ')).rejects.toThrow('at least one character');
    await expect(renameEntry(store, 'models', 'gone', 'x')).rejects.toThrow('no longer kept');
  });

  it('are copied under another id', async () => {
    const store = await filled();
    const id = await duplicateEntry(store, 'runs', 'r', 'int8 (copy)');
    expect((await store.all('runs')).map(({ name }) => name)).toEqual(['int8', 'int8 (copy)']);
    expect((await store.get('runs', id))!.value).toEqual((await store.get('runs', 'r'))!.value);
  });

  it('are deleted, and come back', async () => {
    const store = await filled();
    const undo = await removeEntry(store, 'datasets', 'd');
    expect(await store.get('datasets', 'd')).toBeUndefined();
    await undo();
    expect((await store.get('datasets', 'd'))!.name).toBe('photos');
  });

  it('are all gone when everything is forgotten', async () => {
    const store = await filled();
    await forgetEverything(store);
    for (const table of TABLES) expect(await store.all(table)).toEqual([]);
  });
});
