/**
 * COCO's instances.json: lenient about what it leaves out (counted in the notes), strict about what it means. The format:
 * https://cocodataset.org/#format-data. Categories keep the order of the file.
 */
import { readableText, StudioError } from '../numerics';
import { isImageName, lazySet, noImages, type ReadFile } from './sets';
import type { Category, GroundTruth, ImageEntry, ImageSet } from './types';

function bad(message: string, hint: string): StudioError {
  return new StudioError('bad-data', message, hint);
}

const record = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const number = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const size = (value: unknown): number | null => (number(value) && value > 0 ? value : null);

/** Characters that an engine's string can hold. COCO's training set has 450 MB. */
const MAX_BYTES = 500e6;

/** @throws StudioError 'bad-data' for a file that can't be read at once */
export function checkAnnotationSize(path: string, bytes: number): void {
  if (bytes > MAX_BYTES)
    throw bad(`${path} has ${Math.round(bytes / 1e6)} MB, at most ${MAX_BYTES / 1e6} can be read.`, 'Split it, or leave the masks out.');
}

function list(json: Record<string, unknown>, key: string, required: boolean): readonly unknown[] {
  const value = json[key];
  if (Array.isArray(value)) return value;
  if (value === undefined && !required) return [];
  throw bad(`The annotation file has no list "${key}".`, 'Use a COCO instances.json: "images", "annotations", "categories".');
}

function readCategories(json: Record<string, unknown>): readonly Category[] {
  const ids = new Set<number>();
  return list(json, 'categories', true).map((value, i) => {
    if (!record(value) || !number(value.id))
      throw bad(`Category ${i} of the annotation file has no numeric id.`, 'Give it an "id" and a "name".');
    if (ids.has(value.id)) throw bad(`Two categories of the annotation file have the id ${value.id}.`, 'Give each its own.');
    ids.add(value.id);
    return { id: value.id, name: typeof value.name === 'string' ? value.name : String(value.id) };
  });
}

/** The box of an annotation, or null where it isn't four finite numbers with a positive size. */
function readTruth(value: Record<string, unknown>): GroundTruth | null {
  const { bbox, category_id: categoryId, iscrowd } = value;
  if (!Array.isArray(bbox) || bbox.length !== 4 || !bbox.every((v) => number(v))) return null;
  const [x, y, w, h] = bbox as [number, number, number, number];
  if (w <= 0 || h <= 0 || !Number.isFinite(w * h) || typeof categoryId !== 'number') return null;
  return { bbox: [x, y, w, h], categoryId, area: size(value.area) ?? w * h, crowd: iscrowd === 1 || iscrowd === true };
}

/** Notes about boxes in other units, which would score as if the detector were wrong. */
function suspicions(entries: readonly ImageEntry[]): string[] {
  const boxes = entries.flatMap((entry) => entry.truths.map(({ bbox }) => ({ bbox, width: entry.width, height: entry.height })));
  const beyond = boxes.filter(
    ({ bbox: [x, y, w, h], width, height }) =>
      x < -2 || y < -2 || (width !== null && x + w > width + 2) || (height !== null && y + h > height + 2),
  ).length;
  const tiny = boxes.filter(({ bbox }) => bbox.every((v) => v >= 0 && v <= 1)).length;
  const notes: string[] = [];
  if (beyond) notes.push(`${plural(beyond, 'box')} outside the image in part or whole: boxes are x, y, width, height in pixels.`);
  if (tiny && tiny === boxes.length) notes.push('All boxes lie between 0 and 1: they seem to be relative, COCO wants pixels.');
  return notes;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun.endsWith('x') ? 'es' : 's'}`;
}

/** The file that an entry of the JSON means: by whole path, else by its last part. */
function fileFinder(fileNames: readonly string[]): (name: string) => string | undefined {
  const whole = new Set(fileNames);
  const last = new Map(fileNames.map((name) => [name.split('/').at(-1)!, name]));
  return (name) => (whole.has(name) ? name : last.get(name.split(/[\\/]/).at(-1)!));
}

/**
 * Images with COCO annotations. Images that the JSON lists but the folder lacks, boxes without a size and annotations
 * of unknown images are left out and noted.
 * @param fileNames the image files at hand
 * @throws StudioError 'bad-data' when there are no files, or the JSON isn't COCO or lists none of them
 */
export function cocoSet(name: string, json: unknown, fileNames: readonly string[], read: ReadFile): ImageSet {
  if (!record(json)) throw bad('The annotation file is not a JSON object.', 'Use a COCO instances.json.');
  const images = list(json, 'images', true);
  const annotations = list(json, 'annotations', false);
  const categories = readCategories(json);
  const known = new Set(categories.map((category) => category.id));

  const truths = new Map<unknown, GroundTruth[]>();
  let badBoxes = 0;
  let badCategories = 0;
  for (const value of annotations) {
    const truth = record(value) ? readTruth(value) : null;
    if (!record(value) || !truth) badBoxes++;
    else if (!known.has(truth.categoryId)) badCategories++;
    else {
      const of = truths.get(value.image_id);
      if (of) of.push(truth);
      else truths.set(value.image_id, [truth]);
    }
  }

  if (!fileNames.some(isImageName)) throw noImages(name);
  const find = fileFinder(fileNames);
  const entries: ImageEntry[] = [];
  const missing: string[] = [];
  const ids = new Set<unknown>();
  for (const value of images) {
    if (!record(value) || !number(value.id) || typeof value.file_name !== 'string' || ids.has(value.id)) continue;
    ids.add(value.id);
    const fileName = find(value.file_name);
    if (fileName === undefined) missing.push(value.file_name);
    else entries.push({ id: value.id, fileName, width: size(value.width), height: size(value.height), truths: truths.get(value.id) ?? [] });
  }
  if (entries.length === 0) {
    const example = missing[0] ? ` (it lists ${missing[0]})` : '';
    throw bad(
      `The annotations are of other images: none of its ${plural(images.length, 'image')} is in ${name}${example}.`,
      'Choose the folder that belongs to this annotation file.',
    );
  }
  const strays = [...truths.keys()].filter((id) => !ids.has(id)).length;
  const notes = [
    missing.length &&
      `${plural(missing.length, 'image')} with annotations not found and left out: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}.`,
    badBoxes && `${plural(badBoxes, 'annotation')} without a valid box left out.`,
    badCategories && `${plural(badCategories, 'annotation')} of a category that the file doesn't list left out.`,
    strays && `Annotations of ${plural(strays, 'image')} that the file doesn't list left out.`,
    ...suspicions(entries),
  ].filter((note): note is string => typeof note === 'string');
  return lazySet(name, entries, categories, notes.map(readableText), read);
}
