/** What both ways of looking at an image again share: the inverse map along one axis, and draws from a range. */
import type { Random } from '../numerics';

/** One axis of the inverse map: for every target pixel the two source pixels, as array offsets, and the weight of the second; −1 = outside. */
export interface Axis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float32Array;
}

/**
 * Target pixels `from`…`to` − 1 of a line of `size` source pixels, rescaled by `scale`, shifted by `offset`, mirrored or not.
 * @param step array offset from one source pixel to the next
 */
export function axis(from: number, to: number, size: number, scale: number, offset: number, flip: boolean, step: number): Axis {
  const low = new Int32Array(to - from).fill(-1);
  const high = new Int32Array(to - from);
  const weight = new Float32Array(to - from);
  for (let i = 0; i < low.length; i++) {
    const at = (i + from - offset + 0.5) / scale - 0.5;
    if (at < -0.5 || at > size - 0.5) continue;
    const position = Math.min(Math.max(flip ? size - 1 - at : at, 0), size - 1);
    const base = Math.floor(position);
    low[i] = base * step;
    high[i] = Math.min(base + 1, size - 1) * step;
    weight[i] = position - base;
  }
  return { low, high, weight };
}

export const within = (random: Random, [low, high]: readonly [number, number]): number => low + (high - low) * random.next();
