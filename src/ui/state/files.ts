/** What was picked or dropped, sorted by what it is for. */
import { StudioError } from '../../numerics';
import { t } from '../text';

export interface Picked {
  readonly path: string;
  readonly file: File;
}

export interface Sorted {
  readonly models: readonly Picked[];
  /** Files that may be a model's external data. */
  readonly weights: readonly Picked[];
  readonly images: readonly Picked[];
  readonly annotations: readonly Picked[];
  readonly recipe: { readonly name: string; readonly json: unknown } | null;
  readonly unknown: readonly Picked[];
}

const IMAGE = /\.(jpe?g|png|gif|bmp|webp|tiff?|heic|avif)$/i;
const MODEL = /\.(onnx|ort|pt|pth|tflite|pb)$/i;
const WEIGHTS = /\.(data|bin|weights|onnx_data|onnx\.data)$/i;
/** Beyond this a .json is taken for annotations without being read here. */
const RECIPE_LIMIT = 1 << 20;

async function readJson({ path, file }: Picked): Promise<unknown> {
  try {
    return JSON.parse(await file.text());
  } catch (error) {
    throw new StudioError('bad-data', ...t.files.json(path, (error as Error).message));
  }
}

/** @throws StudioError 'bad-data' for a .json that is no JSON, or neither a recipe nor annotations */
export async function sortFiles(files: readonly Picked[]): Promise<Sorted> {
  const images: Picked[] = [];
  const models: Picked[] = [];
  const weights: Picked[] = [];
  const annotations: Picked[] = [];
  const unknown: Picked[] = [];
  let recipe: Sorted['recipe'] = null;
  for (const picked of files) {
    if (WEIGHTS.test(picked.path)) weights.push(picked);
    else if (MODEL.test(picked.path)) models.push(picked);
    else if (IMAGE.test(picked.path)) images.push(picked);
    else if (/\.json$/i.test(picked.path)) {
      if (picked.file.size > RECIPE_LIMIT) annotations.push(picked);
      else {
        const json = (await readJson(picked)) as Record<string, unknown> | null;
        if (json && typeof json === 'object' && 'bonsai' in json) recipe = { name: picked.path, json };
        else if (json && typeof json === 'object' && 'images' in json) annotations.push(picked);
        else throw new StudioError('bad-data', ...t.files.notRecipe(picked.path));
      }
    } else unknown.push(picked);
  }
  return { models, weights, images, annotations, recipe, unknown };
}

export const fromInput = (list: FileList | null): Picked[] =>
  [...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

async function entryFiles(entry: FileSystemEntry, path: string): Promise<Picked[]> {
  const name = path ? `${path}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: name, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Picked[] = [];
  for (;;) {
    // Browsers hand out at most 100 entries a call.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await entryFiles(child, name)));
  }
}

export interface Dropped {
  readonly files: readonly Picked[];
  /** Name of a dropped folder, '' for loose files. */
  readonly folder: string;
}

/** Files of a drop, folders opened. */
export async function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  // The items are only there until the first await.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null).filter((entry) => entry !== null);
  if (entries.length === 0) return { files: fromInput(transfer.files), folder: '' };
  const files: Picked[] = [];
  for (const entry of entries) files.push(...(await entryFiles(entry, '')));
  return { files, folder: entries.find((entry) => entry.isDirectory)?.name ?? '' };
}
