import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportWorkspace, importWorkspace, memoryStore, type Store } from '../../src/store';
import { openPacker, unpackValue } from '../../src/store/portable';

async function roundTrip(value: unknown): Promise<unknown> {
  const packer = openPacker();
  const json = JSON.parse(JSON.stringify(packer.pack(value)));
  return unpackValue(json, async (i) => packer.parts[i]!);
}

async function filled(): Promise<Store> {
  const store = memoryStore();
  await store.put([
    {
      table: 'models',
      record: { id: 'm', name: 'm.onnx', bytes: new Uint8Array([1, 2]), external: new Map([['w', new Uint8Array([3])]]), at: 1 },
    },
    {
      table: 'datasets',
      record: {
        id: 'd',
        name: 'set',
        files: [{ path: 'a/b.png', file: new Blob([new Uint8Array([4, 5])], { type: 'image/png' }) }],
        at: 2,
      },
    },
    { table: 'artifacts', record: { id: 'a', value: { tensors: new Map([['x', new Float32Array([1.5, Number.NaN])]]) }, at: 3 } },
    { table: 'runs', record: { id: 'r', name: 'run', value: { zip: new Blob(['zip']), at: new Date(5) }, at: 4 } },
    { table: 'settings', record: { id: 's', value: 'dark' } },
  ]);
  return store;
}

type HostileIndex = { records: { table: string; record: { bytes: Record<string, unknown> | number } }[] };

type Polluted = { polluted?: number };

const bytesOf = (index: HostileIndex) => index.records[0]!.record.bytes as Record<string, unknown>;

/** A file with one thing changed in its index. */
async function changed(file: Blob, change: (index: HostileIndex) => void): Promise<Blob> {
  const size = Number(/ (\d+) *\n$/.exec(await file.slice(0, 64).text())![1]);
  const index = JSON.parse(await file.slice(64, 64 + size).text());
  change(index);
  const json = new Blob([JSON.stringify(index)]);
  return new Blob([`${`bonsai-workspace 1 ${json.size}`.padEnd(63)}\n`, json, file.slice(64 + size)]);
}

describe('a value in a file', () => {
  it('comes back as it was', async () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      key: fc.oneof(fc.string(), fc.constantFrom('$', '__proto__', 'constructor', 'toString')),
    });
    await fc.assert(
      fc.asyncProperty(value, async (v) => {
        expect(await roundTrip(v)).toEqual(v);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps a date that is none', async () => {
    expect(await roundTrip(new Date(Number.NaN))).toEqual(new Date(Number.NaN));
  });

  it('keeps every number', async () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-308])
      expect(Object.is(await roundTrip(x), x)).toBe(true);
  });

  it('reaches no prototype', async () => {
    const hostile = JSON.parse('{"__proto__": {"polluted": 1}, "a": {"$": "object", "entries": [["__proto__", {"polluted": 1}]]}}');
    const read = (await unpackValue(hostile, async () => new Blob())) as Polluted & { a: Polluted };
    expect(({} as Polluted).polluted).toBeUndefined();
    expect(read.polluted).toBeUndefined();
    expect(read.a.polluted).toBeUndefined();
  });
});

describe('a workspace in one file', () => {
  it('is the same on another machine', async () => {
    const [from, to] = [await filled(), memoryStore()];
    const { counts } = await importWorkspace(to, await exportWorkspace(from));
    expect(counts).toMatchObject({ models: 1, datasets: 1, artifacts: 1, runs: 1, settings: 1 });
    for (const table of ['models', 'artifacts', 'settings'] as const) expect(await to.all(table)).toEqual(await from.all(table));
    const file = (await to.get('datasets', 'd'))!.files[0]!.file;
    expect([file.type, ...new Uint8Array(await file.arrayBuffer())]).toEqual(['image/png', 4, 5]);
    expect(await ((await to.get('runs', 'r'))!.value as { zip: Blob }).zip.text()).toBe('zip');
  });

  it('adds to what is there and replaces what has the same id', async () => {
    const to = memoryStore();
    await to.put([
      { table: 'settings', record: { id: 's', value: 'light' } },
      { table: 'settings', record: { id: 'own', value: 1 } },
    ]);
    await importWorkspace(to, await exportWorkspace(await filled()));
    expect((await to.all('settings')).map(({ id, value }) => [id, value]).sort()).toEqual([
      ['own', 1],
      ['s', 'dark'],
    ]);
  });

  it.each([
    [
      'another file',
      async () => new Blob(['PK\x03\x04 something else that is long enough to hold a first line of a workspace']),
      'This is not a workspace',
    ],
    ['an empty file', async () => new Blob([]), 'This is not a workspace'],
    [
      'a newer format',
      async (file: Blob) => new Blob([(await file.slice(0, 64).text()).replace('workspace 1', 'workspace 2'), file.slice(64)]),
      'newer',
    ],
    ['a cut index', async (file: Blob) => file.slice(0, 80), 'its end is missing'],
    ['a cut part', async (file: Blob) => file.slice(0, file.size - 1), 'its end is missing'],
    [
      'an unknown table',
      (file: Blob) =>
        changed(file, (i) => {
          i.records[0]!.table = 'users';
        }),
      'another form',
    ],
    [
      'a model without bytes',
      (file: Blob) =>
        changed(file, (i) => {
          i.records[0]!.record.bytes = 7;
        }),
      'another form',
    ],
    [
      'a part that is not there',
      (file: Blob) =>
        changed(file, (i) => {
          bytesOf(i).part = 99;
        }),
      'a part is missing',
    ],
    [
      'an array of no known kind',
      (file: Blob) =>
        changed(file, (i) => {
          bytesOf(i).of = 'Function';
        }),
      'is no array',
    ],
    [
      'a kind of value that nobody writes',
      (file: Blob) =>
        changed(file, (i) => {
          bytesOf(i).$ = 'code';
        }),
      'of kind "code"',
    ],
  ])('refuses %s and keeps the store as it was', async (_, make, sentence) => {
    const store = memoryStore();
    const file = await make(await exportWorkspace(await filled()));
    await expect(importWorkspace(store, file)).rejects.toThrow(sentence);
    expect(await store.all('models')).toEqual([]);
    expect(await store.all('settings')).toEqual([]);
  });
});
