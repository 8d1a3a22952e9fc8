/** One zip of the bundle's files; large binaries are stored, not compressed, and never copied before the end. */
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { StudioError } from '../../numerics';

/** Devices of Windows, which no file there may be called. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

const STORED = /\.(npy|onnx)$/;

function checkPath(path: string): void {
  const parts = path.split('/');
  const plain = /^[A-Za-z0-9_./-]+$/.test(path);
  if (!plain || parts.some((part) => part === '' || /^\.+$|\.$/.test(part) || RESERVED.test(part)))
    throw new StudioError('bad-option', `${JSON.stringify(path)} is not a path for a bundle.`, 'Use relative paths of plain names.');
}

/**
 * The zip as consecutive pieces, for `new Blob(pieces)`: stored files appear as the given arrays themselves.
 * @throws StudioError 'bad-option' for absolute paths, "..", or characters other than letters, digits and "_./-"
 */
export function zipPieces(files: ReadonlyMap<string, Uint8Array>): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw new StudioError('runtime', `The zip could not be written: ${error.message}.`, 'Export the bundle again.');
    pieces.push(chunk);
  });
  for (const [path, bytes] of files) {
    checkPath(path);
    const entry = STORED.test(path) ? new ZipPassThrough(path) : new ZipDeflate(path, { level: 6 });
    // A fixed date: the same bundle gives the same zip.
    entry.mtime = new Date(2020, 0, 1);
    zip.add(entry);
    entry.push(bytes, true);
  }
  zip.end();
  return pieces;
}

/** The zip in one array; for large bundles prefer {@link zipPieces}. */
export function zipBundle(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const pieces = zipPieces(files);
  const zip = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    zip.set(piece, at);
    at += piece.length;
  }
  return zip;
}
