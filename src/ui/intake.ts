/** What somebody dropped or picked, sorted by what it is. */

import type { SourceFile } from '../../workers/wire';
import { StudioError } from '../numerics';
import { coreWords, t } from './text';

export interface Intake {
  /** A workspace that was exported. */
  readonly workspace: Blob | null;
  readonly model: { readonly name: string; readonly bytes: Uint8Array; readonly external: ReadonlyMap<string, Uint8Array> } | null;
  readonly recipe: { readonly name: string; readonly json: unknown } | null;
  /** Images and annotation files, with the folder's name. */
  readonly images: { readonly name: string; readonly files: readonly SourceFile[] } | null;
}

const NOTHING: Intake = { workspace: null, model: null, recipe: null, images: null };
const IMAGE = /\.(jpe?g|png|gif|bmp|webp|tiff?|heic|avif)$/i;

async function bytesOf(file: Blob): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

async function readJson({ path, file }: SourceFile): Promise<unknown> {
  try {
    return JSON.parse(await file.text());
  } catch (error) {
    throw new StudioError('bad-file', t('alerts.badJson', { path, why: coreWords((error as Error).message) }), t('alerts.badJsonHint'));
  }
}

const isRecipe = (json: unknown): boolean => typeof json === 'object' && json !== null && 'bonsai' in json;

/**
 * @throws StudioError 'bad-data' for an empty folder, 'bad-file' for a single file of another kind
 */
export async function sortFiles(files: readonly SourceFile[]): Promise<Intake> {
  if (files.length === 0) throw new StudioError('bad-data', t('alerts.emptyFolder'), t('alerts.emptyFolderHint'));
  const workspace = files.find(({ path }) => /\.bonsai$/i.test(path));
  if (workspace) return { ...NOTHING, workspace: workspace.file };
  const model = files.find(({ path }) => /\.onnx$/i.test(path));
  if (model) {
    const beside = files.filter((file) => file !== model && !IMAGE.test(file.path) && !/\.json$/i.test(file.path));
    const external = new Map<string, Uint8Array>();
    for (const { path, file } of beside) external.set(path.split('/').at(-1)!, await bytesOf(file));
    return { ...NOTHING, model: { name: model.path.split('/').at(-1)!, bytes: await bytesOf(model.file), external } };
  }
  const images = files.filter(({ path }) => IMAGE.test(path));
  const json = files.filter(({ path }) => /\.json$/i.test(path));
  for (const file of json) {
    const content = await readJson(file);
    if (isRecipe(content)) return { ...NOTHING, recipe: { name: file.path, json: content } };
  }
  if (images.length || json.length) {
    const root = (images[0] ?? json[0])!.path.split('/');
    return {
      ...NOTHING,
      images: { name: root.length > 1 ? root[0]! : t('alerts.droppedImages'), files: [...images, ...json] },
    };
  }
  // No known ending: the reader recognises by content what it is, and says so.
  const only = files[0]!;
  if (files.length === 1) return { ...NOTHING, model: { name: only.path, bytes: await bytesOf(only.file), external: new Map() } };
  throw new StudioError('bad-file', t('alerts.unknownFile', { name: only.path }), t('alerts.unknownFileHint'));
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function childrenOf(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

async function walk(entry: FileSystemEntry, folder: string): Promise<SourceFile[]> {
  const path = folder + entry.name;
  if (entry.isFile) return [{ path, file: await fileOf(entry as FileSystemFileEntry) }];
  const nested = await childrenOf(entry as FileSystemDirectoryEntry);
  return (await Promise.all(nested.map((child) => walk(child, `${path}/`)))).flat();
}

/** Files, and what leads to them on a later visit. */
export interface Given {
  readonly files: readonly SourceFile[];
  /** null where the browser gives none: the files are copied then. */
  readonly handles: readonly FileSystemHandle[] | null;
}

/** Chromium's part of an item, which the DOM's types lack. */
type HandleItem = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

/** Every file of a drop, folders included. Must be called before the event handler returns. */
export async function filesOfDrop(transfer: DataTransfer): Promise<Given> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file') as HandleItem[];
  const asked = items.map((item) => item.getAsFileSystemHandle?.().catch(() => null) ?? null);
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null).filter((entry) => entry !== null);
  const plain = [...transfer.files].map((file) => ({ path: file.name, file }));
  const files = entries.length ? (await Promise.all(entries.map((entry) => walk(entry, '')))).flat() : plain;
  const handles = (await Promise.all(asked)).filter((handle) => handle !== null);
  return { files, handles: handles.length > 0 && handles.length === items.length ? handles : null };
}

/** What was picked, once: the same files can be picked again. null where nothing was. */
export function givenByInput(input: HTMLInputElement): Given | null {
  const files = [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  input.value = '';
  return files.length > 0 ? { files, handles: null } : null;
}
