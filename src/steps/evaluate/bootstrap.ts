/**
 * How far an mAP depends on which images it was measured on: percentile bootstrap over images (Efron and Tibshirani,
 * "An Introduction to the Bootstrap", 1993, chapter 13). Two networks are compared on the same draws, image by image.
 */
import { createRandom } from '../../numerics';
import type { CancelToken, Interval, PairedComparison } from '../types';
import type { WeightedAp } from './coco';

/** Draws, unless the set is so large that they would take minutes. */
const REPLICATES = { most: 1000, least: 100 };
/** Detections walked through per network, over all draws and the ten IoU thresholds. */
const WORK = 4e8;
const TAIL = 0.025;

function percentileOf(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}

function interval(values: readonly number[]): { low: number; high: number } {
  const sorted = Float64Array.from(values).sort();
  return { low: percentileOf(sorted, TAIL), high: percentileOf(sorted, 1 - TAIL) };
}

export interface Bootstrapped {
  readonly interval: Interval | null;
  readonly paired: PairedComparison | null;
}

/**
 * 95 % interval of a network's mAP in percent, and of its difference to a reference on the same draws of images.
 * @param images number of images; both functions take one multiplicity for each
 * @returns nulls with fewer than two images or without truths
 */
export async function bootstrap(
  own: WeightedAp,
  reference: WeightedAp | null,
  images: number,
  ctx: { readonly seed: number; readonly cancel: CancelToken },
): Promise<Bootstrapped> {
  const all = new Uint8Array(images).fill(1);
  const value = own(all);
  const base = reference?.(all) ?? null;
  if (value === null || images < 2) return { interval: null, paired: null };
  const walked = 10 * Math.max(1, own.detections, reference?.detections ?? 0);
  const replicates = Math.round(Math.min(REPLICATES.most, Math.max(REPLICATES.least, WORK / walked)));
  const random = createRandom(ctx.seed);
  const multiplicities = new Uint16Array(images);
  const values: number[] = [];
  const differences: number[] = [];
  const kept: number[] = [];
  let rested = performance.now();
  for (let r = 0; r < replicates; r++) {
    if (performance.now() - rested > 50) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      ctx.cancel.throwIfAborted();
      rested = performance.now();
    }
    multiplicities.fill(0);
    for (let i = 0; i < images; i++) multiplicities[random.int(images)]!++;
    const a = own(multiplicities);
    if (a === null) continue;
    values.push(100 * a);
    const b = reference?.(multiplicities) ?? null;
    if (b === null) continue;
    differences.push(100 * (a - b));
    if (b > 0) kept.push((100 * a) / b);
  }
  const paired =
    base === null || differences.length === 0
      ? null
      : {
          reference: 100 * base,
          difference: 100 * (value - base),
          differenceInterval: { ...interval(differences), level: 95, replicates: differences.length },
          kept: base > 0 ? (100 * value) / base : null,
          keptInterval: kept.length > 0 ? { ...interval(kept), level: 95, replicates: kept.length } : null,
        };
  return { interval: { ...interval(values), level: 95, replicates: values.length }, paired };
}
