/** External data: weights that a model keeps in files beside it. */
import { StudioError } from '../numerics';
import type { StringStringEntryProto } from './gen/onnx_pb';

/** Bytes of the tensors that live in further files; absent files are collected and reported together by {@link finish}. */
export interface ExternalData {
  read(tensor: string, entries: readonly StringStringEntryProto[], bytes: number): Uint8Array;
  /** @throws StudioError 'missing-data' naming each absent file and its size */
  finish(): void;
  readonly notes: readonly string[];
}

/** "./a\\b" → "a/b". Throws 'bad-model' for a location that leaves the model's folder. */
export function normalizeLocation(location: string): string {
  const unix = location.replaceAll('\\', '/');
  const parts = unix.split('/').filter((part) => part !== '' && part !== '.');
  if (unix.startsWith('/') || /^[a-zA-Z]:/.test(unix) || parts.includes('..') || parts.length === 0)
    throw new StudioError(
      'bad-model',
      `The model wants its weights from "${location}", which is not a file beside it.`,
      'Save the model again with its external data in its own folder.',
    );
  return parts.join('/');
}

function toOffset(tensor: string, key: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new StudioError('bad-model', `Tensor "${tensor}" has "${text}" as its external ${key}.`, 'Save the model again.');
  return value;
}

const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** The given file for a location: same path, then the same path under a dropped folder, then the same file name. */
function findFile(files: ReadonlyMap<string, Uint8Array>, location: string): Uint8Array | undefined {
  const byPath = new Map([...files].map(([name, bytes]) => [name.replaceAll('\\', '/').replace(/^(\.?\/)+/, ''), bytes]));
  const exact = byPath.get(location);
  if (exact) return exact;
  const under = [...byPath].filter(([name]) => name.endsWith(`/${location}`));
  if (under.length === 1) return under[0]![1];
  const named = [...byPath].filter(([name]) => baseName(name).toLowerCase() === baseName(location).toLowerCase());
  return named.length === 1 ? named[0]![1] : undefined;
}

export function openExternal(files: ReadonlyMap<string, Uint8Array> = new Map()): ExternalData {
  /** Location → bytes that its tensors need. */
  const missing = new Map<string, number>();
  const found = new Map<string, Uint8Array | undefined>();
  const notes: string[] = [];
  return {
    notes,
    read(tensor, entries, bytes) {
      const fields = new Map(entries.map((entry) => [entry.key, entry.value]));
      const location = normalizeLocation(fields.get('location') ?? '');
      const offset = toOffset(tensor, 'offset', fields.get('offset') ?? '0');
      const length = toOffset(tensor, 'length', fields.get('length') ?? String(bytes));
      if (length !== bytes)
        throw new StudioError(
          'bad-model',
          `Tensor "${tensor}" has ${length} bytes of external data, its type and shape need ${bytes}.`,
          'Save the model again.',
        );
      if (!found.has(location)) found.set(location, findFile(files, location));
      const file = found.get(location);
      if (!file) {
        missing.set(location, Math.max(missing.get(location) ?? 0, offset + length));
        return new Uint8Array(0);
      }
      if (offset + length > file.length)
        throw new StudioError(
          'bad-file',
          `"${location}" has ${file.length} bytes, tensor "${tensor}" needs bytes ${offset} to ${offset + length} of it.`,
          'It is cut off or belongs to another model.',
        );
      return file.subarray(offset, offset + length);
    },
    finish() {
      if (missing.size === 0) return;
      const list = [...missing].map(([name, size]) => `"${name}" (${size.toLocaleString('en')} bytes)`).join(', ');
      throw new StudioError(
        'missing-data',
        missing.size > 1
          ? `The model keeps its weights in further files that are not here: ${list}.`
          : `The model keeps its weights in a second file that is not here: ${list}.`,
        'Choose the .onnx and its data together, or drop their folder.',
      );
    },
  };
}
