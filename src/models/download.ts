/** Fetches a file of the model catalog, and gives it only if it is the one that the catalog lists. */
import { StudioError } from '../numerics';
import { hashModel } from '../onnx';
import type { CatalogEntry } from './catalog';

/** What reaches another host. */
export interface Network {
  fetch(url: string, options: RequestInit): Promise<Response>;
  /** False where the browser knows that there is no network. */
  readonly online: boolean;
}

const BY_HAND = 'Save the release file by hand, and drop it in.';
const AGAIN = 'Try again, or save the release file by hand and drop it in.';

/** Nothing that could tell who asks, or where: no cookies, no address of the page. */
const OPTIONS: RequestInit = { mode: 'cors', credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store' };

const hostOf = ({ url }: CatalogEntry): string => new URL(url).host;
const whole = (n: number): string => n.toLocaleString('en');

const another = (entry: CatalogEntry, why: string) =>
  new StudioError(
    'bad-file',
    `What ${hostOf(entry)} sent is not the file that the catalog lists as ${entry.file} (${why}): nothing was kept.`,
    BY_HAND,
  );

async function ask(entry: CatalogEntry, { fetch, online }: Network): Promise<ReadableStream<Uint8Array>> {
  const { file, url } = entry;
  const host = hostOf(entry);
  if (!online)
    throw new StudioError('missing-data', `${file} can't be fetched without a network.`, 'Connect to one, or drop the file in from disk.');
  let response: Response;
  try {
    response = await fetch(url, OPTIONS);
  } catch {
    // A page isn't told which of these it was.
    const why = 'it can’t be reached, or the browser, the host or a network in between refuses';
    throw new StudioError('missing-data', `${file} could not be fetched from ${host}: ${why}.`, BY_HAND);
  }
  if (!response.ok || !response.body)
    throw new StudioError('missing-data', `${host} answered with status ${response.status} in place of ${file}.`, BY_HAND);
  return response.body;
}

/** Reads what the catalog announces, and not a byte more. */
async function read(body: ReadableStream<Uint8Array>, entry: CatalogEntry, progress: (bytes: number) => void) {
  const bytes = new Uint8Array(entry.bytes);
  const reader = body.getReader();
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      const far = `${whole(received)} of ${whole(entry.bytes)} bytes`;
      throw new StudioError('missing-data', `The download of ${entry.file} broke off after ${far}.`, AGAIN);
    });
    if (done) break;
    if (received + value.length > entry.bytes) {
      void reader.cancel().catch(() => {});
      throw another(entry, `more than ${whole(entry.bytes)} bytes`);
    }
    bytes.set(value, received);
    received += value.length;
    progress(received);
  }
  if (received < entry.bytes) throw another(entry, `${whole(received)} bytes in place of ${whole(entry.bytes)}`);
  return bytes;
}

/**
 * @param progress bytes so far
 * @throws StudioError 'missing-data' where the file can't be had, 'bad-file' where what comes is another
 */
export async function downloadModel(
  entry: CatalogEntry,
  network: Network,
  progress: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(await ask(entry, network), entry, progress);
  if ((await hashModel(bytes)) !== entry.sha256) throw another(entry, 'another SHA-256');
  return bytes;
}
