/**
 * Greedy non-maximum suppression. Sorted once, and a candidate is compared only with boxes already kept, of which there
 * are at most `maxDetections`; equal scores keep their input order, so that results repeat bit by bit.
 */
import type { Candidates, DecodeOptions } from './types';

/** Indices of candidates by falling score; ties in input order. */
export function byScore(scores: Float32Array): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** Intersection over union of boxes i and j in a flat x, y, width, height array. */
export function iou(boxes: Float32Array, i: number, j: number): number {
  const a = i * 4;
  const b = j * 4;
  const w = Math.min(boxes[a]! + boxes[a + 2]!, boxes[b]! + boxes[b + 2]!) - Math.max(boxes[a]!, boxes[b]!);
  const h = Math.min(boxes[a + 1]! + boxes[a + 3]!, boxes[b + 1]! + boxes[b + 3]!) - Math.max(boxes[a + 1]!, boxes[b + 1]!);
  if (w <= 0 || h <= 0) return 0;
  const both = w * h;
  return both / (boxes[a + 2]! * boxes[a + 3]! + boxes[b + 2]! * boxes[b + 3]! - both);
}

/** Indices of the kept candidates, best first. A box falls when its IoU with a better kept one is above the threshold. */
export function nms(candidates: Candidates, options: Pick<DecodeOptions, 'iouThreshold' | 'nms' | 'maxDetections'>): number[] {
  const { boxes, scores, classes } = candidates;
  const kept: number[] = [];
  for (const i of byScore(scores)) {
    if (kept.length >= options.maxDetections) break;
    const beaten = kept.some((j) => (options.nms === 'agnostic' || classes[i] === classes[j]) && iou(boxes, i, j) > options.iouThreshold);
    if (!beaten) kept.push(i);
  }
  return kept;
}
