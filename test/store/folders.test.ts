/** Sets that are handles: read where they lie, asked for, missed, and copied into a workspace. */
import { describe, expect, it } from 'vitest';
import { exportWorkspace, filesOfDataset, importWorkspace, listEntries, memoryStore, type StoredDataset } from '../../src/store';

interface Behaviour {
  readonly now?: PermissionState;
  readonly answer?: PermissionState;
  readonly gone?: boolean;
}

/** A folder as the File System Access API gives it: a.png, and inner/b.png. */
function folder({ now = 'granted', answer = 'granted', gone = false }: Behaviour = {}) {
  const asked: string[] = [];
  const file = (name: string) => ({
    kind: 'file',
    name,
    async getFile() {
      if (gone) throw new DOMException('It is not there.', 'NotFoundError');
      return new Blob([name]);
    },
  });
  const directory = (name: string, children: readonly unknown[]) => ({
    kind: 'directory',
    name,
    async *values() {
      yield* children;
    },
  });
  const handle = {
    ...directory('photos', [file('a.png'), directory('inner', [file('b.png')])]),
    async queryPermission() {
      asked.push('query');
      return now;
    },
    async requestPermission() {
      asked.push('request');
      return answer;
    },
  } as unknown as FileSystemDirectoryHandle;
  return { handle, asked };
}

const set = (handle: FileSystemHandle): StoredDataset => ({ id: 'd', name: 'photos', files: [], handles: [handle], at: 1 });
const paths = (files: readonly { readonly path: string }[] | null) => files?.map(({ path }) => path);

describe('a set that stays in its folder', () => {
  it('is read there, folders inside included', async () => {
    expect(paths(await filesOfDataset(set(folder().handle)))).toEqual(['photos/a.png', 'photos/inner/b.png']);
  });

  it('is read where the browser allows it, who is asked only when told so', async () => {
    const quiet = folder({ now: 'prompt' });
    expect(await filesOfDataset(set(quiet.handle))).toBeNull();
    expect(quiet.asked).toEqual(['query']);
    expect(paths(await filesOfDataset(set(quiet.handle), true))).toHaveLength(2);
    expect(await filesOfDataset(set(folder({ now: 'prompt', answer: 'denied' }).handle), true)).toBeNull();
    const denied = folder({ now: 'denied' });
    expect(await filesOfDataset(set(denied.handle), true)).toBeNull();
    expect(denied.asked).toEqual(['query']);
  });

  it('is missed in one sentence', async () => {
    await expect(filesOfDataset(set(folder({ gone: true }).handle))).rejects.toThrow('photos is no longer where it was.');
  });

  it('takes no space, and travels in a workspace as copies; one that can’t be read stays behind', async () => {
    const store = memoryStore();
    await store.put([
      { table: 'datasets', record: set(folder().handle) },
      { table: 'datasets', record: { ...set(folder({ now: 'prompt' }).handle), id: 'asks' } },
      { table: 'datasets', record: { ...set(folder({ gone: true }).handle), id: 'gone' } },
    ]);
    expect((await listEntries(store)).map(({ bytes, linked }) => [bytes, linked])).toEqual(Array(3).fill([0, true]));
    const other = memoryStore();
    await importWorkspace(other, await exportWorkspace(store));
    const [copy, ...more] = await other.all('datasets');
    expect(more).toEqual([]);
    expect([copy!.name, copy!.handles, paths(copy!.files)]).toEqual(['photos', undefined, ['photos/a.png', 'photos/inner/b.png']]);
    expect(await copy!.files[1]!.file.text()).toBe('b.png');
  });
});
