/**
 * The range that loses the least information: KL divergence between the values and their quantized form, as in
 * S. Migacz, "8-bit Inference with TensorRT", GTC 2017, there for |x| and one threshold, here for both ends of the grid.
 */
import type { HistogramLike } from './histogram';
import { type QParams, qparamsFromRange, type RangeScheme } from './qparams';

/** Bins from index `from` (counts before it are outliers) up to, not including, `to`. */
interface Bins {
  readonly from: number;
  readonly to: number;
}

/** Prefix sums over a histogram, so that the divergence of one range costs a step per level and not one per bin. */
interface Sums {
  readonly h: HistogramLike;
  readonly width: number;
  readonly mass: Float64Array;
  readonly filled: Uint32Array;
  readonly entropy: Float64Array;
}

const xlogx = (x: number): number => (x > 0 ? x * Math.log(x) : 0);

function prefixSums(h: HistogramLike): Sums {
  const bins = h.histogram.length;
  const mass = new Float64Array(bins + 1);
  const filled = new Uint32Array(bins + 1);
  const entropy = new Float64Array(bins + 1);
  for (let i = 0; i < bins; i++) {
    const count = h.histogram[i]!;
    mass[i + 1] = mass[i]! + count;
    filled[i + 1] = filled[i]! + (count > 0 ? 1 : 0);
    entropy[i + 1] = entropy[i]! + xlogx(count);
  }
  return { h, width: (h.histogramMax - h.histogramMin) / bins, mass, filled, entropy };
}

/** The first bin whose centre is at `x` or above. */
function binAt({ h, width }: Sums, x: number): number {
  return Math.min(Math.max(Math.ceil((x - h.histogramMin) / width - 0.5), 0), h.histogram.length);
}

/**
 * KL(P ‖ Q) in nats. P: the counts inside the range, with what lies beyond either end added to the outermost bin. Q: the
 * counts inside (without those), summed over the bins of one level and spread evenly over the filled ones among them.
 * Infinite where Q is 0 and P is not.
 */
function divergence(sums: Sums, { from, to }: Bins, params: QParams): number {
  const { h, mass, filled, entropy } = sums;
  const total = mass.at(-1)!;
  const inside = mass[to]! - mass[from]!;
  const first = h.histogram[from]!;
  const last = h.histogram[to - 1]!;
  const below = mass[from]!;
  const above = total - mass[to]!;
  if (to - from < 1 || (below > 0 && first === 0) || (above > 0 && last === 0)) return Number.POSITIVE_INFINITY;
  let sum = entropy[to]! - entropy[from]!;
  if (to - from === 1) sum += xlogx(first + below + above) - xlogx(first);
  else sum += xlogx(first + below) - xlogx(first) + xlogx(last + above) - xlogx(last);
  const scale = params.scale[0]!;
  for (let q = params.qmin, start = from; q <= params.qmax && start < to; q++) {
    const end = q === params.qmax ? to : Math.min(to, Math.max(start, binAt(sums, (q - params.zeroPoint[0]! + 0.5) * scale)));
    if (end === start) continue;
    const count = mass[end]! - mass[start]!;
    const held = count + (start === from ? below : 0) + (end === to ? above : 0);
    if (count > 0) sum -= held * Math.log(count / (filled[end]! - filled[start]!));
    start = end;
  }
  return sum / total + Math.log(inside / total);
}

/** Candidates tried per end and round. */
const CANDIDATES = 256;

/** Rounds at most; two or three are enough. */
const ROUNDS = 4;

/** At most {@link CANDIDATES} entries of a list, the first always, evenly spread. */
function thinned(list: readonly number[]): readonly number[] {
  const stride = Math.ceil(list.length / CANDIDATES);
  return list.filter((_, i) => i % stride === 0);
}

/**
 * [lo, hi] of least divergence between the histogram and its form on the grid of `scheme`; each end in turn is searched
 * with the other held, starting from the whole histogram, until nothing improves. Ranges whose step is narrower than a bin aren't tried:
 * the histogram can't tell what rounding costs there, and a range of one bin would lose nothing at all.
 * The range contains 0; an empty histogram gives [min, max].
 */
export function leastDivergenceRange(h: HistogramLike, scheme: RangeScheme): readonly [number, number] {
  const sums = prefixSums(h);
  const { width } = sums;
  if (sums.mass.at(-1) === 0 || width === 0) return [h.min, h.max];
  const edges = { low: [0], high: [0] };
  for (let i = 0; i < h.histogram.length; i++) {
    if (h.histogram[i] === 0) continue;
    const left = h.histogramMin + i * width;
    if (left < 0) edges.low.push(left);
    if (left + width > 0) edges.high.push(left + width);
  }
  // Outermost first: at equal divergence, the wider range stays.
  const lows = thinned(edges.low.sort((a, b) => a - b));
  const highs = thinned(edges.high.sort((a, b) => b - a));
  const whole = [lows[0]!, highs[0]!] as const;
  const error = (lo: number, hi: number): number => {
    const params = qparamsFromRange(lo, hi, scheme);
    const fine = params.scale[0]! < width * 0.999;
    if (lo === hi || (fine && (lo !== whole[0] || hi !== whole[1]))) return Number.POSITIVE_INFINITY;
    const from = scheme.symmetric ? -Math.max(-lo, hi) : lo;
    return divergence(sums, { from: binAt(sums, from), to: binAt(sums, scheme.symmetric ? -from : hi) }, params);
  };
  let [lo, hi] = whole;
  let best = error(lo, hi);
  for (let round = 0, before = Number.POSITIVE_INFINITY; round < ROUNDS && best < before; round++) {
    before = best;
    for (const candidate of highs) {
      const found = error(lo, candidate);
      if (found < best) [best, hi] = [found, candidate];
    }
    for (const candidate of lows) {
      const found = error(candidate, hi);
      if (found < best) [best, lo] = [found, candidate];
    }
  }
  return [Math.max(lo, Math.min(h.min, 0)), Math.min(hi, Math.max(h.max, 0))];
}
