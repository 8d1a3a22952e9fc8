/** What `npm run bench` measures, the same code in Node and in the page: ratios within one run. */
import type { ImageSet } from '../../src/data';
import { detect, inputDims, PREVIEW_OPTIONS, preprocess } from '../../src/models';
import { parseModel, serializeModel } from '../../src/onnx';
import type { Engine, Tensors } from '../../src/runtime';
import type { ModelArtifact, Progress, StepContext } from '../../src/steps';
import { calibrate } from '../../src/steps/calibrate';
import { evaluate } from '../../src/steps/evaluate';
import { openModel } from '../../src/steps/open';
import { trainingRows } from './training';

export interface BenchRow {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms/image' | 'MB/s' | 'ms/frame' | 'GFLOP/s';
  /** ÷ bare inference of the same images at the same level, of training ÷ its forward pass; null where it isn't a ratio. */
  readonly ratio: number | null;
  /** Milliseconds spent once, whatever the number of images; null where nothing is. */
  readonly setUp: number | null;
}

export interface BenchInput {
  readonly name: string;
  readonly model: Uint8Array;
  readonly images: ImageSet;
  /** Decodes and preprocesses in another worker, as in the page. */
  readonly prepare?: StepContext['prepare'];
  /** Runs before the clock starts: WebAssembly is compiled twice, the second time while it runs. */
  readonly warmUp: number;
  /** The best of this many rounds counts; other processes only ever add time. */
  readonly rounds: number;
  /** Measures training steps too. */
  readonly training: boolean;
}

type Level = 'all' | 'disabled';

async function milliseconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function best(rounds: number, work: () => Promise<number>): Promise<number> {
  let value = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) value = Math.min(value, await work());
  return value;
}

export async function toFeeds(artifact: ModelArtifact, images: ImageSet): Promise<Tensors[]> {
  const { preprocess: p, input } = artifact.spec!;
  const feeds: Tensors[] = [];
  for (let i = 0; i < images.entries.length; i++)
    feeds.push({ [input]: { dtype: p.dtype, dims: inputDims(p), data: preprocess(await images.load(i), p).input } });
  return feeds;
}

/** Milliseconds an image: the session open, the inputs ready before the clock. */
async function bare(engine: Engine, bytes: Uint8Array, feeds: readonly Tensors[], optimization: Level, input: BenchInput): Promise<number> {
  const session = await engine.create(bytes, { optimization });
  try {
    for (let i = 0; i < input.warmUp; i++) await session.run(feeds[i % feeds.length]!);
    const pass = async () => {
      for (const feed of feeds) await session.run(feed);
    };
    return (await best(input.rounds, () => milliseconds(pass))) / feeds.length;
  } finally {
    await session.release();
  }
}

/** A pass over the images by a step: milliseconds an image from the first to the last, and what was spent besides. */
async function passOf(images: number, rounds: number, work: (progress: (p: Progress) => void) => Promise<unknown>) {
  let perImage = Number.POSITIVE_INFINITY;
  let setUp = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) {
    const ticks: number[] = [];
    const total = await milliseconds(() => work(() => ticks.push(performance.now())));
    const each = (ticks.at(-1)! - ticks[0]!) / (images - 1);
    perImage = Math.min(perImage, each);
    setUp = Math.min(setUp, total - images * each);
  }
  return { perImage, setUp };
}

/** A frame as the preview's worker computes it: prepared once for both networks, which are fed alike. */
async function preview(engine: Engine, artifact: ModelArtifact, bytes: Uint8Array, { images, rounds }: BenchInput): Promise<number> {
  const spec = artifact.spec!;
  const sessions = [await engine.create(bytes), await engine.create(bytes)];
  const frames = await Promise.all(images.entries.map((_, i) => images.load(i)));
  const pass = async () => {
    for (const frame of frames) {
      const { input: data, placement } = preprocess(frame, spec.preprocess);
      const feed = { [spec.input]: { dtype: spec.preprocess.dtype, dims: inputDims(spec.preprocess), data } };
      for (const session of sessions) detect(spec, await session.run(feed), placement, PREVIEW_OPTIONS);
    }
  };
  try {
    return (await best(rounds, () => milliseconds(pass))) / frames.length;
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** Parse and serialize in MB/s: the best of five. */
async function throughput(bytes: Uint8Array): Promise<BenchRow[]> {
  const megabytes = bytes.length / 1e6;
  const model = parseModel(bytes);
  const row = async (what: string, work: () => unknown): Promise<BenchRow> => {
    const ms = await best(5, () => milliseconds(work));
    return { what, value: megabytes / (ms / 1000), unit: 'MB/s', ratio: null, setUp: null };
  };
  return [await row('parse ONNX', () => parseModel(bytes)), await row('serialize ONNX', () => serializeModel(model))];
}

/** Everything for one engine; with `gpu` only what the product does there: calibration and preview. */
export async function measure(engine: Engine, gpu: Engine | null, input: BenchInput): Promise<BenchRow[]> {
  const { images, rounds } = input;
  const used = gpu ?? engine;
  const artifact = await openModel(input.name, input.model);
  const bytes = serializeModel(artifact.model);
  const feeds = await toFeeds(artifact, images);
  const count = feeds.length;
  const context = (progress: (p: Progress) => void): StepContext => ({
    ...{ engine, gpu, seed: 1, progress, prepare: input.prepare },
    cancel: { aborted: false, throwIfAborted() {} },
  });
  const base = await bare(used, bytes, feeds, 'all', input);
  const rows: BenchRow[] = [{ what: 'bare inference', value: base, unit: 'ms/image', ratio: 1, setUp: null }];
  const add = (what: string, { perImage, setUp }: Awaited<ReturnType<typeof passOf>>, reference: number) =>
    rows.push({ what, value: perImage, unit: 'ms/image', ratio: perImage / reference, setUp });

  add('calibration', await passOf(count, rounds, (tick) => calibrate(artifact, images, { images: count }, context(tick))), base);
  if (!gpu) {
    const level = await bare(engine, bytes, feeds, 'disabled', input);
    rows.push({ what: 'bare inference, level disabled', value: level, unit: 'ms/image', ratio: level / base, setUp: null });
    const target = { ...artifact, environment: 'FP32' };
    add('evaluation (÷ bare, level disabled)', await passOf(count, rounds, (tick) => evaluate(target, images, {}, context(tick))), level);
  }
  const frame = await preview(used, artifact, bytes, input);
  rows.push({ what: 'preview frame (÷ two inferences)', value: frame, unit: 'ms/frame', ratio: frame / (2 * base), setUp: null });
  if (input.training) rows.push(...(await trainingRows(used, artifact, feeds[0]!, input)));
  return gpu ? rows : [...rows, ...(await throughput(bytes))];
}
