/**
 * COCO box evaluation, number for number as pycocotools' COCOeval computes it (its `evaluateImg` and `accumulate`,
 * read as a specification): IoU 0.50:0.05:0.95, 101 recall points, areas by the annotation's `area`, crowds ignored,
 * at most 100 detections per image and category, score order stable by image id and input order.
 */
import type { Category, GroundTruth } from '../../data';

export interface ScoredBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly score: number;
  readonly categoryId: number;
}

export interface EvaluatedImage {
  /** Images count in rising order of their id, as pycocotools sorts them. */
  readonly id: number;
  readonly truths: readonly GroundTruth[];
  readonly detections: readonly ScoredBox[];
}

/** Fractions 0…1; null = no ground truth of that kind. */
export interface CocoMetrics {
  readonly AP: number | null;
  readonly AP50: number | null;
  readonly AP75: number | null;
  readonly APs: number | null;
  readonly APm: number | null;
  readonly APl: number | null;
  /** Mean recall with at most 1, 10 and 100 detections per image and category. */
  readonly AR1: number | null;
  readonly AR10: number | null;
  readonly AR100: number | null;
  readonly perClass: readonly {
    readonly category: Category;
    readonly AP: number | null;
    readonly truths: number;
    readonly detections: number;
  }[];
}

/** numpy.linspace(0.5, 0.95, 10) to the last bit: start + i · step, the end exact. */
const THRESHOLDS = Array.from({ length: 10 }, (_, i) => (i === 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9)));
const RECALLS = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));
/** All, small, medium, large: square pixels, both ends included. */
const AREAS = [
  [0, 1e10],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10],
] as const;
const MAX_DETECTIONS = [1, 10, 100] as const;

/** Outcome of a detection at one threshold. */
const MISS = 0;
const HIT = 1;
const IGNORED = 2;

/** One image's boxes of one category, detections best first and cut to 100. */
interface Pair {
  /** Place of the image in the list that was evaluated. */
  readonly image: number;
  readonly truths: readonly GroundTruth[];
  readonly detections: readonly ScoredBox[];
  /** IoU of detection d and truth g at d · truths + g; against a crowd, the share of the detection that it covers. */
  readonly ious: Float64Array;
}

function pairUp(image: number, truths: readonly GroundTruth[], all: readonly ScoredBox[]): Pair {
  const detections = [...all].sort((a, b) => b.score - a.score).slice(0, 100);
  const ious = new Float64Array(detections.length * truths.length);
  detections.forEach((d, i) => {
    truths.forEach((g, j) => {
      const [gx, gy, gw, gh] = g.bbox;
      const w = Math.min(d.x + d.width, gx + gw) - Math.max(d.x, gx);
      const h = Math.min(d.y + d.height, gy + gh) - Math.max(d.y, gy);
      if (w <= 0 || h <= 0) return;
      const own = d.width * d.height;
      ious[i * truths.length + j] = (w * h) / (g.crowd ? own : own + gw * gh - w * h);
    });
  });
  return { image, truths, detections, ious };
}

interface Matched {
  /** Outcome per threshold and detection: t · detections + d. */
  readonly outcomes: Uint8Array;
  /** Truths that count. */
  readonly truths: number;
}

/** Greedy matching of one pair within one area range: best detection first, to the free truth with the highest IoU. */
function match({ truths, detections, ious }: Pair, [low, high]: readonly [number, number]): Matched {
  const ignored = truths.map((g) => g.crowd || g.area < low || g.area > high);
  // Truths that count come first, so that an ignored one is taken only when no counting one fits.
  const order = [...truths.keys()].sort((a, b) => Number(ignored[a]) - Number(ignored[b]));
  const count = detections.length;
  const outcomes = new Uint8Array(THRESHOLDS.length * count);
  THRESHOLDS.forEach((threshold, t) => {
    const taken = new Uint8Array(truths.length);
    for (let d = 0; d < count; d++) {
      let best = Math.min(threshold, 1 - 1e-10);
      let found = -1;
      for (const g of order) {
        if (taken[g] && !truths[g]!.crowd) continue;
        if (found >= 0 && !ignored[found] && ignored[g]) break;
        const overlap = ious[d * truths.length + g]!;
        if (overlap < best) continue;
        best = overlap;
        found = g;
      }
      if (found >= 0) {
        taken[found] = 1;
        outcomes[t * count + d] = ignored[found] ? IGNORED : HIT;
        continue;
      }
      const area = detections[d]!.width * detections[d]!.height;
      outcomes[t * count + d] = area < low || area > high ? IGNORED : MISS;
    }
  });
  return { outcomes, truths: ignored.filter((skip) => !skip).length };
}

