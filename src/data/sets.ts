import { StudioError } from '../numerics';
import { decodeImage } from './decode';
import type { ImageEntry, ImageSet } from './types';

/** Bytes of a file of the set, by its name. */
export type ReadFile = (fileName: string) => Promise<Uint8Array>;

const IMAGE_NAME = /\.(jpe?g|png|gif|bmp|webp|tiff?|heic|avif)$/i;

export function isImageName(name: string): boolean {
  return IMAGE_NAME.test(name);
}

const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Every image of a folder, sorted by name, without annotations.
 * @throws StudioError 'bad-data' when there is none
 */
export function folderSet(name: string, fileNames: readonly string[], read: ReadFile): ImageSet {
  const images = fileNames.filter(isImageName).sort(byName);
  if (images.length === 0) throw new StudioError('bad-data', `There are no images in ${name}.`, 'Choose a folder with JPEG or PNG files.');
  const entries = images.map((fileName, id): ImageEntry => ({ id, fileName, width: null, height: null, truths: [] }));
  return lazySet(name, entries, null, [], read);
}

/** A set whose images are read and decoded when asked for, one at a time. */
export function lazySet(
  name: string,
  entries: readonly ImageEntry[],
  categories: ImageSet['categories'],
  notes: string[],
  read: ReadFile,
): ImageSet {
  return {
    name,
    entries,
    categories,
    notes,
    async load(index) {
      const entry = entries[index];
      if (!entry) throw new RangeError(`${name} has ${entries.length} images; there is no index ${index}.`);
      const { fileName, width, height } = entry;
      const expected = width !== null && height !== null ? { width, height } : null;
      return decodeImage(await read(fileName), fileName, { expected });
    },
  };
}

/** The images at `indices`, in that order. Notes are shared with the whole set. */
export function subset(set: ImageSet, indices: readonly number[], name = set.name): ImageSet {
  return { ...set, name, entries: indices.map((i) => set.entries[i]!), load: (i) => set.load(indices[i]!) };
}
