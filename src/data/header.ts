/** What a file is, from its first bytes: JPEG or PNG with size, components and EXIF orientation, or a sentence that says what else. */
import { StudioError } from '../numerics';

export type ImageFormat = 'jpeg' | 'png';

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored, before any rotation. */
  readonly width: number;
  readonly height: number;
  /** Colour components of a JPEG: 1 gray, 3 YCbCr or RGB, 4 CMYK or YCCK. */
  readonly components: number;
  /** EXIF orientation, 1–8; 1 = as stored. */
  readonly orientation: number;
}

const OTHER_FORMATS: readonly (readonly [string, (text: string) => boolean])[] = [
  ['a GIF', (text) => text.startsWith('GIF8')],
  ['a BMP', (text) => text.startsWith('BM')],
  ['a WebP image', (text) => text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP'],
  ['a HEIC or AVIF image', (text) => text.slice(4, 8) === 'ftyp'],
  ['a TIFF', (text) => text.startsWith('II*\0') || text.startsWith('MM\0*')],
  ['an HTML page', (text) => /^\s*<(!doctype|html|head|body)/i.test(text)],
  ['a Git-LFS pointer', (text) => text.startsWith('version https://git-lfs')],
];

function bad(message: string, hint = 'It is left out; replace the file to use it.'): StudioError {
  return new StudioError('bad-data', message, hint);
}

/** Markers FFC0–FFCF that start a frame (all but DHT, JPG, DAC). */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** Orientation of an APP1 Exif segment; 1 where it says nothing. */
function exifOrientation(view: DataView, start: number, end: number): number {
  if (end - start < 20 || view.getUint32(start) !== 0x45786966) return 1;
  const tiff = start + 6;
  const little = view.getUint16(tiff) === 0x4949;
  const directory = tiff + view.getUint32(tiff + 4, little);
  if (directory + 2 > end) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > end) return 1;
    if (view.getUint16(at, little) !== 0x0112) continue;
    const value = view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

function jpegHeader(bytes: Uint8Array, fileName: string): ImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = 1;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) throw bad(`${fileName} is a damaged JPEG (no marker at byte ${at}).`);
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (end > bytes.length) break;
    if (marker === 0xe1) orientation = exifOrientation(view, at + 4, end);
    if (isFrame(marker)) {
      const [height, width, components] = [view.getUint16(at + 5), view.getUint16(at + 7), bytes[at + 9]!];
      return { format: 'jpeg', width, height, components, orientation };
    }
    at = end;
  }
  throw bad(`${fileName} is a JPEG that is cut off before its size.`);
}

function pngHeader(bytes: Uint8Array, fileName: string): ImageHeader {
  if (bytes.length < 33) throw bad(`${fileName} is a PNG that is cut off before its size.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { format: 'png', width: view.getUint32(16), height: view.getUint32(20), components: 3, orientation: 1 };
}

/** Pixels above which an image is refused before anything is allocated for it: 50 megapixels take half a gigabyte while they are decoded. */
export const MAX_PIXELS = 50e6;
/** CMYK is decoded in JavaScript, with several times the memory and time. */
const MAX_CMYK_PIXELS = 16e6;

/** Deflate makes at most so many bytes of one. */
const DEFLATE_RATIO = 1032;

/** Bytes below which a file can't hold the pixels that its header claims: a bit a block of 8 × 8, what deflate can unpack at best. */
function fewestBytes({ format, width, height }: ImageHeader, bytes: Uint8Array): number {
  if (format === 'jpeg') return (width * height) / 512;
  const channels = [1, 0, 3, 1, 2, 0, 4][bytes[25]!] ?? 1;
  return (height * (1 + (width * channels * bytes[24]!) / 8)) / DEFLATE_RATIO;
}

/**
 * Format, size and orientation from the first bytes.
 * @throws StudioError 'bad-data' that names the file and what it really is
 */
export function readHeader(bytes: Uint8Array, fileName: string): ImageHeader {
  if (bytes.length === 0) throw bad(`${fileName} is empty (0 bytes).`);
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  const header =
    bytes[0] === 0xff && bytes[1] === 0xd8
      ? jpegHeader(bytes, fileName)
      : text.startsWith('\x89PNG\r\n\x1a\n')
        ? pngHeader(bytes, fileName)
        : null;
  if (!header) {
    const other = OTHER_FORMATS.find(([, matches]) => matches(text));
    throw bad(other ? `${fileName} is ${other[0]}, not a JPEG or PNG.` : `${fileName} is not a JPEG or PNG.`, 'Convert it to JPEG or PNG.');
  }
  const { width, height } = header;
  if (width === 0 || height === 0) throw bad(`${fileName} has no pixels (${width} × ${height}).`);
  const most = header.components === 4 ? MAX_CMYK_PIXELS : MAX_PIXELS;
  if (width * height > most)
    throw bad(
      `${fileName} is too large (${width} × ${height} pixels${header.components === 4 ? ' of CMYK' : ''}).`,
      `At most ${most / 1e6} megapixels are read; scale it down${header.components === 4 ? ' or convert it to RGB' : ''}.`,
    );
  if (bytes.length < fewestBytes(header, bytes)) throw bad(`${fileName} is cut off: ${width} × ${height} pixels in ${bytes.length} bytes.`);
  return header;
}
