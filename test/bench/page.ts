/** The benchmark's page: `window.bench` measures one engine. A page load has one engine, whose threads are fixed by its first. */
import type { ImageSet } from '../../src/data';
import { createWasmEngine, createWebGpuEngine } from '../../src/runtime/web';
import { openImagesAside, prepareAside } from '../../workers/images';
import { type BenchInput, type BenchRow, measure } from './measure';

export interface PageRequest extends Pick<BenchInput, 'name' | 'warmUp' | 'rounds' | 'training'> {
  readonly backend: 'wasm' | 'webgpu';
  readonly threads: number;
  readonly modelUrl: string;
  readonly images: readonly { readonly name: string; readonly url: string }[];
}

export interface PageResult {
  readonly rows: readonly BenchRow[];
  readonly version: string;
}

async function bytesOf(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The files wait in memory, so that neither network nor disk is measured; the product's own worker decodes them. */
async function imageSet(images: PageRequest['images']): Promise<ImageSet> {
  const files = await Promise.all(
    images.map(async ({ name, url }) => ({ path: name, file: new Blob([(await bytesOf(url)) as BlobPart]) })),
  );
  return openImagesAside({ kind: 'files', name: 'bench', files });
}

async function bench({ backend, threads, modelUrl, images, ...rest }: PageRequest): Promise<PageResult> {
  if (!crossOriginIsolated) throw new Error('The page is not cross-origin isolated: WASM would have one thread.');
  const engine = await createWasmEngine({ threads });
  const gpu = backend === 'webgpu' ? await createWebGpuEngine() : null;
  const input = { ...rest, model: await bytesOf(modelUrl), images: await imageSet(images), prepare: prepareAside };
  return { rows: await measure(engine, gpu, input), version: (gpu ?? engine).version };
}

declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