interface Curve {
  /** Interpolated average precision per threshold. */
  readonly precision: readonly number[];
  /** Final recall per threshold. */
  readonly recall: readonly number[];
}

/** Mean of the 101 interpolated precisions, from the first `count` points of a curve; makes `precisions` monotone in place. */
function interpolated(recalls: ArrayLike<number>, precisions: number[] | Float64Array, count: number): number {
  for (let i = count - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1]!, precisions[i]!);
  let sum = 0;
  let i = 0;
  for (const wanted of RECALLS) {
    while (i < count && recalls[i]! < wanted) i++;
    if (i === count) break;
    sum += precisions[i]!;
  }
  return sum / RECALLS.length;
}

/** Average precision of one category over all images; null when it has no truth in the range. */
function accumulate(pairs: readonly Pair[], matched: readonly Matched[], limit: number): Curve | null {
  const truths = matched.reduce((sum, m) => sum + m.truths, 0);
  if (truths === 0) return null;
  const ranked: { pair: number; d: number; score: number }[] = [];
  pairs.forEach(({ detections }, pair) => {
    for (let d = 0; d < Math.min(limit, detections.length); d++) ranked.push({ pair, d, score: detections[d]!.score });
  });
  ranked.sort((a, b) => b.score - a.score);
  const precision: number[] = [];
  const recall: number[] = [];
  THRESHOLDS.forEach((_, t) => {
    const recalls: number[] = [];
    const precisions: number[] = [];
    let hits = 0;
    let misses = 0;
    for (const { pair, d } of ranked) {
      const outcome = matched[pair]!.outcomes[t * pairs[pair]!.detections.length + d];
      if (outcome === HIT) hits++;
      else if (outcome === MISS) misses++;
      recalls.push(hits / truths);
      precisions.push(hits / Math.max(1, hits + misses));
    }
    precision.push(interpolated(recalls, precisions, recalls.length));
    recall.push(recalls.at(-1) ?? 0);
  });
  return { precision, recall };
}

function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, v) => sum + v, 0) / values.length : null;
}

/** Boxes of one category, image by image in rising id; images with neither truth nor detection left out. */
function pairsOf(images: readonly EvaluatedImage[], categories: readonly Category[]): ReadonlyMap<number, Pair[]> {
  const pairs = new Map<number, Pair[]>(categories.map((category) => [category.id, []]));
  const group = <T extends { readonly categoryId: number }>(boxes: readonly T[]) => {
    const groups = new Map<number, T[]>();
    for (const box of boxes) {
      const known = groups.get(box.categoryId);
      if (known) known.push(box);
      else groups.set(box.categoryId, [box]);
    }
    return groups;
  };
  const order = [...images.keys()].sort((a, b) => images[a]!.id - images[b]!.id);
  for (const index of order) {
    const truths = group(images[index]!.truths);
    const detections = group(images[index]!.detections);
    for (const id of new Set([...truths.keys(), ...detections.keys()]))
      pairs.get(id)?.push(pairUp(index, truths.get(id) ?? [], detections.get(id) ?? []));
  }
  return pairs;
}

/**
 * COCO's box metrics. Boxes of categories that aren't in the list don't count.
 *
 * @example
 * cocoMetrics([{ id: 1, truths, detections }], [{ id: 90, name: 'toothbrush' }]).AP; // 1 when every box is right
 */
