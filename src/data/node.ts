/** The Node entry: folders on disk, decoders from node_modules. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { type RgbImage, StudioError } from '../numerics';
import { checkAnnotationSize, cocoSet } from './coco';
import { decodeImage, initDecoders } from './decode';
import { folderSet } from './sets';
import type { ImageSet } from './types';

const require = createRequire(import.meta.url);

initDecoders(async () => {
  const compile = (file: string) => WebAssembly.compile(readFileSync(file));
  const codecs = (name: string) => join(dirname(require.resolve(`${name}/package.json`)), 'codec');
  return {
    jpeg: await compile(join(codecs('@jsquash/jpeg'), 'dec/mozjpeg_dec.wasm')),
    png: await compile(join(codecs('@jsquash/png'), 'pkg/squoosh_png_bg.wasm')),
  };
});

/**
 * Images of a folder: `instances.json` with `images/` (COCO), `images/` alone, or the images themselves.
 * @throws StudioError 'bad-option' when there is no such folder, 'bad-data' for what is in it
 */
export async function openImageDir(folder: string): Promise<ImageSet> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new StudioError(
      'bad-option',
      `There is no folder ${folder}.`,
      'Give a folder of images, or one with instances.json and images/.',
    );
  const name = basename(resolve(folder));
  const nested = join(folder, 'images');
  const home = existsSync(nested) && statSync(nested).isDirectory() ? nested : folder;
  const files = readdirSync(home);
  const read = async (file: string) => new Uint8Array(await readFile(join(home, file)));
  const annotations = join(folder, 'instances.json');
  if (!existsSync(annotations)) return folderSet(name, files, read);
  checkAnnotationSize(annotations, statSync(annotations).size);
  return cocoSet(name, parseAnnotations(await readFile(annotations, 'utf8'), annotations), files, read);
}

function parseAnnotations(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StudioError('bad-data', `${path} is not valid JSON (${(error as Error).message}).`, 'Export the annotations again.');
  }
}

/** One image file. */
export async function readImage(path: string): Promise<RgbImage> {
  return decodeImage(new Uint8Array(await readFile(path)), basename(path));
}
