/** How much each channel of a value varies: the unit in which biases are trained and features are compared. */
import { type Model, serializeModel } from '../onnx';
import { addTaps, type Engine, type Tensors } from '../runtime';

/** Images looked at. */
const IMAGES = 8;

interface Moments {
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  count: number;
}

function collect(moments: Moments, data: Float32Array, channels: number, inner: number): void {
  for (let from = 0, c = 0; from < data.length; from += inner, c = (c + 1) % channels) {
    let sum = 0;
    let squares = 0;
    for (let i = from; i < from + inner; i++) {
      const v = data[i]!;
      sum += v;
      squares += v * v;
    }
    moments.sum[c] = moments.sum[c]! + sum;
    moments.squares[c] = moments.squares[c]! + squares;
  }
  moments.count += data.length / channels;
}

/**
 * Standard deviation per channel of some float32 values, by name (others are left out): channels lie on axis 1 of maps and on the last axis of matrices.
 * @param model the float network
 */
export async function channelSigma(
  model: Model,
  values: readonly string[],
  feeds: { readonly count: number; at(index: number): Promise<Tensors> },
  ctx: { readonly engine: Engine; readonly cancel: { throwIfAborted(): void } },
): Promise<ReadonlyMap<string, Float32Array>> {
  const names = [...new Set(values)];
  const found = new Map<string, Moments>();
  const session = await ctx.engine.create(serializeModel(addTaps(model, names)));
  try {
    for (let i = 0; i < Math.min(IMAGES, feeds.count); i++) {
      ctx.cancel.throwIfAborted();
      const outputs = await session.run(await feeds.at(Math.floor((i * feeds.count) / Math.min(IMAGES, feeds.count))), names);
      for (const name of names) {
        const { dims, data } = outputs[name]!;
        if (!(data instanceof Float32Array)) continue;
        const axis = dims.length > 2 ? 1 : dims.length - 1;
        const channels = dims[axis] ?? 1;
        const moments = found.get(name) ?? { sum: new Float64Array(channels), squares: new Float64Array(channels), count: 0 };
        found.set(name, moments);
        const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
        collect(moments, data, channels, inner);
      }
    }
  } finally {
    await session.release();
  }
  return new Map(
    [...found].map(([name, { sum, squares, count }]) => [
      name,
      Float32Array.from(sum, (s, c) => Math.sqrt(Math.max(squares[c]! / count - (s / count) ** 2, 1e-16))),
    ]),
  );
}

/** Mean of the squares; 0 of none. */
export const meanSquare = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, v) => sum + (v * v) / values.length, 0);
