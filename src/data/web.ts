/** The page's entry: dropped files, decoders from the site's assets. */
import jpegUrl from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm?url';
import pngUrl from '@jsquash/png/codec/pkg/squoosh_png_bg.wasm?url';
import { StudioError } from '../numerics';
import { checkAnnotationSize, cocoSet } from './coco';
import { initDecoders } from './decode';
import { folderSet } from './sets';
import type { ImageSet } from './types';

async function compile(url: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  const type = response.headers.get('content-type') ?? '';
  if (!response.ok || type.includes('text/html'))
    throw new StudioError('runtime', `The image decoder ${url} could not be loaded.`, 'Serve the whole site, .wasm files included.');
  return WebAssembly.compile(await response.arrayBuffer());
}

initDecoders(async () => ({ jpeg: await compile(jpegUrl), png: await compile(pngUrl) }));

/** A file as picked or dropped; `path` with the folders it came in, parts joined by "/". */
export interface PickedFile {
  readonly path: string;
  readonly file: Blob;
}

const isAnnotations = (path: string) => /\.json$/i.test(path);

/**
 * Picked images; a .json among them is read as COCO annotations.
 * @throws StudioError 'bad-data' for no images, several annotation files, bad JSON, or annotations of other images
 */
export async function filesToImageSet(files: readonly PickedFile[], name: string): Promise<ImageSet> {
  const byPath = new Map(files.map(({ path, file }) => [path, file]));
  const read = async (path: string) => new Uint8Array(await byPath.get(path)!.arrayBuffer());
  const images = files.map(({ path }) => path).filter((path) => !isAnnotations(path));
  const annotations = files.filter(({ path }) => isAnnotations(path));
  if (annotations.length > 1)
    throw new StudioError(
      'bad-data',
      `${name} has ${annotations.length} annotation files (${annotations.map((a) => a.path).join(', ')}).`,
      'Drop one of them with its images.',
    );
  const only = annotations[0];
  if (!only) return folderSet(name, images, read);
  checkAnnotationSize(only.path, only.file.size);
  let json: unknown;
  try {
    json = JSON.parse(await only.file.text());
  } catch (error) {
    throw new StudioError('bad-data', `${only.path} is not valid JSON (${(error as Error).message}).`, 'Export the annotations again.');
  }
  return cocoSet(name, json, images, read);
}
