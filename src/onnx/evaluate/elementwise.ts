/** Constant kernels that work element by element. */
import { roundHalfEven } from '../../numerics';
import { attrInt } from '../build';
import { storageOf } from '../dtypes';
import type { Tensor } from '../graph';
import { broadcastStrides, fromNumbers, type NumericData, product, sameType, toNumbers, walk } from './arrays';
import type { Kernel } from './types';

type Unary = (x: number) => number;

/** float32 results are rounded once from float64: exact for + − × ÷ √, within an ulp of a library elsewhere. */
export function unary(f: Unary): Kernel {
  return ([x], [out]) => {
    const t = fromNumbers(x!.dtype, out!, toNumbers(x!).map(f));
    return t && [t];
  };
}

export const round = unary(roundHalfEven);

interface Pair {
  readonly number: (a: number, b: number) => number;
  /** For int64 and uint64, whose values a number may not hold. */
  readonly big?: (a: bigint, b: bigint) => bigint;
}

const isBig = (t: Tensor) => t.dtype === 'int64' || t.dtype === 'uint64';

function pairs(a: Tensor, b: Tensor, dims: readonly number[], each: (i: number, ia: number, ib: number) => void): void {
  const right = new Uint32Array(product(dims));
  walk(dims, broadcastStrides(b.dims, dims), 0, (index, i) => {
    right[i] = index;
  });
  walk(dims, broadcastStrides(a.dims, dims), 0, (index, i) => each(i, index, right[i]!));
}

function combine(a: Tensor, b: Tensor, dims: readonly number[], pair: Pair, dtype: Tensor['dtype']): Tensor | null {
  if (isBig(a) && isBig(b) && dtype === a.dtype) {
    if (!pair.big) return null;
    const [x, y] = [a.data as BigInt64Array, b.data as BigInt64Array];
    const data = dtype === 'int64' ? new BigInt64Array(product(dims)) : new BigUint64Array(product(dims));
    pairs(a, b, dims, (i, ia, ib) => {
      data[i] = pair.big!(x[ia]!, y[ib]!);
    });
    return { name: '', dtype, dims, data };
  }
  const [x, y] = [toNumbers(a), toNumbers(b)];
  const numbers = new Array<number>(product(dims));
  pairs(a, b, dims, (i, ia, ib) => {
    numbers[i] = pair.number(x[ia]!, y[ib]!);
  });
  return fromNumbers(dtype, dims, numbers);
}

/** Two or more broadcast inputs, folded from the left; the type of the first. */
export function binary(number: Pair['number'], big?: Pair['big']): Kernel {
  return (inputs, [dims]) => {
    const [first, ...rest] = inputs as readonly Tensor[];
    let result: Tensor | null = first!;
    for (const next of rest) {
      if (!result) return null;
      const to: readonly number[] = rest.length === 1 ? dims! : joint(result.dims, next.dims);
      result = combine(result, next, to, big ? { number, big } : { number }, first!.dtype);
    }
    return result && [result];
  };
}

function joint(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    return p === 1 ? q : p;
  });
}

/** Truncating for integers, as C divides. A zero divisor makes the whole fold give up. */
export const divide: Kernel = (inputs, out) => {
  const [a, b] = inputs as readonly [Tensor, Tensor];
  const float = a.dtype.startsWith('float');
  if (!float && toNumbers(b).includes(0)) return null;
  return binary(
    (x, y) => (float ? x / y : Math.trunc(x / y)),
    (x, y) => x / y,
  )(inputs, out, null as never);
};

/** The sign of the divisor for integers, C's fmod where the attribute asks for it. */
export const modulo: Kernel = (inputs, out, c) => {
  if (toNumbers(inputs[1]!).includes(0)) return null;
  const fmod = attrInt(c.node, 'fmod', 0) === 1;
  return binary(
    (x, y) => (fmod ? x % y : ((x % y) + y) % y),
    (x, y) => (fmod ? x % y : ((x % y) + y) % y),
  )(inputs, out, c);
};

/** 64-bit integers with a negative exponent, or one that only 0 and ±1 can bear, are left to the runtime. */
export const power: Kernel = ([a, b], [dims]) => {
  if (isBig(a!) && toNumbers(b!).some((v) => v < 0 || v > 63)) return null;
  const t = combine(a!, b!, dims!, { number: (x, y) => x ** y, big: (x, y) => x ** y }, a!.dtype);
  return t && [t];
};

/** A comparison or logical operator on two inputs. */
export function compare(test: (a: number, b: number) => boolean): Kernel {
  return ([a, b], [dims]) => {
    const t = combine(a!, b!, dims!, { number: (x, y) => (test(x, y) ? 1 : 0) }, 'bool');
    return t && [t];
  };
}

export const where: Kernel = ([condition, a, b], [dims]) => {
  if (condition!.dtype !== 'bool' || !sameType(a!, b!)) return null;
  const data = (a!.data as NumericData).slice(0, 0).constructor as new (length: number) => NumericData;
  const out = new data(product(dims!));
  const picks = new Uint8Array(out.length);
  walk(dims!, broadcastStrides(condition!.dims, dims!), 0, (index, i) => {
    picks[i] = (condition!.data as Uint8Array)[index]!;
  });
  pairs(a!, b!, dims!, (i, ia, ib) => {
    out[i] = picks[i] ? (a!.data as NumericData)[ia]! : (b!.data as NumericData)[ib]!;
  });
  return [{ ...a!, dims: dims!, data: out }];
};

export const cast: Kernel = ([x], [dims], c) => {
  const to = storageOf(attrInt(c.node, 'to', 0))?.dtype;
  if (!to) return null;
  if (to === x!.dtype) return [x!];
  const t = fromNumbers(to, dims!, toNumbers(x!));
  return t && [t];
};

/** Bounds as inputs (opset 11) or attributes. */
export const clip: Kernel = ([x, low, high], [dims], c) => {
  const bound = (t: Tensor | null | undefined, name: string, fallback: number) => {
    const a = c.node.attributes[name];
    return t ? toNumbers(t)[0]! : a?.type === 'float' ? a.value : fallback;
  };
  const [min, max] = [bound(low, 'min', Number.NEGATIVE_INFINITY), bound(high, 'max', Number.POSITIVE_INFINITY)];
  const t = fromNumbers(
    x!.dtype,
    dims!,
    toNumbers(x!).map((v) => Math.min(Math.max(v, min), max)),
  );
  return t && [t];
};
