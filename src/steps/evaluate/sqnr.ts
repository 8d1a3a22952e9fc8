/** Signal-to-quantization-noise ratio of outputs: what judges a network that is no known detector. */
import type { RunTensor } from '../../runtime';

/** Stands for "equal bit by bit" in a figure that must stay finite. */
export const EXACT_DB = 200;

/** Output → Σ r² and Σ (r − x)². */
export type SqnrSums = ReadonlyMap<string, { readonly signal: number; readonly noise: number }>;

export interface SqnrMeter {
  readonly sums: SqnrSums;
  add(reference: Readonly<Record<string, RunTensor>>, outputs: Readonly<Record<string, RunTensor>>): void;
  /** 10·log10(Σ r² / Σ (r − x)²) in dB over all images, of the output where it is lowest; null before any float output. */
  result(): number | null;
}

/** Outputs are paired by name, else by position; integer outputs (class indices, counts) are left out. @param before what it starts from */
export function sqnrMeter(before: readonly SqnrSums[] = []): SqnrMeter {
  const sums = new Map<string, { signal: number; noise: number }>();
  for (const image of before)
    for (const [name, { signal, noise }] of image) {
      const sum = sums.get(name) ?? { signal: 0, noise: 0 };
      sums.set(name, { signal: sum.signal + signal, noise: sum.noise + noise });
    }
  return {
    sums,
    add(reference, outputs) {
      const values = Object.values(outputs);
      Object.entries(reference).forEach(([name, r], position) => {
        const x = outputs[name] ?? values[position];
        if (!(r.data instanceof Float32Array || r.data instanceof Float64Array) || x?.data.length !== r.data.length) return;
        const sum = sums.get(name) ?? { signal: 0, noise: 0 };
        for (let i = 0; i < r.data.length; i++) {
          const error = r.data[i]! - Number(x.data[i]);
          sum.signal += r.data[i]! ** 2;
          sum.noise += error ** 2;
        }
        sums.set(name, sum);
      });
    },
    result() {
      const decibels = [...sums.values()]
        .filter(({ signal }) => signal > 0)
        .map(({ signal, noise }) => (noise === 0 ? EXACT_DB : 10 * Math.log10(signal / noise)));
      return decibels.length > 0 ? Math.min(EXACT_DB, ...decibels) : null;
    },
  };
}
