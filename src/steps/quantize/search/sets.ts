/** Which images a search fits on, and which it scores on. */
import { type ImageSet, subset } from '../../../data';

/** A quarter of the images scores, but never so few that a figure says nothing, nor more than it needs. */
const SCORED = { share: 0.25, least: 4, most: 64 };

/** Share of the images that the first, quick look uses. */
const QUICK = { share: 1 / 3, least: 6 };

export interface SearchSets {
  readonly fit: ImageSet;
  /** By rung: few images, all of them. */
  readonly score: readonly [ImageSet, ImageSet];
  /** Images of `fit` that repairs use, by rung; null = as many as the recipe says. */
  readonly repairImages: readonly [number, null];
}

function spread(set: ImageSet, count: number): ImageSet {
  const n = Math.min(count, set.entries.length);
  const indices = Array.from({ length: n }, (_, i) => Math.floor((i * set.entries.length) / n));
  return subset(set, indices);
}

/**
 * @param labelled images to score on by COCO metrics; null = a part of `images` is held back, where networks are scored by
 *   their agreement with the float one
 */
export function searchSets(images: ImageSet, labelled: ImageSet | null): SearchSets {
  const total = images.entries.length;
  const held = Math.min(Math.max(Math.round(total * SCORED.share), SCORED.least), SCORED.most, Math.floor(total / 2));
  const isHeld = (i: number): boolean => !labelled && Math.floor(((i + 1) * held) / total) > Math.floor((i * held) / total);
  const indices = images.entries.map((_, i) => i);
  const fit = subset(
    images,
    indices.filter((i) => !isHeld(i)),
  );
  const score = labelled ?? subset(images, indices.filter(isHeld));
  const few = (n: number): number => Math.max(QUICK.least, Math.round(n * QUICK.share));
  return { fit, score: [spread(score, few(score.entries.length)), score], repairImages: [few(fit.entries.length), null] };
}
