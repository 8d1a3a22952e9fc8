/** From detections to what is shown: histogram of classes, and the notes that explain a surprising figure. */
import type { Category } from '../../data';
import type { Detection } from '../../models';
import { type CocoMetrics, cocoMetrics, type EvaluatedImage } from './coco';

/** A detection at or above this score counts as seen. */
const SEEN = 0.25;

/**
 * Detections per class name, most frequent first: those with score ≥ 0.25, and of an image without any its best one. (At
 * evaluation's 0.01 nearly all are noise; a collapsed network has few above 0.25, and its best ones show what it sees.)
 */
export function classHistogram(
  detections: readonly (readonly Detection[])[],
  classNames: readonly string[],
): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const image of detections) {
    const seen = image.filter((d) => d.score >= SEEN);
    for (const d of seen.length > 0 ? seen : image.slice(0, 1)) {
      const name = classNames[d.classIndex] ?? `class ${d.classIndex}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

/** Share of detections whose score equals another one's of their class; AP then depends on the order in which they came. */
function tieShare(images: readonly EvaluatedImage[]): number {
  const counts = new Map<string, number>();
  for (const image of images)
    for (const d of image.detections) {
      const key = `${d.categoryId}:${d.score}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  let tied = 0;
  let total = 0;
  for (const count of counts.values()) {
    total += count;
    if (count > 1) tied += count;
  }
  return total > 0 ? tied / total : 0;
}

export function tieNote(images: readonly EvaluatedImage[]): readonly string[] {
  const share = tieShare(images);
  if (share <= 0.05) return [];
  return [
    `${Math.round(share * 100)} % of the scores are equal to another of their class: within a tie the order in which boxes were found decides.`,
  ];
}

/** Boxes that fit while classes don't: the network's class list and the annotations' disagree. */
export function classOrderNote(images: readonly EvaluatedImage[], metrics: CocoMetrics): readonly string[] {
  if (metrics.AP === null || metrics.AP > 0.1) return [];
  const one = (box: { readonly categoryId: number }) => ({ ...box, categoryId: 0 });
  const category: Category = { id: 0, name: 'object' };
  const merged = images.map((image) => ({
    ...image,
    truths: image.truths.map((g) => ({ ...g, ...one(g) })),
    detections: image.detections.map((d) => ({ ...d, ...one(d) })),
  }));
  const agnostic = cocoMetrics(merged, [category]).AP ?? 0;
  if (agnostic < 0.1 || agnostic < 4 * metrics.AP) return [];
  return [
    `Boxes match, classes do not: is the class list in another order? mAP is ${(metrics.AP * 100).toFixed(1)}, without classes it is ${(agnostic * 100).toFixed(1)}.`,
  ];
}
