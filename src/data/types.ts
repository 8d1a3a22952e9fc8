/** Images and annotations, wherever they come from. */
import type { RgbImage } from '../numerics';

export interface GroundTruth {
  /** COCO pixels of the image as its JSON says: x, y, width, height. */
  readonly bbox: readonly [number, number, number, number];
  readonly categoryId: number;
  readonly area: number;
  readonly crowd: boolean;
}

export interface ImageEntry {
  /** Stable id: COCO's image id, or the index in a folder sorted by name. */
  readonly id: number;
  readonly fileName: string;
  /** Size the annotations refer to, where known before decoding. */
  readonly width: number | null;
  readonly height: number | null;
  readonly truths: readonly GroundTruth[];
}

export interface Category {
  readonly id: number;
  readonly name: string;
}

/** A set of images, decoded one at a time. */
export interface ImageSet {
  readonly name: string;
  /** Tells sets apart whose names and entries are equal (sizes and times of the files); part of every cache key. */
  readonly fingerprint?: string;
  readonly entries: readonly ImageEntry[];
  /** null = no annotation file: accuracy is agreement with FP32. Empty entries[].truths with categories = "no ground truth". */
  readonly categories: readonly Category[] | null;
  /** Sentences about what was left out ("3 images could not be decoded: a.jpg, …"). Grows while images are loaded. */
  readonly notes: string[];
  /** Decodes entry `index`. Throws StudioError 'bad-data' naming the file; callers leave it out and count it. */
  load(index: number): Promise<RgbImage>;
}