export function cocoMetrics(images: readonly EvaluatedImage[], categories: readonly Category[]): CocoMetrics {
  const pairs = pairsOf(images, categories);
  const owns = categories.map((category) => pairs.get(category.id)!);
  const matched = AREAS.map((range) => owns.map((own) => own.map((pair) => match(pair, range))));
  const curves = (area: number, limit: number) => owns.map((own, i) => accumulate(own, matched[area]![i]!, limit));
  const byArea = AREAS.map((_, area) => curves(area, 100));
  const all = byArea[0]!;
  const precisionAt = (list: readonly (Curve | null)[], t?: number) =>
    mean(list.flatMap((curve) => (curve ? (t === undefined ? curve.precision : [curve.precision[t]!]) : [])));
  const recall = (limit: number) => mean((limit === 100 ? all : curves(0, limit)).flatMap((curve) => curve?.recall ?? []));
  const [AR1, AR10, AR100] = MAX_DETECTIONS.map(recall) as [number | null, number | null, number | null];
  return {
    AP: precisionAt(all),
    AP50: precisionAt(all, 0),
    AP75: precisionAt(all, 5),
    APs: precisionAt(byArea[1]!),
    APm: precisionAt(byArea[2]!),
    APl: precisionAt(byArea[3]!),
    AR1,
    AR10,
    AR100,
    perClass: categories.map((category, i) => {
      const own = owns[i]!;
      return {
        category,
        AP: all[i] ? mean(all[i].precision) : null,
        truths: own.reduce((sum, pair) => sum + pair.truths.filter((g) => !g.crowd).length, 0),
        detections: own.reduce((sum, pair) => sum + pair.detections.length, 0),
      };
    }),
  };
}

/** mAP (fraction, null without truths) of the images drawn with these multiplicities, in the order they were given. */
export interface WeightedAp {
  (multiplicities: ArrayLike<number>): number | null;
  /** Detections that one evaluation walks through. */
  readonly detections: number;
}

/** {@link cocoMetrics}' AP as a function of how often each image counts: matching is done once, for bootstrap samples. */
export function weightedAp(images: readonly EvaluatedImage[], categories: readonly Category[]): WeightedAp {
  const pairs = pairsOf(images, categories);
  const ranked = categories.map((category) => {
    const own = pairs.get(category.id)!;
    const matched = own.map((pair) => match(pair, AREAS[0]));
    const all = own.flatMap((pair, i) => pair.detections.map(({ score }, d) => ({ i, d, score, image: pair.image })));
    all.sort((a, b) => b.score - a.score);
    const outcomes = THRESHOLDS.map((_, t) => Uint8Array.from(all, ({ i, d }) => matched[i]!.outcomes[t * own[i]!.detections.length + d]!));
    const truths = own.map((pair, i) => [pair.image, matched[i]!.truths] as const).filter(([, count]) => count > 0);
    return { truths, outcomes, images: Uint32Array.from(all, ({ image }) => image) };
  });
  const longest = Math.max(0, ...ranked.map((r) => r.images.length));
  const recalls = new Float64Array(longest);
  const precisions = new Float64Array(longest);
  const precision = (outcomes: Uint8Array, order: Uint32Array, truths: number, multiplicities: ArrayLike<number>): number => {
    let hits = 0;
    let misses = 0;
    let points = 0;
    for (let k = 0; k < order.length; k++) {
      const times = multiplicities[order[k]!]!;
      if (times === 0) continue;
      if (outcomes[k] === MISS) misses += times;
      else if (outcomes[k] === HIT) {
        // The points between two hits, and those between copies of one, lie under the curve's envelope.
        hits += times;
        recalls[points] = hits / truths;
        precisions[points++] = hits / (hits + misses);
      }
    }
    return interpolated(recalls, precisions, points);
  };
  const evaluate = (multiplicities: ArrayLike<number>): number | null => {
    let sum = 0;
    let count = 0;
    for (const { truths, outcomes, images: order } of ranked) {
      const total = truths.reduce((n, [image, own]) => n + own * multiplicities[image]!, 0);
      if (total === 0) continue;
      for (const own of outcomes) sum += precision(own, order, total, multiplicities);
      count += outcomes.length;
    }
    return count > 0 ? sum / count : null;
  };
  return Object.assign(evaluate, { detections: ranked.reduce((n, r) => n + r.images.length, 0) });
}
