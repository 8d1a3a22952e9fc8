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

/** Of each channel (axis 1 of [N, C, …]): values, Σ (y − x), Σ (y − x)², Σ x²; all channels in a row. */
export function channelPowers(exact: RunTensor, rounded: RunTensor): number[] {
  const channels = exact.dims[1] ?? 1;
  const inner = exact.dims.slice(2).reduce((a, b) => a * b, 1);
  const [x, y] = [exact.data as ArrayLike<number>, rounded.data as ArrayLike<number>];
  const sums = new Array<number>(channels * 4).fill(0);
  for (let i = 0, c = 0; i < x.length; c = (c + 1) % channels) {
    let [difference, noise, signal] = [0, 0, 0];
    for (const end = i + inner; i < end; i++) {
      const d = y[i]! - x[i]!;
      difference += d;
      noise += d * d;
      signal += x[i]! * x[i]!;
    }
    sums[c * 4]! += inner;
    sums[c * 4 + 1]! += difference;
    sums[c * 4 + 2]! += noise;
    sums[c * 4 + 3]! += signal;
  }
  return sums;
}

/** Float outputs only: class numbers and counts have no error. */
export function floats(outputs: Readonly<Record<string, RunTensor>>): Record<string, RunTensor> {
  return Object.fromEntries(Object.entries(outputs).filter(([, { dtype }]) => dtype === 'float32'));
}

/** Of all outputs together. */
export function outputPower(exact: Readonly<Record<string, RunTensor>>, other: Readonly<Record<string, RunTensor>>): Power {
  return Object.entries(exact)
    .map(([name, tensor]) => powerOf(tensor, other[name]!))
    .reduce(addPowers, NO_POWER);
}
