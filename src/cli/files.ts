import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { StudioError } from '../numerics';

/** External-data files beside a model, read when the model asks for them. */
class Siblings extends Map<string, Uint8Array> {
  constructor(private readonly folder: string) {
    super();
  }
  #path(name: string): string | null {
    const path = resolve(this.folder, name);
    return path.startsWith(resolve(this.folder) + sep) && existsSync(path) && statSync(path).isFile() ? path : null;
  }
  override has(name: string): boolean {
    return this.#path(name) !== null;
  }
  override get(name: string): Uint8Array | undefined {
    const path = this.#path(name);
    return path ? new Uint8Array(readFileSync(path)) : undefined;
  }
}

export interface ModelFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly external: ReadonlyMap<string, Uint8Array>;
}

function readable(path: string, what: string): void {
  if (!existsSync(path)) throw new StudioError('bad-option', `There is no file ${path}.`, `Give the path of ${what}.`);
  if (!statSync(path).isFile()) throw new StudioError('bad-option', `${path} is not a file.`, `Give the path of ${what}.`);
}

/** @throws StudioError 'bad-option' when `path` is missing or not a file */
export function readModelFile(path: string | undefined, usage: string): ModelFile {
  if (!path) throw new StudioError('bad-option', 'No model was given.', usage);
  readable(path, 'an ONNX model');
  return { name: basename(path), bytes: new Uint8Array(readFileSync(path)), external: new Siblings(dirname(path)) };
}

/** @throws StudioError 'bad-file' when it isn't JSON */
export function readJsonFile(path: string, what: string): unknown {
  readable(path, what);
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new StudioError('bad-file', `${path} is not valid JSON (${(error as Error).message}).`, `Give the path of ${what}.`);
  }
}

/**
 * Checked before the work that ends with writing there.
 * @throws StudioError 'bad-option' when `folder` or a part of it is a file
 */
export function checkOutputFolder(folder: string): void {
  for (let path = resolve(folder); path !== dirname(path); path = dirname(path)) {
    if (!existsSync(path)) continue;
    if (!statSync(path).isDirectory()) throw new StudioError('bad-option', `${path} is not a folder.`, 'Give another folder to --out.');
    return;
  }
}

/** Writes `files` (paths relative to `folder`) and returns the paths in order. */
export function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): string[] {
  return [...files].map(([path, bytes]) => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
    return path;
  });
}
