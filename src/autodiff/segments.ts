/**
 * Where a network is cut so that what lies between two cuts can be computed again on the way back instead of being kept: Chen et
 * al., "Training Deep Nets with Sublinear Memory Cost" (2016). What crosses a cut is kept.
 */
import type { Node } from '../onnx';

/** 'segments': as many as need the least memory; or a number of them. */
export type Recompute = 'none' | 'segments' | number;

export interface Segments {
  /** Segment of each node, in order; the last segment is never computed again. */
  readonly of: readonly number[];
  readonly count: number;
  /** Values that later segments read too. */
  readonly kept: ReadonlySet<string>;
}

/** Segments that are tried at most: with more, what crosses the cuts outweighs what the segments save. */
const MOST = 32;

interface Live {
  /** Bytes made by node i. */
  readonly made: readonly number[];
  /** Bytes made before node i that it or a later node reads. */
  readonly crossing: readonly number[];
  /** Value → nodes that make and last read it. */
  readonly spans: ReadonlyMap<string, readonly [number, number]>;
}

function lifetimes(nodes: readonly Node[], bytes: (value: string) => number): Live {
  const spans = new Map<string, [number, number]>();
  for (const [i, n] of nodes.entries()) {
    for (const x of n.inputs) {
      const span = spans.get(x);
      if (span) span[1] = i;
    }
    for (const y of n.outputs) if (y !== '') spans.set(y, [i, i]);
  }
  const made = nodes.map(({ outputs }) => outputs.reduce((sum, y) => sum + (y === '' ? 0 : bytes(y)), 0));
  const steps = new Array<number>(nodes.length + 1).fill(0);
  for (const [value, [from, to]] of spans) {
    steps[from + 1]! += bytes(value);
    steps[to + 1]! -= bytes(value);
  }
  let alive = 0;
  const crossing = steps.slice(0, nodes.length).map((step) => (alive += step));
  return { made, crossing, spans };
}

/** First nodes of all segments but the first: near equal shares of all bytes, where least crosses. */
function cuts({ made, crossing }: Live, count: number): number[] {
  const total = made.reduce((a, b) => a + b, 0);
  const share = total / count;
  const found: number[] = [];
  let before = 0;
  let best = -1;
  for (let i = 0; i < made.length && found.length < count - 1; i++) {
    const target = (found.length + 1) * share;
    if (before > target + share / 3) {
      found.push(best < 0 ? i : best);
      best = -1;
    } else if (before > target - share / 3 && (best < 0 || crossing[i]! < crossing[best]!)) best = i;
    before += made[i]!;
  }
  if (best >= 0 && found.length < count - 1) found.push(best);
  return [...new Set(found)].filter((at) => at > 0);
}

function segmentsAt(starts: readonly number[], { made, spans }: Live, bytes: (value: string) => number) {
  let at = 0;
  const of = made.map((_, i) => (starts[at] === i ? ++at : at));
  const kept = new Set<string>();
  for (const [value, [from, to]] of spans) if (of[from] !== of[to]) kept.add(value);
  const size = new Array<number>(starts.length + 1).fill(0);
  for (const [i, segment] of of.entries()) size[segment]! += made[i]!;
  const peak = [...kept].reduce((sum, value) => sum + bytes(value), 0) + Math.max(...size);
  return { segments: { of, count: starts.length + 1, kept }, peak };
}

/**
 * @param nodes in order
 * @param bytes size of a value
 * @returns null where nothing is to be computed again
 */
export function planSegments(nodes: readonly Node[], bytes: (value: string) => number, recompute: Recompute): Segments | null {
  if (recompute === 'none' || recompute === 1 || nodes.length < 2) return null;
  const live = lifetimes(nodes, bytes);
  const counts = recompute === 'segments' ? Array.from({ length: MOST - 1 }, (_, i) => i + 2) : [recompute];
  const plans = counts.map((count) => segmentsAt(cuts(live, count), live, bytes));
  const best = plans.reduce((a, b) => (b.peak < a.peak ? b : a));
  return best.segments.count > 1 ? best.segments : null;
}
