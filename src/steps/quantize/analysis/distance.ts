/** Sums from which SQNR and cosine over many images follow. */
import type { RunTensor } from '../../../runtime';
import { sqnrDb } from '../error';

/** Σ x², Σ (x − y)², Σ x·y and Σ y² of exact x and rounded y. */
export interface Power {
  readonly signal: number;
  readonly noise: number;
  readonly product: number;
  readonly energy: number;
}

export const NO_POWER: Power = { signal: 0, noise: 0, product: 0, energy: 0 };

export function addPowers(a: Power, b: Power): Power {
  return { signal: a.signal + b.signal, noise: a.noise + b.noise, product: a.product + b.product, energy: a.energy + b.energy };
}

export function powerOf(exact: RunTensor, rounded: RunTensor): Power {
  const [a, b] = [exact.data as ArrayLike<number>, rounded.data as ArrayLike<number>];
  let [signal, noise, product, energy] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    const d = x - y;
    signal += x * x;
    noise += d * d;
    product += x * y;
    energy += y * y;
  }
  return { signal, noise, product, energy };
}

export function sqnrOf({ signal, noise }: Power): number {
  return sqnrDb(signal, noise);
}

/** 1 for two silent signals, 0 where only one is silent. */
export function cosineOf({ signal, product, energy }: Power): number {
  if (signal === 0 || energy === 0) return signal === energy ? 1 : 0;
  return Math.max(-1, Math.min(1, product / Math.sqrt(signal * energy)));
}

/** Per channel (axis 1) of an [N, C, …] tensor: the mean. */
export function channelMeans({ dims, data }: RunTensor): Float64Array {
  const channels = dims[1] ?? 1;
  const inner = dims.slice(2).reduce((a, b) => a * b, 1);
  const sums = new Float64Array(channels);
  const values = data as ArrayLike<number>;
  for (let i = 0, c = 0; i < values.length; c = (c + 1) % channels) {
    let sum = 0;
    for (const end = i + inner; i < end; i++) sum += values[i]!;
    sums[c]! += sum;
  }
  return sums.map((sum) => (sum * channels) / Math.max(1, values.length));
}
