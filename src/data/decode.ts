/**
 * Decoding, the same bits in page, worker and Node: mozjpeg and the png crate as WebAssembly (jSquash), jpeg-js for CMYK,
 * which mozjpeg's binding cannot read. Where their WebAssembly lies is told by data/node.ts or data/web.ts.
 */
import { decode as decodeCmyk } from 'jpeg-js';
import { type RgbImage, StudioError } from '../numerics';
import { type Decoded, type Decoder, type DecoderModules, jpegDecoder, type Pixels, pngDecoder } from './decoders';
import { type ImageHeader, readHeader } from './header';
import { orient, toRgb } from './pixels';

export type { DecoderModules } from './decoders';

let load: (() => Promise<DecoderModules>) | null = null;
let ready: Promise<Decoders> | null = null;
/** libjpeg warnings about bytes that hold no pixels; viewers show such files whole, and so do we. */
const HARMLESS = /extraneous bytes before marker|Invalid SOS parameters/;

/** Says where the decoders' WebAssembly comes from; done by data/node.ts and data/web.ts. */
export function initDecoders(loader: () => Promise<DecoderModules>): void {
  load = loader;
  ready = null;
}

interface Decoders {
  readonly jpeg: Decoder;
  readonly png: Decoder;
}

async function start(): Promise<Decoders> {
  if (!load) throw new StudioError('runtime', 'The image decoders were not initialised.', 'Import data/node or data/web first.');
  const { jpeg, png } = await load();
  return { jpeg: jpegDecoder(jpeg), png: pngDecoder(png) };
}

function damaged(fileName: string, why: string): StudioError {
  return new StudioError('bad-data', `${fileName} is damaged (${why}).`, 'It is left out; replace the file to use it.');
}

async function decodeRgba(bytes: Uint8Array, fileName: string, { format, components }: ImageHeader, decoders: Decoders): Promise<Pixels> {
  if (format === 'jpeg' && components === 4) {
    try {
      return decodeCmyk(bytes, { useTArray: true, formatAsRGBA: true, tolerantDecoding: false, maxMemoryUsageInMB: 1024 });
    } catch (error) {
      throw damaged(fileName, error instanceof Error ? error.message : String(error));
    }
  }
  let image: Decoded;
  try {
    image = await decoders[format](bytes);
  } catch (error) {
    throw damaged(fileName, (error as Error).message || `cut off or corrupted ${format.toUpperCase()}`);
  }
  const serious = image.complaints.find((line) => !HARMLESS.test(line));
  if (serious) throw damaged(fileName, serious);
  return image;
}

export interface DecodeImageOptions {
  /** Size that the annotations refer to. It decides whether a rotated file is turned; without it EXIF is obeyed. */
  readonly expected?: { readonly width: number; readonly height: number } | null;
}

/**
 * Decodes a JPEG (gray, colour, CMYK) or PNG (any depth; transparent pixels over white) to 8-bit RGB. The same bits in
 * Node and the page.
 * @throws StudioError 'bad-data' naming the file: damaged, cut off, another format, too large, not of the expected size
 */
export async function decodeImage(bytes: Uint8Array, fileName: string, options: DecodeImageOptions = {}): Promise<RgbImage> {
  const header = readHeader(bytes, fileName);
  ready ??= start();
  let decoders: Decoders;
  try {
    decoders = await ready;
  } catch (error) {
    ready = null; // The next image may find the server back.
    throw error;
  }
  const { data, width, height } = await decodeRgba(bytes, fileName, header, decoders);
  const image = { width, height, data: toRgb(data, width * height) };
  const { expected } = options;
  const fits = (candidate: RgbImage) => !expected || (expected.width === candidate.width && expected.height === candidate.height);
  if (expected && fits(image)) return image;
  const turned = orient(image, header.orientation);
  if (fits(turned)) return turned;
  throw new StudioError(
    'bad-data',
    `${fileName} is ${turned.width} × ${turned.height} pixels, its annotations are for ${expected!.width} × ${expected!.height}.`,
    'It is left out; use the images that the annotations were made for.',
  );
}
