import { describe, expect, it } from 'vitest';
import {
  createRandom,
  type HistogramLike,
  leastDivergenceRange,
  percentileRange,
  type QParams,
  qparamsFromRange,
  quantizeValue,
  type RangeScheme,
} from '../../src/numerics';

const UINT8 = { bits: 8, signed: false, symmetric: false } as const;
const INT8_SYMMETRIC = { bits: 8, signed: true, symmetric: true } as const;

/** KL divergence written out bin by bin, as the definition says: outliers to the end bins, each level spread over its filled bins. */
function klByDefinition(h: HistogramLike, lo: number, hi: number, params: QParams): number {
  const width = (h.histogramMax - h.histogramMin) / h.histogram.length;
  const centre = (i: number): number => h.histogramMin + (i + 0.5) * width;
  const inside = Array.from(h.histogram, (_, i) => i).filter((i) => centre(i) >= lo && centre(i) < hi);
  if (inside.length === 0) return Number.POSITIVE_INFINITY;
  const p = inside.map((i) => h.histogram[i]!);
  const levels = inside.map((i) => quantizeValue(centre(i), params.scale[0]!, params.zeroPoint[0]!, params.qmin, params.qmax));
  const perLevel = new Map<number, { sum: number; filled: number }>();
  p.forEach((count, k) => {
    const level = perLevel.get(levels[k]!) ?? { sum: 0, filled: 0 };
    level.sum += count;
    if (count > 0) level.filled++;
    perLevel.set(levels[k]!, level);
  });
  const q = p.map((count, k) => (count > 0 ? perLevel.get(levels[k]!)!.sum / perLevel.get(levels[k]!)!.filled : 0));
  for (let i = 0; i < h.histogram.length; i++) {
    if (i < inside[0]!) p[0]! += h.histogram[i]!;
    if (i > inside.at(-1)!) p[p.length - 1]! += h.histogram[i]!;
  }
  const [massP, massQ] = [p, q].map((list) => list.reduce((a, b) => a + b, 0)) as [number, number];
  let kl = 0;
  for (let k = 0; k < p.length; k++) if (p[k]! > 0) kl += (p[k]! / massP) * Math.log(p[k]! / massP / (q[k]! / massQ));
  return kl;
}

/** Least divergence over every pair of bin edges, or of those pairs that `wanted` picks. */
function exhaustive(h: HistogramLike, scheme: RangeScheme, wanted: (lo: number, hi: number) => boolean = () => true): number {
  const bins = h.histogram.length;
  const width = (h.histogramMax - h.histogramMin) / bins;
  const edges = Array.from({ length: bins + 1 }, (_, i) => h.histogramMin + i * width);
  let best = Number.POSITIVE_INFINITY;
  for (const lo of [...edges.filter((x) => x < 0), 0])
    for (const hi of [0, ...edges.filter((x) => x > 0)])
      if (lo < hi && wanted(lo, hi) && qparamsFromRange(lo, hi, scheme).scale[0]! >= width * 0.999)
        best = Math.min(best, error(h, lo, hi, scheme));
  return best;
}

function error(h: HistogramLike, lo: number, hi: number, scheme: RangeScheme): number {
  const params = qparamsFromRange(lo, hi, scheme);
  const bound = Math.max(-lo, hi);
  return scheme.symmetric ? klByDefinition(h, -bound, bound, params) : klByDefinition(h, lo, hi, params);
}

/** Bell-shaped values, skewed, with a few far ones on the right. */
function skewed(seed: number, bins: number, outliers = 0): HistogramLike {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: 40_000 }, (_, i) => {
    if (i < outliers) return 30 + i;
    const x = random.normal();
    return x > 0 ? x * x : 0.4 * x;
  });
  const [min, max] = [Math.min(...data), Math.max(...data)];
  const histogram = new Uint32Array(bins);
  for (const x of data) histogram[Math.min(bins - 1, Math.floor(((x - min) / (max - min)) * bins))]!++;
  return { min, max, histogram, histogramMin: min, histogramMax: max };
}

describe('leastDivergenceRange', () => {
  it.each([
    ['asymmetric', UINT8],
    ['symmetric', INT8_SYMMETRIC],
  ] as const)('finds what an exhaustive search over both ends finds (%s)', (_, scheme) => {
    // 400 bins, half of them empty: fewer edges than candidates, so that the search skips none.
    const h = skewed(5, 400);
    const [lo, hi] = leastDivergenceRange(h, scheme);
    const found = error(h, lo, hi, scheme);
    const best = exhaustive(h, scheme);
    expect(best).toBeGreaterThan(0);
    expect(found).toBeLessThanOrEqual(best * 1.1);
    expect(found).toBeCloseTo(
      exhaustive(h, scheme, (a, b) => a === lo || b === hi),
      10,
    );
    expect(error(h, Math.min(0, h.min), h.max, scheme)).toBeGreaterThan(found);
  });

  it('on fine histograms too, it clips far outliers and keeps the bulk', () => {
    const h = skewed(6, 2048, 5);
    const [lo, hi] = leastDivergenceRange(h, UINT8);
    expect(hi).toBeLessThan(0.6 * h.max);
    expect(hi).toBeGreaterThan(percentileRange(h, 95)[1]);
    expect(lo).toBeLessThan(percentileRange(h, 99)[0] * 0.9);
    expect(error(h, lo, hi, UINT8)).toBeLessThan(0.9 * error(h, h.min, h.max, UINT8));
  });

  it('keeps the whole range where nothing is gained by clipping: as many levels as values', () => {
    const histogram = Uint32Array.from({ length: 200 }, (_, i) => 50 + ((i * 37) % 100));
    expect(leastDivergenceRange({ min: 0, max: 200, histogram, histogramMin: 0, histogramMax: 200 }, UINT8)).toEqual([0, 200]);
  });

  it('contains 0, stays within the extremes, and takes empty and constant histograms', () => {
    const far = { min: 5, max: 6, histogram: new Uint32Array(512).fill(3), histogramMin: 5, histogramMax: 6 };
    const [lo, hi] = leastDivergenceRange(far, UINT8);
    expect(lo).toBe(0);
    expect(hi).toBeGreaterThan(5);
    expect(hi).toBeLessThanOrEqual(6);
    expect(leastDivergenceRange({ ...far, histogram: new Uint32Array(8) }, UINT8)).toEqual([5, 6]);
    const zero = { min: 0, max: 0, histogram: Uint32Array.of(9), histogramMin: 0, histogramMax: 2 ** -126 };
    const [a, b] = leastDivergenceRange(zero, UINT8);
    expect(a).toBe(0);
    expect(Math.abs(b)).toBe(0);
  });
});
