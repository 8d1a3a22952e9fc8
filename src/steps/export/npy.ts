/** The calibration set as a NumPy file: uint8 [N, height, width, channels] as the host will send images to the device. */
import type { ImageSet } from '../../data';
import { channelCount, type Preprocess, preprocess } from '../../models';
import { createRandom, StudioError } from '../../numerics';
import type { StepContext } from '../types';

export type HostOrder = 'rgb' | 'bgr';

/** NPY format 1.0: magic, version, header length, a Python dict padded to a multiple of 64 bytes. */
const HEADER_BYTES = 128;

function header(shape: readonly number[]): Uint8Array {
  const dict = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const text = `${dict.padEnd(HEADER_BYTES - 11)}\n`;
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  return bytes;
}

function allocate(bytes: number, images: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw new StudioError(
      'storage',
      `There is no memory for ${images} calibration images (${Math.round(bytes / 2 ** 20)} MB).`,
      'Export fewer calibration images, or export with the command line.',
    );
  }
}

/** What the host sends: resized and padded as the model's preprocessing says, 0–255, not normalised. */
export function hostPreprocess(p: Preprocess, order: HostOrder): Preprocess {
  return {
    ...p,
    layout: 'nhwc',
    channels: p.channels === 'gray' ? 'gray' : order,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    dtype: 'uint8',
  };
}

export interface CalibrationFile {
  readonly bytes: Uint8Array;
  /** [N, height, width, channels]. */
  readonly shape: readonly number[];
  /** Images that could not be decoded and were left out. */
  readonly skipped: number;
}

/**
 * Up to `limit` distinct images in a seeded order, decoded one at a time into the file's own memory.
 * @throws StudioError 'missing-data' when no image can be read, 'storage' when the file doesn't fit in memory
 */
export async function calibrationFile(
  images: ImageSet,
  p: Preprocess,
  order: HostOrder,
  limit: number,
  ctx: Pick<StepContext, 'cancel' | 'progress' | 'seed'>,
): Promise<CalibrationFile> {
  const host = hostPreprocess(p, order);
  const imageBytes = host.width * host.height * channelCount(host);
  const wanted = Math.min(limit, images.entries.length);
  const file = allocate(HEADER_BYTES + wanted * imageBytes, wanted);
  let done = 0;
  let skipped = 0;
  let rested = performance.now();
  // Shuffled: the compiler takes range statistics from the first 64, which should be a fair sample.
  for (const index of createRandom(ctx.seed).shuffle([...images.entries.keys()])) {
    if (done === wanted) break;
    ctx.cancel.throwIfAborted();
    try {
      file.set(preprocess(await images.load(index), host).input, HEADER_BYTES + done * imageBytes);
      done++;
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
      skipped++;
    }
    if (performance.now() - rested > 50) {
      ctx.progress({ step: 'export', label: 'Writing calibration images', done, total: wanted });
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
  }
  if (done === 0)
    throw new StudioError('missing-data', 'The bundle has no calibration image.', 'Give a folder with images that can be decoded.');
  const shape = [done, host.height, host.width, channelCount(host)];
  file.set(header(shape));
  return { bytes: file.subarray(0, HEADER_BYTES + done * imageBytes), shape, skipped };
}
