/**
 * Labelled images as training wants them: mirrored, rescaled, shifted, joined four at a time (mosaic, Bochkovskiy et al.
 * 2020, "YOLOv4"), recoloured in HSV, with their boxes. Deterministic by the generator that is handed in.
 */
import type { GroundTruth } from '../data';
import { type Preprocess, place } from '../models';
import { type Random, type RgbImage, StudioError } from '../numerics';
import { axis, within } from './resample';

export interface LabelledImage {
  readonly image: RgbImage;
  /** Boxes in pixels of the image; empty = nothing is to be seen, or there are no labels. */
  readonly truths: readonly GroundTruth[];
}

export interface LabelledImages {
  readonly count: number;
  at(index: number): Promise<LabelledImage>;
}

export interface LabelledView {
  /** As the network wants it. */
  readonly input: Float32Array | Uint8Array;
  /** Boxes in network pixels, cut at the border. */
  readonly truths: readonly GroundTruth[];
}

export interface LabelledAugmentation {
  /** Chance of a mirror image. */
  readonly flip: number;
  /** Chance of rescaling and shifting. */
  readonly move: number;
  /** Range of the rescale, on top of the letterbox. */
  readonly scale: readonly [number, number];
  /** Largest shift from the middle, as a part of the canvas. */
  readonly shift: number;
  /** Chance of four images in one, and the range of their rescale. */
  readonly mosaic: number;
  readonly mosaicScale: readonly [number, number];
  /** Chance of changing the colours. */
  readonly colour: number;
  /** Largest turn of the hue, as a part of the circle. */
  readonly hue: number;
  readonly saturation: readonly [number, number];
  readonly brightness: readonly [number, number];
  /** Gain of each channel. */
  readonly gain: readonly [number, number];
  /** A box of which less is left is none, 0…1. */
  readonly visible: number;
}

export const LABELLED_AUGMENTATION: LabelledAugmentation = {
  flip: 0.5,
  move: 0.6,
  scale: [0.7, 1.35],
  shift: 0.15,
  mosaic: 0,
  mosaicScale: [0.5, 1],
  colour: 0.7,
  hue: 0.015,
  saturation: [0.6, 1.3],
  brightness: [0.75, 1.25],
  gain: [0.94, 1.06],
  visible: 0.3,
};

/** Where an image goes: canvas = image · scale + (x, y), mirrored first, seen within [left, right) × [top, bottom). */
interface Placed {
  readonly source: LabelledImage;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly x: number;
  readonly y: number;
  readonly flip: boolean;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Draws one image on the canvas of interleaved RGB, bilinear. */
function draw(canvas: Float32Array, width: number, placed: Placed): void {
  const { image } = placed.source;
  const x = axis(placed.left, placed.right, image.width, placed.scaleX, placed.x, placed.flip, 3);
  const y = axis(placed.top, placed.bottom, image.height, placed.scaleY, placed.y, false, image.width * 3);
  const { data } = image;
  for (let row = 0; row < y.low.length; row++) {
    const upper = y.low[row]!;
    if (upper < 0) continue;
    const lower = y.high[row]!;
    const v = y.weight[row]!;
    let to = ((row + placed.top) * width + placed.left) * 3;
    for (let column = 0; column < x.low.length; column++, to += 3) {
      const a = x.low[column]!;
      if (a < 0) continue;
      const b = x.high[column]!;
      const u = x.weight[column]!;
      for (let c = 0; c < 3; c++) {
        const above = data[upper + a + c]! + (data[upper + b + c]! - data[upper + a + c]!) * u;
        const below = data[lower + a + c]! + (data[lower + b + c]! - data[lower + a + c]!) * u;
        canvas[to + c] = above + (below - above) * v;
      }
    }
  }
}

/** Boxes as they lie on the canvas, cut to what is seen; what hardly shows is dropped. */
function boxesOf(placed: Placed, visible: number): GroundTruth[] {
  const { source, scaleX, scaleY, flip } = placed;
  return source.truths.flatMap((truth) => {
    const [bx, by, bw, bh] = truth.bbox;
    const x = (flip ? source.image.width - bx - bw : bx) * scaleX + placed.x;
    const y = by * scaleY + placed.y;
    const left = Math.max(x, placed.left);
    const top = Math.max(y, placed.top);
    const width = Math.min(x + bw * scaleX, placed.right) - left;
    const height = Math.min(y + bh * scaleY, placed.bottom) - top;
    const share = (width * height) / (bw * bh * scaleX * scaleY);
    if (!(width > 0 && height > 0 && share > visible)) return [];
    return [{ ...truth, bbox: [left, top, width, height] as const, area: truth.area * scaleX * scaleY * share }];
  });
}

interface Colour {
  /** In sixths of the circle. */
  readonly hue: number;
  readonly saturation: number;
  readonly brightness: number;
  /** Of red, green, blue. */
  readonly gains: readonly [number, number, number];
}

const PLAIN: Colour = { hue: 0, saturation: 1, brightness: 1, gains: [1, 1, 1] };

/** Turns, saturates and brightens every pixel of interleaved RGB, in place (HSV as in Smith 1978). */
function recolour(canvas: Float32Array, { hue, saturation, brightness, gains }: Colour): void {
  for (let i = 0; i < canvas.length; i += 3) {
    const [r, g, b] = [canvas[i]!, canvas[i + 1]!, canvas[i + 2]!];
    const most = Math.max(r, g, b);
    const least = Math.min(r, g, b);
    const chroma = most - least;
    const value = most * brightness;
    if (chroma === 0) {
      canvas[i] = value * gains[0];
      canvas[i + 1] = value * gains[1];
      canvas[i + 2] = value * gains[2];
      continue;
    }
    const grown = value * Math.min(1, (chroma / most) * saturation);
    let h = most === r ? (g - b) / chroma : most === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    h += hue;
    // A channel at angle n is value − chroma · min(k, 4 − k, 1) with k = n + h within the circle, not below 0.
    for (let c = 0; c < 3; c++) {
      let k = (c === 0 ? 5 : c === 1 ? 3 : 1) + h;
      k -= 6 * Math.floor(k / 6);
      const part = Math.max(0, Math.min(k, 4 - k, 1));
      canvas[i + c] = (value - grown * part) * gains[c]!;
    }
  }
}

/** Interleaved RGB in 0…255 as the network wants it, rounded to 8 bit. */
function prepared(canvas: Float32Array, p: Preprocess): Float32Array | Uint8Array {
  if (p.channels === 'gray')
    throw new StudioError(
      'unsupported',
      'Networks with one channel cannot be trained with labels.',
      'Train it by distillation from the original instead.',
    );
  const area = p.width * p.height;
  const float = p.dtype === 'float32';
  const out = float ? new Float32Array(3 * area) : new Uint8Array(3 * area);
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, 3];
  for (let c = 0; c < 3; c++) {
    const from = p.channels === 'rgb' ? c : 2 - c;
    const [mean, std] = float ? [p.mean[c]!, p.std[c]!] : [0, 1];
    for (let i = 0, at = from, to = c * channelStep; i < area; i++, at += 3, to += step) {
      const value = canvas[at]!;
      const pixel = value > 255 ? 255 : value < 0 ? 0 : (value + 0.5) | 0;
      out[to] = (pixel - mean) / std;
    }
  }
  return out;
}

