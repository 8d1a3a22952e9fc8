/** What `npm run bench` measures, the same code in Node and in the page: ratios within one run. */

import type { ImageSet } from '../../src/data';
import { detect, inputDims, PREVIEW_OPTIONS, preprocess } from '../../src/models';
import { parseModel, serializeModel } from '../../src/onnx';
import type { Engine, Tensors } from '../../src/runtime';
import { type ModelArtifact, resolveOptions, type StepContext } from '../../src/steps';
import { calibrate, calibrateMeta } from '../../src/steps/calibrate';
import { evaluate, evaluateMeta } from '../../src/steps/evaluate';
import { openModel } from '../../src/steps/open';

export interface BenchRow {
  readonly what: string;
  /** Milliseconds for an image, or MB/s where `unit` says so. */
  readonly value: number;
  readonly unit: 'ms/image' | 'MB/s' | 'ms';
  /** ÷ bare inference of the same images at the same level; null where it isn't a ratio. */
  readonly ratio: number | null;
}

export interface BenchInput {
  readonly name: string;
  readonly model: Uint8Array;
  readonly images: ImageSet;
}

const WARM_UP = 15;

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function context(engine: Engine, gpu: Engine | null): StepContext {
  return { engine, gpu, seed: 1, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
}

async function inputs(artifact: ModelArtifact, images: ImageSet): Promise<Tensors[]> {
  const { preprocess: p, input } = artifact.spec!;
  const feeds: Tensors[] = [];
  for (let i = 0; i < images.entries.length; i++) {
    const { input: data } = preprocess(await images.load(i), p);
    feeds.push({ [input]: { dtype: p.dtype, dims: inputDims(p), data } });
  }
  return feeds;
}

/** Milliseconds an image of bare runs, inputs ready before the clock. */
async function bare(engine: Engine, bytes: Uint8Array, feeds: readonly Tensors[], optimization: 'all' | 'disabled'): Promise<number> {
  const session = await engine.create(bytes, { optimization });
  try {
    for (let i = 0; i < WARM_UP; i++) await session.run(feeds[i % feeds.length]!);
    return (
      (await milliseconds(async () => {
        for (const feed of feeds) await session.run(feed);
      })) / feeds.length
    );
  } finally {
    await session.release();
  }
}

async function preview(engine: Engine, artifact: ModelArtifact, bytes: Uint8Array, images: ImageSet): Promise<number> {
  const spec = artifact.spec!;
  const sessions = [await engine.create(bytes), await engine.create(bytes)];
  const frames = await Promise.all(images.entries.map((_, i) => images.load(i)));
  const frame = async (i: number) => {
    const { input: data, placement } = preprocess(frames[i]!, spec.preprocess);
    const feed = { [spec.input]: { dtype: spec.preprocess.dtype, dims: inputDims(spec.preprocess), data } };
    for (const session of sessions) detect(spec, await session.run(feed), placement, PREVIEW_OPTIONS);
  };
  try {
    for (let i = 0; i < Math.min(4, frames.length); i++) await frame(i);
    return (
      (await milliseconds(async () => {
        for (let i = 0; i < frames.length; i++) await frame(i);
      })) / frames.length
    );
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** Parse and serialize in MB/s: the best of three. */
async function throughput(bytes: Uint8Array): Promise<{ parse: number; serialize: number }> {
  const megabytes = bytes.length / 1e6;
  let parse = 0;
  let serialize = 0;
  for (let i = 0; i < 3; i++) {
    let model = parseModel(bytes);
    parse = Math.max(parse, megabytes / ((await milliseconds(async () => (model = parseModel(bytes)))) / 1000));
    serialize = Math.max(serialize, megabytes / ((await milliseconds(async () => serializeModel(model))) / 1000));
  }
  return { parse, serialize };
}

/** Everything for one engine. `gpu` is used for calibration only, as in the product. */
export async function measure(engine: Engine, gpu: Engine | null, input: BenchInput): Promise<BenchRow[]> {
  const artifact = await openModel(input.name, input.model);
  const bytes = serializeModel(artifact.model);
  const feeds = await inputs(artifact, input.images);
  const ctx = context(engine, gpu);
  const base = await bare(gpu ?? engine, bytes, feeds, 'all');
  const rows: BenchRow[] = [{ what: 'bare inference', value: base, unit: 'ms/image', ratio: 1 }];
  const perImage = async (what: string, reference: number, work: () => Promise<unknown>) => {
    await work(); // warm: session creation and tier-up of the WASM module are measured once, not per image
    const value = (await milliseconds(work)) / feeds.length;
    rows.push({ what, value, unit: 'ms/image', ratio: value / reference });
  };
  await perImage('calibration', base, () => calibrate(artifact, input.images, resolveOptions(calibrateMeta, {}), ctx));
  if (gpu) return rows;
  const disabled = await bare(engine, bytes, feeds, 'disabled');
  rows.push({ what: 'bare inference, level disabled', value: disabled, unit: 'ms/image', ratio: disabled / base });
  const target = { ...artifact, environment: 'FP32' };
  await perImage('evaluation (÷ bare at its level)', disabled, () => evaluate(target, input.images, resolveOptions(evaluateMeta, {}), ctx));
  const frame = await preview(engine, artifact, bytes, input.images);
  rows.push({ what: 'preview frame ÷ two inferences', value: frame, unit: 'ms', ratio: frame / (2 * base) });
  const { parse, serialize } = await throughput(bytes);
  rows.push(
    { what: 'parse ONNX', value: parse, unit: 'MB/s', ratio: null },
    { what: 'serialize ONNX', value: serialize, unit: 'MB/s', ratio: null },
  );
  return rows;
}
