/** A seeded generator: the same seed gives the same sequence in Node and in every browser. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Standard normal (Box–Muller). Its last bit may differ between JavaScript engines, as Math.log does. */
  normal(): number;
  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<T>(array: T[]): T[];
  /** Where it is, as data. */
  save(): RandomState;
  /** Goes on from there. */
  load(state: RandomState): void;
}

/** The generator's 32 bits, and the normal number that is drawn already. */
export type RandomState = readonly [bits: number, spare: number | null];

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, period 2³², ample for sampling and augmentation. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  let spare: number | null = null;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (n: number): number => Math.floor(next() * n);
  return {
    next,
    int,
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    shuffle(array) {
      for (let i = array.length - 1; i > 0; i--) {
        const j = int(i + 1);
        [array[i], array[j]] = [array[j]!, array[i]!];
      }
      return array;
    },
    save: () => [state, spare],
    load([bits, drawn]) {
      [state, spare] = [bits, drawn];
    },
  };
}
