/** Where the page's own files are: beside it on a server, or packed into it in the single file (see src/site). */
import { openParts } from '../site';
import { settled } from './register-sw';

async function unpack(island: HTMLElement): Promise<Blob> {
  const packed = await fetch(`data:application/gzip;base64,${island.textContent}`);
  const plain = new Response(packed.body!.pipeThrough(new DecompressionStream('gzip')));
  const file = new Blob([await plain.arrayBuffer()], { type: island.dataset.type });
  island.remove();
  return file;
}

/** Waits for the rest of the page, and makes its islands of text files again. */
async function unpackParts(): Promise<void> {
  if (document.readyState === 'loading')
    await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve, { once: true }));
  const islands = [...document.querySelectorAll<HTMLElement>('script[data-part]')];
  const files = await Promise.all(islands.map(async (island) => [island.dataset.part!, await unpack(island)] as const));
  globalThis.bonsaiParts = openParts(new Map(files));
}

/** Its workers have its page's policy; elsewhere each has its own. */
export const isSingleFile = import.meta.env.MODE === 'single';

const unpacked = isSingleFile ? unpackParts() : null;

/** Resolves when workers may start: every file is there, and the page won't be loaded again at once. */
export async function whenReady(): Promise<void> {
  await (unpacked ?? settled());
}

/** The address of a file of the site, given by its path in it. */
export async function siteUrl(path: string): Promise<string> {
  await whenReady();
  return globalThis.bonsaiParts?.url(path) ?? path;
}
