/** Sets of images that are read and decoded one at a time, and parts of them. */
import { createRandom, StudioError } from '../numerics';
import { decodeImage } from './decode';
import type { ImageEntry, ImageSet } from './types';

/** Bytes of a file of the set, by its name. */
export type ReadFile = (fileName: string) => Promise<Uint8Array>;

const IMAGE_NAME = /\.(jpe?g|png|gif|bmp|webp|tiff?|heic|avif)$/i;

/** By its ending; hidden files ("._a.jpg", as macOS leaves them on other disks) are none. */
export function isImageName(name: string): boolean {
  return IMAGE_NAME.test(name) && !name.split(/[\\/]/).at(-1)!.startsWith('.');
}

export function noImages(name: string): StudioError {
  return new StudioError('bad-data', `There are no images in ${name}.`, 'Choose a folder with JPEG or PNG files.');
}

const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Every image of a folder, sorted by name, without annotations.
 * @throws StudioError 'bad-data' when there is none
 */
export function folderSet(name: string, fileNames: readonly string[], read: ReadFile): ImageSet {
  const images = fileNames.filter(isImageName).sort(byName);
  if (images.length === 0) throw noImages(name);
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

/** `count` images drawn by seed (all of them when there are fewer), in the set's order. */
export function sample(set: ImageSet, count: number, seed: number): ImageSet {
  return split(set, count, seed)[0];
}

/** Two parts without a common image: `count` images drawn by seed, and the rest, each in the set's order. */
export function split(set: ImageSet, count: number, seed: number): readonly [ImageSet, ImageSet] {
  const order = createRandom(seed).shuffle(set.entries.map((_, i) => i));
  const part = (indices: number[]) =>
    subset(
      set,
      indices.sort((a, b) => a - b),
    );
  return [part(order.slice(0, count)), part(order.slice(count))];
}

/** Several sets as one, in their order; labels are left out, for their classes may differ. */
export function joinSets(sets: readonly ImageSet[]): ImageSet {
  if (sets.length === 1) return sets[0]!;
  const places = sets.flatMap((set) => set.entries.map((entry, index) => ({ set, entry, index })));
  return {
    name: sets.map(({ name }) => name).join(' + '),
    fingerprint: sets.map(({ fingerprint }) => fingerprint ?? '').join('|'),
    entries: places.map(({ entry }, id) => ({ ...entry, id, truths: [] })),
    categories: null,
    notes: sets.flatMap(({ notes }) => notes),
    async load(i) {
      const place = places[i];
      if (!place) throw new RangeError(`There are ${places.length} images; there is no index ${i}.`);
      return place.set.load(place.index);
    },
  };
}
