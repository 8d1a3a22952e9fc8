/** ONNX Runtime's own .wasm file: fetched once for all workers, and what to say when it can't be had. */
import { StudioError } from '../numerics';
import { SITE_CACHE } from '../site';

/**
 * Throws a StudioError 'runtime' that names the URL when the server is unreachable, answers with an error, or sends
 * something else than WebAssembly (an HTML page from a single-page fallback).
 */
export async function fetchWasm(url: string, fetcher: typeof fetch = fetch): Promise<Blob> {
  const hint = 'Serve the built site with all its files, under any path, and reload.';
  const complain = (what: string) => new StudioError('runtime', `The runtime file ${url} ${what}.`, hint);
  let response: Response;
  let file: Blob;
  try {
    response = await fetcher(url);
    file = await response.blob();
  } catch {
    throw complain('could not be reached');
  }
  if (!response.ok) throw complain(`is missing: the server answered ${response.status}`);
  const magic = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (String.fromCharCode(...magic) !== '\0asm')
    throw complain(`is not WebAssembly: the server sent ${response.headers.get('content-type') ?? 'no content type'}`);
  // Only a file of this type is compiled while it is read, and not every server knows it.
  return new Blob([file], { type: 'application/wasm' });
}

/** Files whose names change with their content can be kept. */
const isHashed = (url: string) => /^https?:.*\/assets\//.test(url);

/**
 * {@link fetchWasm}, out of the service worker's cache where it is there, and left there for the other workers and the
 * service worker: whoever comes while it is on its way waits for it. Private windows refuse the cache.
 */
export async function openWasm(url: string): Promise<Blob> {
  const cache = isHashed(url) && 'caches' in globalThis ? await caches.open(SITE_CACHE).catch(() => null) : null;
  if (!cache) return fetchWasm(url);
  return new Promise((resolve, reject) => {
    const take = async () => {
      const hit = await cache.match(url, { ignoreVary: true });
      const file = hit ? await hit.blob() : await fetchWasm(url);
      resolve(file);
      if (!hit) await cache.put(url, new Response(file)).catch(() => {});
    };
    navigator.locks.request(url, take).catch(reject);
  });
}

/** Threads that the page can have, and why they are fewer than asked. */
export function pageThreads(asked: number | undefined, isolated: boolean, cores: number): { threads: number; note: string } {
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1))
    throw new StudioError('bad-option', `${asked} is not a number of threads.`, 'Give a whole number from 1.');
  if (!isolated) return { threads: 1, note: '1 thread: page is not cross-origin isolated' };
  const wanted = asked ?? Math.min(4, cores);
  const threads = Math.min(wanted, cores);
  return { threads, note: threads < wanted ? `${threads} of ${wanted} threads: this machine has ${cores} cores` : '' };
}
