/**
 * Decoding, the same bits in page, worker and Node: mozjpeg and the png crate as WebAssembly (jSquash), jpeg-js for CMYK,
 * which mozjpeg's binding cannot read. Where their WebAssembly lies is told by data/node.ts or data/web.ts.
 */
import decodeJpeg, { init as initJpeg } from '@jsquash/jpeg/decode.js';
import decodePng, { init as initPng } from '@jsquash/png/decode.js';
import { decode as decodeCmyk } from 'jpeg-js';
import { type RgbImage, StudioError } from '../numerics';
import { readHeader } from './header';
import { orient, toRgb } from './pixels';

export interface DecoderModules {
  readonly jpeg: WebAssembly.Module;
  readonly png: WebAssembly.Module;
}

let load: (() => Promise<DecoderModules>) | null = null;
let ready: Promise<void> | null = null;
/** libjpeg warnings about bytes that hold no pixels; viewers show such files whole, and so do we. */
const HARMLESS = /extraneous bytes before marker|Invalid SOS parameters/;

/** What libjpeg said about the image being decoded; a decode is one synchronous call, so images don't mix. */
let complaints: string[] = [];

/** Says where the decoders' WebAssembly comes from; done by data/node.ts and data/web.ts. */
export function initDecoders(loader: () => Promise<DecoderModules>): void {
  load = loader;
  ready = null;
}

/** Node has no ImageData, which the decoders construct. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

async function start(): Promise<void> {
  if (!load) throw new StudioError('runtime', 'The image decoders were not initialised.', 'Import data/node or data/web first.');
  if (!('ImageData' in globalThis)) Object.assign(globalThis, { ImageData: PlainImageData });
  const { jpeg, png } = await load();
  const options = { printErr: (line: string) => complaints.push(line), print: () => {} };
  // The package's types know only one argument; its code takes the compiled module first.
  await (initJpeg as unknown as (module: WebAssembly.Module, options: object) => Promise<void>)(jpeg, options);
  await initPng(png);
}

function damaged(fileName: string, why: string): StudioError {
  return new StudioError('bad-data', `${fileName} is damaged (${why}).`, 'It is left out; replace the file to use it.');
}

interface Pixels {
  readonly data: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
}

async function decodeRgba(bytes: Uint8Array, fileName: string, format: 'jpeg' | 'png', components: number): Promise<Pixels> {
  const buffer = bytes.slice().buffer;
  if (format === 'jpeg' && components === 4) {
    try {
      return decodeCmyk(bytes, { useTArray: true, formatAsRGBA: true, tolerantDecoding: false, maxMemoryUsageInMB: 1024 });
    } catch (error) {
      throw damaged(fileName, error instanceof Error ? error.message : String(error));
    }
  }
  complaints = [];
  let image: Pixels;
  try {
    image = await (format === 'jpeg' ? decodeJpeg(buffer) : decodePng(buffer));
  } catch {
    throw damaged(fileName, complaints[0] ?? `cut off or corrupted ${format.toUpperCase()}`);
  }
  const serious = complaints.find((line) => !HARMLESS.test(line));
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
  try {
    await ready;
  } catch (error) {
    ready = null; // The next image may find the server back.
    throw error;
  }
  const { data, width, height } = await decodeRgba(bytes, fileName, header.format, header.components);
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
