import * as Comlink from 'comlink';
import { type ImageSet, sceneSet } from '../src/data';
import { filesToImageSet } from '../src/data/web';
import { type Preprocess, type Preprocessed, preprocess } from '../src/models';
import type { RgbImage } from '../src/numerics';
import type { DecodeTable } from './decode';
import type { ImageSource } from './wire';

/** The images that a source names. Throws StudioError 'bad-data' as the data room does. */
export async function openImages(source: ImageSource): Promise<ImageSet> {
  return source.kind === 'scenes' ? sceneSet(source.first, source.count) : filesToImageSet(source.files, source.name);
}

function fingerprint(source: ImageSource): string {
  if (source.kind === 'scenes') return `${source.first}+${source.count}`;
  return source.files.map(({ file }) => `${file.size}@${file instanceof File ? file.lastModified : 0}`).join(',');
}

let decoder: Comlink.Remote<DecodeTable> | null = null;
const prepares = new WeakMap<ImageSet, (index: number, p: Preprocess) => Promise<Preprocessed>>();

/** {@link openImages}, decoded by a worker of its own, so that a job's network doesn't wait for the next image. */
export async function openImagesAside(source: ImageSource): Promise<ImageSet> {
  const set = { ...(await openImages(source)), fingerprint: fingerprint(source) };
  if (typeof Worker === 'undefined') return set; // a browser without workers inside workers
  decoder ??= Comlink.wrap<DecodeTable>(new Worker(new URL('./decode.ts', import.meta.url), { type: 'module', name: 'decode' }));
  const remote = decoder;
  if (source.kind === 'scenes') {
    const aside: ImageSet = { ...set, load: async (i) => remote.scene(source.first + i) };
    prepares.set(aside, async (i, p) => remote.preparedScene(source.first + i, p));
    return aside;
  }
  const files = new Map(source.files.map(({ path, file }) => [path, file]));
  const item = (i: number) => {
    const { fileName, width, height } = set.entries[i]!;
    return [files.get(fileName)!, fileName, width !== null && height !== null ? { width, height } : null] as const;
  };
  const aside: ImageSet = { ...set, load: async (i) => remote.file(...item(i)) };
  prepares.set(aside, async (i, p) => remote.preparedFile(...item(i), p));
  return aside;
}

/** Preprocesses where the image is decoded; sets of other kinds here. */
export async function prepareAside(images: ImageSet, index: number, p: Preprocess): Promise<Preprocessed> {
  return prepares.get(images)?.(index, p) ?? preprocess(await images.load(index), p);
}

const TRIES = 8;

/** One image to look at a network with: the first of the set that can be read, else a scene. */
export async function probeImage(images: ImageSet): Promise<RgbImage> {
  for (let i = 0; i < Math.min(TRIES, images.entries.length); i++) {
    try {
      return await images.load(i);
    } catch {
      // Damaged images are named where they are shown or measured.
    }
  }
  return sceneSet(0, 1).load(0);
}

/** For drawing on the page. */
export function toBitmap({ width, height, data }: RgbImage): Promise<ImageBitmap> {
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0, o = 0; o < rgba.length; i += 3, o += 4) {
    rgba[o] = data[i]!;
    rgba[o + 1] = data[i + 1]!;
    rgba[o + 2] = data[i + 2]!;
    rgba[o + 3] = 255;
  }
  return createImageBitmap(new ImageData(rgba, width, height));
}

let canvas: OffscreenCanvas | undefined;

/** The pixels of a camera's or video's frame. */
export function fromBitmap(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap;
  canvas ??= new OffscreenCanvas(width, height);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0, o = 0; o < rgba.length; i += 3, o += 4) {
    data[i] = rgba[o]!;
    data[i + 1] = rgba[o + 1]!;
    data[i + 2] = rgba[o + 2]!;
  }
  return { width, height, data };
}
