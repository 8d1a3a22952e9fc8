import { describe, expect, it } from 'vitest';
import { CATALOG, CATALOG_HOST, type CatalogEntry, downloadModel, type Network, recogniseModel } from '../../src/models';
import { StudioError } from '../../src/numerics';
import { hashModel } from '../../src/onnx';
import { CATALOG_HOSTS, CATALOG_POLICY, CATALOG_WORKER, policyOf, SITE_POLICY } from '../../src/site';
import { listEntries, memoryStore } from '../../src/store';

const FILE = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const ENTRY: CatalogEntry = { ...CATALOG[0]!, id: 'test', file: 'test.onnx', bytes: FILE.length, sha256: await hashModel(FILE) };

const inParts = (bytes: Uint8Array): Uint8Array[] => Array.from({ length: 4 }, (_, i) => bytes.slice(i * 300, (i + 1) * 300));

/** A host that sends parts one by one as they are read, and then ends or breaks off. */
function host(parts: readonly Uint8Array[], { status = 200, breaks = false } = {}) {
  const asked: [string, RequestInit][] = [];
  const state = { sent: 0, cancelled: false };
  const source: UnderlyingDefaultSource<Uint8Array> = {
    pull(controller) {
      const part = parts[state.sent++];
      if (part) controller.enqueue(part);
      else if (breaks) controller.error(new TypeError('network error'));
      else controller.close();
    },
    cancel() {
      state.cancelled = true;
    },
  };
  const network: Network = {
    online: true,
    async fetch(url, options) {
      asked.push([url, options]);
      return new Response(new ReadableStream(source, { highWaterMark: 0 }), { status });
    },
  };
  return { network, asked, state };
}

/** What a download ends in, as "code: sentence hint". */
async function refusal(network: Network): Promise<string> {
  const error = await downloadModel(ENTRY, network, () => {}).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StudioError);
  const { code, message, hint } = error as StudioError;
  return `${code}: ${message} ${hint}`;
}
const BY_HAND = 'Save the release file by hand, and drop it in.';
const not = (why: string) =>
  `bad-file: What huggingface.co sent is not the file that the catalog lists as test.onnx (${why}): nothing was kept. ${BY_HAND}`;

describe('the catalog', () => {
  it('lists files of a release with all that is needed to check and to credit them', () => {
    expect(CATALOG.map(({ file }) => file)).toEqual(['yolox_nano.onnx', 'yolox_tiny.onnx']);
    for (const entry of CATALOG) {
      expect(entry.sha256).toMatch(/^[0-9a-f]{64}$/);
      for (const address of [entry.url, entry.release]) expect(address).toMatch(new RegExp(`^https://.*/${entry.file}$`));
      expect(new URL(entry.url).host).toBe(CATALOG_HOST);
      // Float weights are nearly all of the file.
      expect(entry.bytes / (4 * entry.parameters)).toBeCloseTo(1, 1);
    }
    for (const key of ['id', 'sha256', 'file'] as const) expect(new Set(CATALOG.map((entry) => entry[key])).size).toBe(CATALOG.length);
  });

  it('knows its files by their content, and by nothing else', async () => {
    const other = FILE.map((byte, i) => (i === 500 ? byte ^ 1 : byte));
    expect(await recogniseModel(FILE, [...CATALOG, ENTRY])).toBe('test');
    expect(await recogniseModel(other, [...CATALOG, ENTRY])).toBeNull();
    expect(await recogniseModel(FILE)).toBeNull();
    const store = memoryStore();
    const external = new Map<string, Uint8Array>();
    await store.put([
      { table: 'models', record: { id: 'a', name: 'renamed.onnx', bytes: FILE, external, at: 2 } },
      { table: 'models', record: { id: ENTRY.sha256, name: 'test.onnx', bytes: other, external, at: 1 } },
    ]);
    const entries = await listEntries(store, (bytes) => recogniseModel(bytes, [ENTRY]));
    expect(entries.map(({ name, official }) => [name, official])).toEqual([
      ['renamed.onnx', 'test'],
      ['test.onnx', null],
    ]);
  });
});

describe('a download', () => {
  it('gives the file that is listed, tells how far it is, and tells the host nothing of the page', async () => {
    const { network, asked } = host(inParts(FILE));
    const far: number[] = [];
    expect(await downloadModel(ENTRY, network, (bytes) => far.push(bytes))).toEqual(FILE);
    expect(far).toEqual([300, 600, 900, 1000]);
    expect(asked).toEqual([[ENTRY.url, expect.objectContaining({ credentials: 'omit', referrerPolicy: 'no-referrer' })]]);
    expect(asked[0]![1]).not.toHaveProperty('headers');
  });

  it('refuses another file of the same length', async () => {
    const other = FILE.slice().fill(7, 999);
    expect(await refusal(host(inParts(other)).network)).toBe(not('another SHA-256'));
  });

  it('stops at the first byte too many', async () => {
    const { network, state } = host(Array(1000).fill(FILE.slice(0, 300)));
    expect(await refusal(network)).toBe(not('more than 1,000 bytes'));
    expect(state).toEqual({ sent: 4, cancelled: true });
  });

  it('refuses a file that ends early, and says so where the network broke off', async () => {
    const parts = inParts(FILE).slice(0, 2);
    expect(await refusal(host(parts).network)).toBe(not('600 bytes in place of 1,000'));
    expect(await refusal(host(parts, { breaks: true }).network)).toMatch(
      /^missing-data: The download of test.onnx broke off after 600 of 1,000 bytes\. Try again/,
    );
  });

  it('passes on what the host answers, or that it does not', async () => {
    expect(await refusal(host([], { status: 404 }).network)).toBe(
      `missing-data: huggingface.co answered with status 404 in place of test.onnx. ${BY_HAND}`,
    );
    const failing = { online: true, fetch: () => Promise.reject(new TypeError('Failed to fetch')) };
    expect(await refusal(failing)).toMatch(/^missing-data: test.onnx could not be fetched from huggingface.co: it can’t be reached, or/);
  });

  it('asks nobody where there is no network', async () => {
    const { network, asked } = host(inParts(FILE));
    expect(await refusal({ ...network, online: false })).toMatch(/^missing-data: test.onnx can't be fetched without a network\./);
    expect(asked).toEqual([]);
  });
});

describe('the policy', () => {
  const connect = (policy: string) => /connect-src ([^;]*)/.exec(policy)![1]!.split(' ');

  it('names the catalog’s hosts for the catalog’s worker, and for nothing else', () => {
    expect(CATALOG_HOSTS).toContain(CATALOG_HOST);
    expect(connect(CATALOG_POLICY)).toEqual(CATALOG_HOSTS.map((one) => `https://${one}`));
    expect(connect(SITE_POLICY)).toEqual(["'self'", 'blob:']);
    const own = '/a/b/assets/catalog-B1x_-9.js';
    expect(own).toMatch(CATALOG_WORKER);
    expect(policyOf(own)).toBe(CATALOG_POLICY);
    for (const path of [
      '/',
      '/index.html',
      '/assets/step-B1x.js',
      '/assets/catalog-B1x.js/',
      '/assets/catalog-x/index.html',
      '/catalog-x.js',
    ])
      expect(policyOf(path), path).toBe(SITE_POLICY);
  });
});
