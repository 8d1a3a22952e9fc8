/** ONNX Runtime (one thread, no optimization) as the judge of our files. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { createRandom, type DType } from '../../src/numerics';
import { type Dim, type Model, serializeModel } from '../../src/onnx';

export interface Value {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

export type Feeds = Record<string, OrtTensor>;

/** Runs the file and gives every output. */
export async function runBytes(bytes: Uint8Array, feeds: Feeds): Promise<Record<string, Value>> {
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  });
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(
      session.outputNames.map((name) => {
        const { type, dims, data } = results[name]!;
        return [name, { type, dims, data: data as ArrayLike<number | bigint> }];
      }),
    );
  } finally {
    await session.release();
  }
}

export function runModel(model: Model, feeds: Feeds): Promise<Record<string, Value>> {
  return runBytes(serializeModel(model), feeds);
}

export function f32(dims: readonly number[], values: ArrayLike<number>): OrtTensor {
  return new OrtTensor('float32', Float32Array.from(values), dims);
}

/** Seeded normal values for every input; symbolic dimensions take `size(dim, index)`. */
export function randomFeeds(model: Model, size: (dim: Dim, index: number) => number = () => 1, seed = 1, spread = 1): Feeds {
  const random = createRandom(seed);
  return Object.fromEntries(
    model.graph.inputs.map((input) => {
      const dims = (input.shape ?? []).map((dim, i) => (typeof dim === 'number' ? dim : size(dim, i)));
      const count = dims.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length: count }, () => random.normal() * spread);
      if (input.dtype !== ('float32' satisfies DType)) throw new Error(`${input.name} is ${input.dtype}`);
      return [input.name, new OrtTensor('float32', data, dims)];
    }),
  );
}

/** Largest absolute difference; Infinity where shapes or names differ. */
export function maxDifference(a: Record<string, Value>, b: Record<string, Value>): number {
  if (Object.keys(a).join() !== Object.keys(b).join()) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (const [name, x] of Object.entries(a)) {
    const y = b[name]!;
    if (x.dims.join() !== y.dims.join()) return Number.POSITIVE_INFINITY;
    for (let i = 0; i < x.data.length; i++) {
      const p = Number(x.data[i]);
      const q = Number(y.data[i]);
      const difference = Object.is(p, q) ? 0 : Math.abs(p - q);
      worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    }
  }
  return worst;
}