function whole(source: LabelledImage, p: Preprocess): Placed {
  const { placement } = place(source.image.width, source.image.height, p);
  const { scaleX, scaleY, offsetX: x, offsetY: y } = placement;
  return { source, scaleX, scaleY, x, y, flip: false, left: 0, top: 0, right: p.width, bottom: p.height };
}

function moved(start: Placed, p: Preprocess, factor: number, shiftX: number, shiftY: number): Placed {
  const [scaleX, scaleY] = [start.scaleX * factor, start.scaleY * factor];
  const { width, height } = start.source.image;
  return {
    ...start,
    scaleX,
    scaleY,
    x: (p.width - width * scaleX) / 2 + shiftX * p.width,
    y: (p.height - height * scaleY) / 2 + shiftY * p.height,
  };
}

/** Quarter `k` of a mosaic that meets at (cx, cy): the image's corner lies there. */
function quarter(start: Placed, k: number, cx: number, cy: number, p: Preprocess, factor: number): Placed {
  const [scaleX, scaleY] = [start.scaleX * factor, start.scaleY * factor];
  const { width, height } = start.source.image;
  const [onLeft, onTop] = [k % 2 === 0, k < 2];
  return {
    ...start,
    scaleX,
    scaleY,
    x: onLeft ? cx - width * scaleX : cx,
    y: onTop ? cy - height * scaleY : cy,
    left: onLeft ? 0 : cx,
    right: onLeft ? cx : p.width,
    top: onTop ? 0 : cy,
    bottom: onTop ? cy : p.height,
  };
}

function render(parts: readonly Placed[], p: Preprocess, colour: Colour, visible: number): LabelledView {
  const canvas = new Float32Array(3 * p.width * p.height).fill(p.pad);
  for (const part of parts) draw(canvas, p.width, part);
  if (colour !== PLAIN) recolour(canvas, colour);
  return { input: prepared(canvas, p), truths: parts.flatMap((part) => boxesOf(part, visible)) };
}

/** An image as it is fed when nothing is changed, with its boxes in network pixels. */
export function plainView(source: LabelledImage, p: Preprocess): LabelledView {
  return render([whole(source, p)], p, PLAIN, 0);
}

/**
 * Another view of image `index`: alone or in a mosaic with three others of the pool.
 * @throws StudioError 'unsupported' for networks with one channel
 */
export async function labelledView(
  images: LabelledImages,
  index: number,
  p: Preprocess,
  random: Random,
  a: LabelledAugmentation = LABELLED_AUGMENTATION,
): Promise<LabelledView> {
  // Every chance is drawn whatever the others say, so that changing one option doesn't reshuffle the rest.
  const mosaic = random.next() < a.mosaic;
  const move = random.next() < a.move;
  const recoloured = random.next() < a.colour;
  const [shiftX, shiftY] = [a.shift * (2 * random.next() - 1), a.shift * (2 * random.next() - 1)];
  const hue = 6 * a.hue * (2 * random.next() - 1);
  const [saturation, brightness] = [within(random, a.saturation), within(random, a.brightness)];
  const gains = [within(random, a.gain), within(random, a.gain), within(random, a.gain)] as const;
  const [cx, cy] = [Math.round(p.width * (0.3 + 0.4 * random.next())), Math.round(p.height * (0.3 + 0.4 * random.next()))];
  const parts: Placed[] = [];
  for (let k = 0; k < (mosaic ? 4 : 1); k++) {
    const flip = random.next() < a.flip;
    const other = random.int(images.count);
    const start = { ...whole(await images.at(k === 0 ? index : other), p), flip };
    if (mosaic) parts.push(quarter(start, k, cx, cy, p, within(random, a.mosaicScale)));
    else {
      const factor = within(random, a.scale);
      parts.push(move ? moved(start, p, factor, shiftX, shiftY) : start);
    }
  }
  return render(parts, p, recoloured ? { hue, saturation, brightness, gains } : PLAIN, a.visible);
}
