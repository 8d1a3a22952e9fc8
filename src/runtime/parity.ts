/** Does another engine compute the same numbers? WebGPU has given wrong ones without an error in public reports. */
import { StudioError } from '../numerics';
import type { Engine, Tensors } from './types';

export interface Parity {
  /** Largest |a − b| over all outputs and feeds. */
  readonly maxAbs: number;
  /** maxAbs of each output divided by that output's largest |a|; the worst output counts. */
  readonly maxRel: number;
  /** Signal-to-noise ratio of the worst output, a being the signal; Infinity when equal. */
  readonly sqnrDb: number;
  /** maxRel ≤ tolerance and no NaN or infinity where a has none. */
  readonly admitted: boolean;
}

export interface ParityOptions {
  /** Bound on maxRel; default 1e-3 (two correct float32 engines differ by about 1e-5 on YOLOX-Nano). */
  readonly tolerance?: number;
}

/**
 * Runs every feed through both engines and compares all outputs; `reference` is trusted. Sessions are released in
 * any case. Throws what the engines throw, and 'bad-data' without feeds.
 */
export async function parityCheck(
  model: Uint8Array,
  feeds: readonly Tensors[],
  reference: Engine,
  candidate: Engine,
  options: ParityOptions = {},
): Promise<Parity> {
  if (feeds.length === 0) throw new StudioError('bad-data', 'A parity check needs at least one input.', 'Give images.');
  const tolerance = options.tolerance ?? 1e-3;
  const expected = await runAll(reference, model, feeds);
  const actual = await runAll(candidate, model, feeds);
  let maxAbs = 0;
  let maxRel = 0;
  let sqnrDb = Number.POSITIVE_INFINITY;
  for (const [i, outputs] of expected.entries())
    for (const [name, a] of Object.entries(outputs)) {
      const b = actual[i]![name];
      const difference = compare(a.data, b?.data ?? []);
      maxAbs = Math.max(maxAbs, difference.maxAbs);
      maxRel = Math.max(maxRel, difference.maxAbs === 0 ? 0 : difference.maxAbs / (difference.peak || 1));
      sqnrDb = Math.min(sqnrDb, difference.noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(difference.signal / difference.noise));
    }
  return { maxAbs, maxRel, sqnrDb, admitted: maxRel <= tolerance };
}

async function runAll(engine: Engine, model: Uint8Array, feeds: readonly Tensors[]) {
  const session = await engine.create(model);
  try {
    const results = [];
    for (const feed of feeds) results.push(await session.run(feed));
    return results;
  } finally {
    await session.release();
  }
}

/** A NaN, an infinity or a missing value where `a` has a number counts as an infinite difference. */
function compare(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>) {
  let maxAbs = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  let peak = 0;
  let signal = 0;
  let noise = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const x = Number(a[i]);
    const y = Number(b[i]);
    if (!Number.isFinite(x) && (x === y || (Number.isNaN(x) && Number.isNaN(y)))) continue;
    const d = Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) : Number.POSITIVE_INFINITY;
    if (d > maxAbs) maxAbs = d;
    if (Number.isFinite(x)) {
      peak = Math.max(peak, Math.abs(x));
      signal += x * x;
    }
    noise += d * d;
  }
  return { maxAbs, peak, signal, noise };
}
