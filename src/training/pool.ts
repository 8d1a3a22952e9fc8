/** Images as training wants them: prepared once, kept as 8-bit pixels, another view of each in every step. */
import { type ImageSet, subset } from '../data';
import { channelCount, type Preprocess, type Preprocessed } from '../models';
import { createRandom, StudioError } from '../numerics';
import type { Tensors } from '../runtime';
import { augment } from './augment';
import type { Batch } from './objective';

/** Prepared images kept in memory; the rest is prepared again when asked for. */
const KEPT_BYTES = 640e6;

/** How many images are held back: a share, but never so few that a mean says nothing, nor more than are needed for one. */
export interface HeldShare {
  readonly share: number;
  readonly least: number;
  readonly most: number;
}

const HELD: HeldShare = { share: 0.1, least: 4, most: 32 };

/** Fewer images teach nothing. */
const LEAST_IMAGES = 8;

/** Prepares image `index` of the set; throws StudioError 'bad-data' for one that can't be decoded. */
export type Prepare = (index: number) => Promise<Preprocessed>;

export interface TrainingImages {
  readonly count: number;
  /** As the network wants it. */
  at(index: number): Promise<Float32Array | Uint8Array>;
}

/**
 * Which images of a set are trained on and which are held back, evenly spread over the set.
 * @returns indices in ascending order
 */
export function heldBack(
  count: number,
  { share, least, most }: HeldShare = HELD,
): { readonly fit: readonly number[]; readonly held: readonly number[] } {
  const held = Math.min(Math.max(Math.round(count * share), least), most, Math.floor(count / 2));
  const all = Array.from({ length: count }, (_, i) => i);
  const isHeld = (i: number): boolean => Math.floor(((i + 1) * held) / count) > Math.floor((i * held) / count);
  return { fit: all.filter((i) => !isHeld(i)), held: all.filter(isHeld) };
}

/** (v − mean) / std of every 8-bit value, channel after channel. */
function expand(pixels: Uint8Array, p: Preprocess): Float32Array {
  const channels = channelCount(p);
  const area = p.width * p.height;
  const out = new Float32Array(pixels.length);
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, channels];
  for (let c = 0; c < channels; c++) {
    const [mean, std] = [p.mean[c]!, p.std[c]!];
    for (let i = 0, at = c * channelStep; i < area; i++, at += step) out[at] = (pixels[at]! - mean) / std;
  }
  return out;
}

/** Back to the 8-bit pixels that they were made from. */
function shrink(input: Float32Array | Uint8Array, p: Preprocess): Uint8Array {
  if (input instanceof Uint8Array) return input;
  const channels = channelCount(p);
  const area = p.width * p.height;
  const out = new Uint8Array(input.length);
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, channels];
  for (let c = 0; c < channels; c++)
    for (let i = 0, at = c * channelStep; i < area; i++, at += step) out[at] = Math.round(input[at]! * p.std[c]! + p.mean[c]!);
  return out;
}

/** Images that steps learn from and images that none sees. */
export interface TrainingPool {
  readonly fit: TrainingImages;
  readonly held: TrainingImages;
  /** The latter as a set. */
  readonly heldImages: ImageSet;
}

/**
 * Opens a set for training. All images are prepared, so that a damaged file is found before hours of training; it is left out.
 * @throws StudioError 'bad-data' when too few can be decoded
 */
export async function openPool(images: ImageSet, p: Preprocess, prepare: Prepare, onEach?: (done: number) => void): Promise<TrainingPool> {
  const kept = new Map<number, Uint8Array>();
  let bytes = 0;
  const pixelsOf = async (index: number): Promise<Uint8Array> => {
    const known = kept.get(index);
    if (known) return known;
    const pixels = shrink((await prepare(index)).input, p);
    bytes += pixels.byteLength;
    if (bytes <= KEPT_BYTES) kept.set(index, pixels);
    return pixels;
  };
  const usable: number[] = [];
  for (const index of images.entries.keys()) {
    try {
      await pixelsOf(index);
      usable.push(index);
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
    }
    onEach?.(index + 1);
  }
  if (usable.length < LEAST_IMAGES)
    throw new StudioError(
      'bad-data',
      `Training needs at least ${LEAST_IMAGES} images; ${usable.length} of ${images.name} can be decoded.`,
      'Add images.',
    );
  const part = (positions: readonly number[]): TrainingImages => ({
    count: positions.length,
    async at(i) {
      const pixels = await pixelsOf(usable[positions[i]!]!);
      return p.dtype === 'uint8' ? pixels.slice() : expand(pixels, p);
    },
  });
  const { fit, held } = heldBack(usable.length);
  const heldImages = subset(
    images,
    held.map((i) => usable[i]!),
  );
  return { fit: part(fit), held: part(held), heldImages };
}

/** Which images make up each step: every epoch all of them once, in another order. */
export function stepImages(count: number, perStep: number, seed: number): (step: number) => number[] {
  let known: { epoch: number; order: number[] } | null = null;
  const at = (position: number): number => {
    const epoch = Math.floor(position / count);
    if (known?.epoch !== epoch)
      known = { epoch, order: createRandom(seed + 7919 * epoch).shuffle(Array.from({ length: count }, (_, i) => i)) };
    return known.order[position % count]!;
  };
  return (step) => Array.from({ length: perStep }, (_, i) => at(step * perStep + i));
}

/**
 * The batches of each step.
 * @param dims of one image as the network wants it
 */
type StepBatches = (
  images: TrainingImages,
  input: string,
  p: Preprocess,
  dims: readonly number[],
  perStep: number,
  seed: number,
) => (step: number) => Promise<readonly Batch[]>;

/**
 * Augmented images of a step, one by one: a graph for two at once needs twice the time (measured on YOLOX-Nano, 550 against
 * 290 ms a step), for its values no longer fit the caches.
 */
export const augmentedBatches: StepBatches = (images, input, p, dims, perStep, seed) => {
  const pick = stepImages(images.count, perStep, seed);
  return async (step) => {
    const batches: Batch[] = [];
    for (const [i, index] of pick(step).entries()) {
      const random = createRandom(seed + 104729 * (step * perStep + i + 1));
      const data = augment(await images.at(index), p, random);
      batches.push({ images: { [input]: { dtype: p.dtype, dims, data } } });
    }
    return batches;
  };
};

/** Images of a step as they are: each comes again in every epoch, so what is computed from it alone can be kept. */
export const repeatedBatches: StepBatches = (images, input, p, dims, perStep, seed) => {
  const pick = stepImages(images.count, perStep, seed);
  const { at } = plainBatches(images, input, p, dims);
  return (step) => Promise.all(pick(step).map(async (index) => ({ ...(await at(index)), key: String(index) })));
};

/** Images as they are, for judging. */
export function plainBatches(images: TrainingImages, input: string, p: Preprocess, dims: readonly number[]) {
  return {
    count: images.count,
    at: async (i: number): Promise<Batch> => ({ images: { [input]: { dtype: p.dtype, dims, data: await images.at(i) } } as Tensors }),
  };
}
