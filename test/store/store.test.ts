import { describe, expect, it } from 'vitest';
import { type Loss, memoryStore, openWithFallback, type Store, type Write } from '../../src/store';

const setting = (id: string, value: unknown): Write => ({ table: 'settings', record: { id, value } });

/** A disk that answers until it is told to fail. */
function disk(fail: { put?: Error; get?: Error }): Store {
  const memory = memoryStore();
  return {
    ...memory,
    kind: 'disk',
    put: (writes) => (fail.put ? Promise.reject(fail.put) : memory.put(writes)),
    get: (table, id) => (fail.get ? Promise.reject(fail.get) : memory.get(table, id)),
  };
}

async function open(make: (onLost: () => void) => Promise<Store>) {
  const losses: Loss[] = [];
  const store = await openWithFallback({ disk: make, onLoss: (loss) => losses.push(loss) });
  return { store, losses };
}

describe('the store', () => {
  it('goes on in memory when the database cannot be opened, and says so once', async () => {
    const { store, losses } = await open(() => Promise.reject(new Error('A mutation operation was attempted')));
    await store.put([setting('a', 1)]);
    await store.put([setting('b', 2)]);
    expect(await store.get('settings', 'a')).toEqual({ id: 'a', value: 1 });
    expect(store.kind).toBe('memory');
    expect(losses).toEqual([{ reason: 'unavailable', detail: 'A mutation operation was attempted' }]);
  });

  it('keeps what a full disk refuses, and still reads what was there', async () => {
    const fail: { put?: Error } = {};
    const { store, losses } = await open(async () => disk(fail));
    await store.put([setting('old', 1)]);
    expect(store.kind).toBe('disk');
    fail.put = Object.assign(new Error('full'), { name: 'QuotaExceededError' });
    await store.put([setting('new', 2), setting('new2', 3)]);
    await store.put([setting('old', 4)]);
    expect((await store.all('settings')).map((s) => [s.id, s.value])).toEqual([
      ['new', 2],
      ['new2', 3],
      ['old', 4],
    ]);
    expect(await store.ids('settings')).toEqual(['new', 'new2', 'old']);
    expect(losses.map((loss) => loss.reason)).toEqual(['full']);
    expect(store.kind).toBe('memory');
  });

  it('goes on when the database is deleted or closed under it', async () => {
    let lost = () => {};
    const { store, losses } = await open(async (onLost) => {
      lost = onLost;
      return disk({});
    });
    await store.put([setting('a', 1)]);
    lost();
    lost();
    expect(await store.get('settings', 'a')).toBeUndefined();
    await store.put([setting('a', 2)]);
    expect(await store.get('settings', 'a')).toEqual({ id: 'a', value: 2 });
    expect(losses.map((loss) => loss.reason)).toEqual(['closed']);
  });

  it('a failed read is no failure of the page', async () => {
    const { store, losses } = await open(async () => disk({ get: new Error('gone') }));
    expect(await store.get('models', 'x')).toBeUndefined();
    expect(losses).toHaveLength(1);
  });
});
