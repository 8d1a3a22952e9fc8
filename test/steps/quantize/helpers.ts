/** Small networks, ranges measured by running them, and what the tests ask of a quantized network. */

import { createRandom, type Random } from '../../../src/numerics';
import { type Model, type Node, serializeModel, type Tensor, tensor, type ValueInfo, valueInfo } from '../../../src/onnx';
import { addTaps, type Engine, type RunTensor, type Tensors } from '../../../src/runtime';
import { createNodeEngine } from '../../../src/runtime/node';
import type { OptionValues } from '../../../src/steps';
import { quantize } from '../../../src/steps/quantize';
import type { ModelArtifact, QuantArtifact, RangesArtifact, TensorStats } from '../../../src/steps/types';

let shared: Promise<Engine> | null = null;
/** One engine, one thread, for all tests of a file. */
export function engine(): Promise<Engine> {
  return (shared ??= createNodeEngine({ threads: 1 }));
}

export const quiet = { cancel: { aborted: false, throwIfAborted() {} }, progress() {} };

export function f32(name: string, dims: readonly number[], data: ArrayLike<number>): Tensor {
  return tensor(name, 'float32', dims, Float32Array.from(data));
}

export function value(name: string, shape: readonly number[]): ValueInfo {
  return valueInfo(name, 'float32', shape);
}

export function feed(dims: readonly number[], data: ArrayLike<number>): RunTensor {
  return { dtype: 'float32', dims, data: Float32Array.from(data) };
}

export function normals(random: Random, length: number, sigma = 1): Float32Array {
  return Float32Array.from({ length }, () => random.normal() * sigma);
}

/** −1, 0, 1, 2, … as ../shared/cases.md feeds its cases. */
export function ramp(dims: readonly number[]): RunTensor {
  const length = dims.reduce((a, b) => a * b, 1);
  return feed(
    dims,
    Float32Array.from({ length }, (_, i) => i - 1),
  );
}

export async function run(model: Model, feeds: Tensors, optimization: 'disabled' | 'all' = 'disabled'): Promise<Record<string, RunTensor>> {
  const session = await (await engine()).create(serializeModel(model), { optimization });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

export function statsOf(name: string, arrays: readonly ArrayLike<number>[], bins = 2048): TensorStats {
  let [min, max, count, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const array of arrays)
    for (let i = 0; i < array.length; i++) {
      const x = array[i]!;
      min = Math.min(min, x);
      max = Math.max(max, x);
      count++;
      sum += x;
      squares += x * x;
    }
  const histogram = new Uint32Array(bins);
  for (const array of arrays)
    for (let i = 0; i < array.length; i++) histogram[Math.min(bins - 1, Math.floor(((array[i]! - min) / (max - min || 1)) * bins))]!++;
  const mean = sum / count;
  return {
    name,
    min,
    max,
    mean,
    variance: squares / count - mean * mean,
    count,
    histogramCount: count,
    histogram,
    histogramMin: min,
    histogramMax: max,
  };
}

/** Ranges of every float value, measured by running `model` on `feeds`. */
export async function rangesOf(model: Model, feeds: readonly Tensors[], modelHash = 'hash'): Promise<RangesArtifact> {
  const names = model.graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const session = await (await engine()).create(serializeModel(addTaps(model, names)), { optimization: 'disabled' });
  const seen = new Map<string, ArrayLike<number>[]>();
  try {
    for (const one of feeds) {
      const outputs = { ...one, ...(await session.run(one)) };
      for (const [name, result] of Object.entries(outputs))
        if (result.dtype === 'float32') seen.set(name, [...(seen.get(name) ?? []), (result.data as Float32Array).slice()]);
    }
  } finally {
    await session.release();
  }
  const tensors = new Map([...seen].map(([name, arrays]) => [name, statsOf(name, arrays)]));
  return { kind: 'ranges', hash: 'ranges', modelHash, images: feeds.length, backend: 'node', tensors };
}

export function artifactOf(model: Model): ModelArtifact {
  return { kind: 'model', hash: 'hash', name: 'test.onnx', model, spec: null };
}

/** Calibrates on `feeds` (min-max unless said) and quantizes. */
export async function quantized(model: Model, feeds: readonly Tensors[], options: OptionValues = {}): Promise<QuantArtifact> {
  return quantize(artifactOf(model), await rangesOf(model, feeds), { calibrator: 'minmax', ...options }, quiet);
}

export function nodesOf(model: Model, op: string): readonly Node[] {
  return model.graph.nodes.filter((node) => node.op === op);
}

/** 10 · log₁₀ of signal over error power. */
export function sqnr(exact: ArrayLike<number>, rounded: ArrayLike<number>): number {
  let [signal, noise] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    signal += exact[i]! ** 2;
    noise += (exact[i]! - rounded[i]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

export { createRandom };
