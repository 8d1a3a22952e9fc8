/** The pass over the images: decode the next while one runs, measure, accumulate. */
import type { ImageSet } from '../../data';
import { planesOf } from '../../kernels';
import { defaultPreprocess, inputDims, type Preprocess, type Preprocessed } from '../../models';
import { describeError, StudioError } from '../../numerics';
import type { Model } from '../../onnx';
import type { Tensors } from '../../runtime';
import { type OptionValues, prepareImage, resolveOptions, stepHash, timer } from '../common';
import { NO_JOURNAL } from '../journal';
import type { ModelArtifact, RangesArtifact, StepContext } from '../types';
import { type Measurer, openCpuMeasurer } from './measure-cpu';
import { openGpuMeasurer } from './measure-gpu';
import { calibrateMeta } from './meta';
import { addImage, finish, type Running, startRunning } from './streaming';
import { measuredTensors } from './tensors';

export interface CalibrateOptions {
  /** Images to measure, spread evenly over the set; default 64. */
  readonly images?: number;
  /** Values sampled per tensor and image on a CPU engine; default 2048. */
  readonly samples?: number;
}

/**
 * Measures every float value that depends on the network's inputs. Images that can't be decoded are left out and
 * noted in `images.notes`; a GPU that fails hands over to the CPU engine, from the image where it failed, which
 * `backend` and a note tell. Infinite and NaN values don't count. Memory doesn't grow with the number of images.
 * @throws StudioError 'bad-option', 'bad-data' (no usable image), 'unsupported' (no image input), 'cancelled'
 * @example
 * const ranges = await calibrate(artifact, images, { images: 64 }, ctx);
 * ranges.tensors.get('images')!.max; // 255
 */
export async function calibrate(
  artifact: ModelArtifact,
  images: ImageSet,
  options: CalibrateOptions & OptionValues,
  ctx: StepContext,
): Promise<RangesArtifact> {
  const feed = imageFeed(artifact);
  const settings = resolveOptions(calibrateMeta, options) as { images: number; samples: number };
  const total = Math.min(settings.images, images.entries.length);
  const chosen = Array.from({ length: total }, (_, i) => Math.floor((i * images.entries.length) / total));
  const { journal = NO_JOURNAL } = ctx;
  const saved = journal.saved<Saved>() ?? { looked: 0, failed: [], running: null, handedOver: null };
  const { running, handedOver } = saved;
  const state: Pass = { model: artifact.model, ctx, samples: settings.samples, measurer: null, running, handedOver };
  const secondsLeft = timer(total - saved.looked);
  const failed = [...saved.failed];
  let done = saved.looked - failed.length;
  try {
    let next = prepareQuietly(ctx, images, chosen[saved.looked], feed.preprocess);
    for (let i = saved.looked; i < total; i++) {
      ctx.cancel.throwIfAborted();
      const image = await next;
      next = prepareQuietly(ctx, images, chosen[i + 1], feed.preprocess);
      if (image instanceof Error) failed.push(images.entries[chosen[i]!]!.fileName);
      else {
        await measureImage(
          state,
          { [feed.input]: { dtype: feed.preprocess.dtype, dims: inputDims(feed.preprocess), data: image.input } },
          done,
        );
        done++;
      }
      ctx.progress({ step: 'calibrate', label: 'Calibrating', done: i + 1, total, secondsLeft: secondsLeft(i + 1 - saved.looked) });
      await journal.save({ looked: i + 1, failed: [...failed], running: state.running, handedOver: state.handedOver } satisfies Saved);
      await macrotask();
    }
  } finally {
    await state.measurer?.close();
  }
  if (failed.length > 0)
    images.notes.push(
      `Calibration left out ${failed.length} of ${total} images that could not be decoded: ${failed.slice(0, 5).join(', ')}.`,
    );
  if (!state.running || done === 0)
    throw new StudioError(
      'bad-data',
      `None of the ${total} images of "${images.name}" could be used to calibrate.`,
      'Choose a folder with JPEG or PNG images.',
    );
  if (state.handedOver) images.notes.push(state.handedOver);
  const tensors = state.running.map(finish).filter((stats) => stats !== null);
  const names = chosen.map((i) => images.entries[i]!.fileName);
  return {
    kind: 'ranges',
    hash: await stepHash(calibrateMeta, [artifact.hash, images.name, ...names], settings),
    modelHash: artifact.hash,
    images: done,
    backend: state.handedOver ?? (ctx.gpu ?? ctx.engine).version,
    tensors: new Map(tensors.map((stats) => [stats.name, stats])),
  };
}

/** The pass so far; statistics are changed only by the next image. */
interface Saved {
  /** Images measured or left out. */
  readonly looked: number;
  readonly failed: readonly string[];
  readonly running: readonly Running[] | null;
  readonly handedOver: string | null;
}

interface Pass {
  readonly model: Model;
  readonly ctx: StepContext;
  readonly samples: number;
  measurer: Measurer | null;
  running: readonly Running[] | null;
  /** Why the GPU was given up, as a sentence; null while it wasn't. */
  handedOver: string | null;
}

async function measureImage(pass: Pass, feeds: Tensors, done: number): Promise<void> {
  const { ctx, model } = pass;
  pass.running ??= (await measuredTensors(model, ctx.engine, feeds)).map((t) => startRunning(t, planesOf(t.dims).channels));
  const tensors = pass.running.map((r) => r.tensor);
  const onCpu = () => openCpuMeasurer(ctx.engine, model, tensors, pass.samples);
  let parts: Awaited<ReturnType<Measurer['measure']>>;
  try {
    pass.measurer ??= ctx.gpu && !pass.handedOver ? await openGpuMeasurer(ctx.gpu, model, tensors) : await onCpu();
    parts = await pass.measurer.measure(feeds);
  } catch (error) {
    if (!ctx.gpu || pass.handedOver) throw error;
    pass.handedOver = `${ctx.gpu.version} gave up after ${done} images, the rest was measured by ${ctx.engine.version}: ${describeError(error)}`;
    await pass.measurer?.close();
    pass.measurer = await onCpu();
    parts = await pass.measurer.measure(feeds);
  }
  pass.running.forEach((state, i) => {
    addImage(state, parts[i]!);
  });
}

/** The preprocessing of the network's family; a generic network's input is guessed from its shape. */
function imageFeed({ spec, model, name }: ModelArtifact): { readonly input: string; readonly preprocess: Preprocess } {
  const p: Preprocess | null = spec?.preprocess ?? defaultPreprocess(model);
  const input = spec?.input ?? model.graph.inputs.find((v) => v.shape?.length === 4)?.name ?? '';
  const other = model.graph.inputs.find((v) => v.name !== input);
  if (!p || other)
    throw new StudioError(
      'unsupported',
      other && p ? `${name} needs a second input "${other.name}" besides the image.` : `${name} has no input that an image fits.`,
      'Only networks with one image input can be calibrated.',
    );
  return { input, preprocess: p };
}

/** Decoding goes on beside inference, so its failure is kept until the image's turn. */
async function prepareQuietly(ctx: StepContext, images: ImageSet, index: number | undefined, p: Preprocess): Promise<Preprocessed | Error> {
  if (index === undefined) return new Error('no image');
  try {
    return await prepareImage(ctx, images, index, p);
  } catch (error) {
    if (error instanceof StudioError && error.code === 'bad-data') return error;
    throw error;
  }
}

/** Lets messages (cancel) in; unlike a timer it isn't slowed down by browsers. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
