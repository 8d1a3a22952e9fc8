/** How kernels see a tensor: [outer, channels, inner], axis 1 being the channels; rank < 2 has one channel. */
import { StudioError } from '../numerics';

export interface Planes {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** Throws 'bad-data' for a shape without elements or with a dimension that is no whole number. */
export function planesOf(dims: readonly number[]): Planes {
  if (dims.some((d) => !Number.isInteger(d) || d < 1))
    throw new StudioError(
      'bad-data',
      `A kernel can't read the shape [${dims.join(', ')}].`,
      'Use WASM instead, or give the inputs fixed sizes.',
    );
  const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  if (dims.length < 2) return { outer: 1, channels: 1, inner: product(dims) };
  return { outer: dims[0]!, channels: dims[1]!, inner: product(dims.slice(2)) };
}

export const elementsOf = ({ outer, channels, inner }: Planes): number => outer * channels * inner;

/** The kernels' uniform: outer, channels, inner, all. */
export const planeParams = (p: Planes): Uint32Array<ArrayBuffer> => new Uint32Array([p.outer, p.channels, p.inner, elementsOf(p)]);
