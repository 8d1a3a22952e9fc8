/**
 * Augmentation of a prepared input: what the network is fed is taken back to 8-bit pixels, changed, and prepared again, so
 * that no image has to be decoded or kept at its own size. Deterministic by the generator that is handed in.
 */
import { channelCount, type Preprocess } from '../models';
import type { Random } from '../numerics';
import { type Axis, axis, within } from './resample';

export interface Augmentation {
  /** Chance of a mirror image. */
  readonly flip: number;
  /** Chance of rescaling and shifting the image on its canvas. */
  readonly move: number;
  /** Range of the rescale. */
  readonly scale: readonly [number, number];
  /** Chance of changing the colours. */
  readonly colour: number;
  readonly saturation: readonly [number, number];
  readonly brightness: readonly [number, number];
  /** Gain of each channel. */
  readonly gain: readonly [number, number];
}

/** As ../shared/lab.md found good for a few hundred images. */
export const AUGMENTATION: Augmentation = {
  flip: 0.5,
  move: 0.7,
  scale: [0.7, 1.3],
  colour: 0.7,
  saturation: [0.7, 1.3],
  brightness: [0.75, 1.25],
  gain: [0.95, 1.05],
};

/** Rescaled by `x` and `y`, bilinear; what the image doesn't cover is `pad`. */
function resample(plane: Float32Array, width: number, x: Axis, y: Axis, pad: number): Float32Array {
  const out = new Float32Array(plane.length).fill(pad);
  for (let row = 0; row < y.low.length; row++) {
    if (y.low[row]! < 0) continue;
    const top = y.low[row]! * width;
    const bottom = y.high[row]! * width;
    const v = y.weight[row]!;
    for (let column = 0, to = row * width; column < width; column++, to++) {
      const a = x.low[column]!;
      if (a < 0) continue;
      const b = x.high[column]!;
      const u = x.weight[column]!;
      const upper = plane[top + a]! + (plane[top + b]! - plane[top + a]!) * u;
      const lower = plane[bottom + a]! + (plane[bottom + b]! - plane[bottom + a]!) * u;
      out[to] = upper + (lower - upper) * v;
    }
  }
  return out;
}

interface Colour {
  readonly saturation: number;
  /** Of each channel, brightness included. */
  readonly gains: readonly number[];
}

/** Writes whole pixels of 0…255, prepared again by (v − mean) / std. */
type Write = (c: number, i: number, value: number) => void;

/** Saturation about the luma (none with one channel), then gains. */
function recolour(planes: readonly Float32Array[], p: Preprocess, { saturation, gains }: Colour, write: Write): void {
  if (planes.length < 3) {
    planes.forEach((plane, c) => {
      for (let i = 0; i < plane.length; i++) write(c, i, plane[i]! * gains[c]!);
    });
    return;
  }
  const [first, green, last] = planes as [Float32Array, Float32Array, Float32Array];
  const [gainFirst, gainGreen, gainLast] = gains as [number, number, number];
  const [ofFirst, ofLast] = p.channels === 'rgb' ? [0.299, 0.114] : [0.114, 0.299];
  for (let i = 0; i < green.length; i++) {
    const luma = (ofFirst * first[i]! + 0.587 * green[i]! + ofLast * last[i]!) * (1 - saturation);
    write(0, i, (luma + saturation * first[i]!) * gainFirst);
    write(1, i, (luma + saturation * green[i]!) * gainGreen);
    write(2, i, (luma + saturation * last[i]!) * gainLast);
  }
}

/** 8-bit pixels, channel by channel; views of the input where it holds just that. */
function pixelPlanes(input: Float32Array | Uint8Array, p: Preprocess): Float32Array[] {
  const area = p.width * p.height;
  const channels = channelCount(p);
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, channels];
  return Array.from({ length: channels }, (_, c) => {
    const [mean, std] = p.dtype === 'float32' ? [p.mean[c]!, p.std[c]!] : [0, 1];
    if (input instanceof Float32Array && step === 1 && mean === 0 && std === 1) return input.subarray(c * area, (c + 1) * area);
    const plane = new Float32Array(area);
    for (let i = 0, from = c * channelStep; i < area; i++, from += step) plane[i] = input[from]! * std + mean;
    return plane;
  });
}

/**
 * Another view of one prepared image: mirrored, rescaled and shifted on the letterbox's canvas, recoloured, each by its
 * chance, rounded to 8 bit and prepared as `p` says.
 * @param input as models' `preprocess` gives it; not changed
 */
export function augment(
  input: Float32Array | Uint8Array,
  p: Preprocess,
  random: Random,
  a: Augmentation = AUGMENTATION,
): Float32Array | Uint8Array {
  const { width, height } = p;
  const area = width * height;
  let planes = pixelPlanes(input, p);
  // Every chance is drawn whatever the others say, so that changing one option doesn't reshuffle the rest.
  const flip = random.next() < a.flip;
  const move = random.next() < a.move;
  const scale = within(random, a.scale);
  const [shiftX, shiftY] = [random.next(), random.next()];
  const recoloured = random.next() < a.colour;
  const saturation = within(random, a.saturation);
  const brightness = within(random, a.brightness);
  const gains = planes.map(() => brightness * within(random, a.gain));
  if (flip || move) {
    const factor = move ? scale : 1;
    const x = axis(0, width, width, factor, move ? shiftX * width * (1 - factor) : 0, flip, 1);
    const y = axis(0, height, height, factor, move ? shiftY * height * (1 - factor) : 0, false, 1);
    planes = planes.map((plane) => resample(plane, width, x, y, p.pad));
  }
  const float = p.dtype === 'float32';
  const out = float ? new Float32Array(input.length) : new Uint8Array(input.length);
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, planes.length];
  const { mean, std } = float ? p : { mean: [0, 0, 0] as const, std: [1, 1, 1] as const };
  recolour(planes, p, recoloured ? { saturation, gains } : { saturation: 1, gains: gains.map(() => 1) }, (c, i, value) => {
    const pixel = value > 255 ? 255 : value < 0 ? 0 : (value + 0.5) | 0;
    out[c * channelStep + i * step] = (pixel - mean[c]!) / std[c]!;
  });
  return out;
}
