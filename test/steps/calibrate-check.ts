/** Brute force: all values of all images, taken out of the network and computed in float64. */
import { expect } from 'vitest';
import type { ImageSet } from '../../src/data';
import { defaultPreprocess, preprocess } from '../../src/models';
import { type Model, serializeModel } from '../../src/onnx';
import { addTaps, type Engine } from '../../src/runtime';
import type { TensorStats } from '../../src/steps';

/** Name → one array of values per image. */
export async function bruteForce(model: Model, images: ImageSet, engine: Engine): Promise<Map<string, Float32Array[]>> {
  const names = model.graph.nodes.flatMap((n) => n.outputs);
  const session = await engine.create(serializeModel(addTaps(model, names)), { optimization: 'disabled' });
  const all = new Map<string, Float32Array[]>([['images', []], ...names.map((name) => [name, []] as [string, Float32Array[]])]);
  for (let i = 0; i < images.entries.length; i++) {
    const data = preprocess(await images.load(i), defaultPreprocess(model)!).input as Float32Array;
    const outputs = await session.run({ images: { dtype: 'float32', dims: [1, 3, 32, 32], data } });
    all.get('images')!.push(data);
    for (const name of names) all.get(name)!.push(outputs[name]!.data as Float32Array);
  }
  await session.release();
  return all;
}

/** `complete`: histogram and moments saw every value, else they saw a sample. */
export function expectStats(stats: TensorStats, values: readonly Float32Array[], channels: number, complete: boolean): void {
  const flat = values.flatMap((v) => [...v]);
  const peak = Math.max(...flat.map(Math.abs));
  const near = (a: number, b: number, tolerance: number) =>
    expect(Math.abs(a - b), `${stats.name}: ${a} for ${b}`).toBeLessThanOrEqual(tolerance);
  // A large SiLU's minimum is bounded, not measured, on a CPU; what follows from it by Concat too.
  const slack = !complete && ['silu', 'joined'].includes(stats.name) ? 2e-3 : 2e-6 * peak;
  near(stats.min, Math.min(...flat), slack);
  near(stats.max, Math.max(...flat), 2e-6 * peak);
  expect(stats.count).toBe(flat.length);
  const size = values[0]!.length / channels;
  for (let c = 0; c < channels; c++) {
    const channel = values.flatMap((v) => [...v.subarray(c * size, (c + 1) * size)]);
    near(stats.channelMin![c]!, Math.min(...channel), slack);
    near(stats.channelMax![c]!, Math.max(...channel), 2e-6 * peak);
  }
  const mean = flat.reduce((a, b) => a + b, 0) / flat.length;
  const variance = flat.reduce((a, b) => a + (b - mean) ** 2, 0) / flat.length;
  const counted = stats.histogram.reduce((a, b) => a + b, 0);
  expect(counted).toBe(stats.histogramCount);
  if (complete) expect(counted).toBe(flat.length);
  else expect(counted).toBeLessThan(flat.length);
  // A sample's mean strays by its standard error; 6 of them never happen by chance.
  near(stats.mean, mean, complete ? 1e-5 * peak : 6 * Math.sqrt(variance / counted));
  near(stats.variance, variance, complete ? 1e-5 * peak ** 2 : 0.25 * variance + 1e-12);
  // The histogram's own median agrees with the values'.
  const width = (stats.histogramMax - stats.histogramMin) / stats.histogram.length;
  expect(stats.histogramMin).toBeLessThanOrEqual(stats.min);
  expect(stats.histogramMax).toBeGreaterThanOrEqual(complete ? stats.max : stats.histogramMin);
  if (complete) {
    let below = 0;
    const edge = stats.histogramMin + width * Math.floor(stats.histogram.length / 2);
    for (let i = 0; i < Math.floor(stats.histogram.length / 2); i++) below += stats.histogram[i]!;
    near(below, flat.filter((v) => v < edge).length, Math.ceil(1e-3 * flat.length));
  }
}
