/** Images of every kind that cameras and scanners write, made here, and damaged. */
import fc from 'fast-check';
import { zlibSync } from 'fflate';
import { encode } from 'jpeg-js';
import { decodeImage } from '../../src/data';
import '../../src/data/node';
import { cmykJpeg, deepPng, gradientJpeg, grayJpeg, palettePng, progressiveJpeg, turnedJpeg } from '../data/files';
import { type ByteMutation, mutate } from './models/mutations';
import { type Outcome, outcomeOf } from './outcome';

export interface ImageCase {
  readonly kind: 'image';
  readonly base: string;
  readonly name: string;
  readonly mutations: readonly ByteMutation[];
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(4, 8 + data.length)) crc = CRC[(crc ^ byte) & 255]! ^ (crc >>> 8);
  view.setUint32(8 + data.length, (crc ^ 0xffffffff) >>> 0);
  return bytes;
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/**
 * A PNG of a ramp. @param colour 0 gray, 2 RGB, 4 gray and alpha, 6 RGB and alpha
 * @param held rows that the file really holds
 */
export function png(width: number, height: number, depth: 8 | 16, colour: 0 | 2 | 4 | 6, held = height): Uint8Array {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([depth, colour, 0, 0, 0], 8);
  const row = 1 + (width * CHANNELS[colour]! * depth) / 8;
  const rows = Uint8Array.from({ length: row * held }, (_, i) => (i % row === 0 ? 0 : (7 * i) & 255));
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10),
    chunk('IHDR', head),
    chunk('IDAT', zlibSync(rows)),
    chunk('IEND', new Uint8Array()),
  ];
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function jpeg(width: number, height: number): Uint8Array {
  const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (5 * i) & 255);
  return new Uint8Array(encode({ width, height, data }, 80).data);
}

/** The size in a JPEG's frame header, overwritten: the file claims pixels that it doesn't have. */
export function claims(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const out = bytes.slice();
  for (let at = 2; at + 9 < out.length; at += 2 + ((out[at + 2]! << 8) | out[at + 3]!)) {
    if (out[at] !== 0xff || ![0xc0, 0xc1, 0xc2].includes(out[at + 1]!)) continue;
    out.set([height >> 8, height & 255, width >> 8, width & 255], at + 5);
    return out;
  }
  throw new Error('This JPEG has no frame.');
}

const made = new Map<string, Uint8Array>();
const MAKERS: Readonly<Record<string, () => Uint8Array>> = {
  empty: () => new Uint8Array(),
  baseline: () => gradientJpeg,
  progressive: () => progressiveJpeg,
  gray: () => grayJpeg,
  cmyk: () => cmykJpeg,
  turned: () => turnedJpeg,
  dot: () => jpeg(1, 1),
  plain: () => jpeg(33, 17),
  'png-gray': () => png(9, 7, 8, 0),
  'png-16': () => png(9, 7, 16, 2),
  'png-16-alpha': () => png(9, 7, 16, 6),
  'png-gray-alpha': () => png(9, 7, 8, 4),
  'png-dot': () => png(1, 1, 8, 6),
  'png-deep': () => deepPng,
  'png-palette': () => palettePng,
  'jpeg-huge': () => claims(gradientJpeg, 12_000, 9000),
  'cmyk-huge': () => claims(cmykJpeg, 12_000, 9000),
  'png-huge': () => png(12_000, 9000, 8, 2, 1),
  'jpeg-large': () => claims(gradientJpeg, 6000, 4000),
  'cmyk-large': () => claims(cmykJpeg, 6000, 4000),
  'png-large': () => png(6000, 4000, 16, 6, 1),
  line: () => claims(gradientJpeg, 65_500, 1),
};

export const IMAGE_BASES = Object.keys(MAKERS);

export function imageOf(base: string): Uint8Array {
  const image = made.get(base) ?? MAKERS[base]!();
  made.set(base, image);
  return image;
}

const at = fc.nat(1 << 16);
const mutation: fc.Arbitrary<ByteMutation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: fc.nat(200), bit: fc.nat(7) }) },
  fc.record({ kind: fc.constant('cut' as const), at }),
  fc.record({ kind: fc.constant('drop' as const), at, count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }) }),
);

const small = IMAGE_BASES.filter((base) => !/huge|large/.test(base));

export const imageCase: fc.Arbitrary<ImageCase> = fc.record({
  kind: fc.constant('image' as const),
  base: fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...small) }, { weight: 1, arbitrary: fc.constantFrom(...IMAGE_BASES) }),
  name: fc.constantFrom('a.jpg', 'a.png', 'a.txt', '', '<b>.jpg', 'x\n.png', '../a.jpg'),
  mutations: fc.array(mutation, { maxLength: 4 }),
});

let expected: readonly string[] | null = null;

/** Bytes that decoding one of these files may add to the process. */
const MAX_RESIDENT = 700 * 2 ** 20;

export async function examineImage({ base, name, mutations }: ImageCase): Promise<Outcome> {
  const outcome = await outcomeOf(
    () => decodeImage(mutate(imageOf(base), mutations), name),
    ({ width, height, data }) =>
      width > 0 && height > 0 && data.length === 3 * width * height ? null : `${width} × ${height} pixels in ${data.length} bytes`,
  );
  if (process.memoryUsage.rss() > MAX_RESIDENT) return { kind: 'failure', text: `the process has ${process.memoryUsage.rss() >> 20} MB` };
  // Whatever happened, the next image is read as if nothing had been.
  const next = await decodeImage(gradientJpeg, 'next.jpg');
  const other = await decodeImage(palettePng, 'next.png');
  expected ??= [next.data, other.data].map((data) => Buffer.from(data).toString('base64'));
  const seen = [next.data, other.data].map((data) => Buffer.from(data).toString('base64'));
  return seen.join() === expected.join() ? outcome : { kind: 'failure', text: 'the next image was read differently' };
}
