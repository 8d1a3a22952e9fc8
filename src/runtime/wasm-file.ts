/** What to say when ONNX Runtime's own .wasm file can't be had. */
import { StudioError } from '../numerics';

/**
 * Fetches the runtime file again to find out why loading it failed: a StudioError 'runtime' that names its URL when
 * the server is unreachable, answers with an error, or sends something else than WebAssembly (an HTML page from a
 * single-page fallback); null when the file is fine, so the cause lies elsewhere.
 */
export async function diagnoseWasm(url: string, fetcher: typeof fetch = fetch): Promise<StudioError | null> {
  const hint = 'Serve the built site with all its files, under any path, and reload.';
  const complain = (what: string) => new StudioError('runtime', `The runtime file ${url} ${what}.`, hint);
  let response: Response;
  try {
    response = await fetcher(url);
  } catch {
    return complain('could not be reached');
  }
  if (!response.ok) return complain(`is missing: the server answered ${response.status}`);
  const magic = new Uint8Array(await response.arrayBuffer()).subarray(0, 4);
  if (String.fromCharCode(...magic) === '\0asm') return null;
  const type = response.headers.get('content-type') ?? 'no content type';
  return complain(`is not WebAssembly: the server sent ${type}`);
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
