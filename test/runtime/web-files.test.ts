import { describe, expect, it } from 'vitest';
import { fetchWasm, pageThreads } from '../../src/runtime/wasm-file';

const answer = (response: Response | Error) =>
  (async () => {
    if (response instanceof Error) throw response;
    return response;
  }) as typeof fetch;

describe('the runtime file', () => {
  const url = 'https://example.org/studio/ort.wasm';

  it('is named by its URL with the reason, where it can’t be used', async () => {
    const html = new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } });
    await expect(fetchWasm(url, answer(html))).rejects.toMatchObject({
      code: 'runtime',
      message: `The runtime file ${url} is not WebAssembly: the server sent text/html.`,
    });
    const gone = new Response('', { status: 404 });
    await expect(fetchWasm(url, answer(gone))).rejects.toThrow(`The runtime file ${url} is missing: the server answered 404.`);
    const offline = new TypeError('Failed to fetch');
    await expect(fetchWasm(url, answer(offline))).rejects.toThrow(`The runtime file ${url} could not be reached.`);
  });

  it('is WebAssembly whatever the server calls it', async () => {
    const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const file = await fetchWasm(url, answer(new Response(bytes, { headers: { 'content-type': 'text/plain' } })));
    expect(file.type).toBe('application/wasm');
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
  });
});

describe('threads of a page', () => {
  it('are 1 without isolation, and the page can say why', () => {
    expect(pageThreads(4, false, 8)).toEqual({ threads: 1, note: '1 thread: page is not cross-origin isolated' });
  });
  it('are at most the cores and by default at most 4', () => {
    expect(pageThreads(undefined, true, 16)).toEqual({ threads: 4, note: '' });
    expect(pageThreads(undefined, true, 2)).toEqual({ threads: 2, note: '' });
    expect(pageThreads(8, true, 2)).toEqual({ threads: 2, note: '2 of 8 threads: this machine has 2 cores' });
    expect(() => pageThreads(1.5, true, 2)).toThrow('1.5 is not a number of threads.');
  });
});
