/** Runs networks over an image set: one image at a time, the next one decoding meanwhile. */
import type { ImageSet } from '../../data';
import { inputDims, type Placement, type Preprocess } from '../../models';
import { StudioError } from '../../numerics';
import { type Model, serializeModel } from '../../onnx';
import type { RunTensor, Session } from '../../runtime';
import { prepareImage, timer } from '../common';
import { NO_JOURNAL } from '../journal';
import type { StepContext } from '../types';

/** Accuracy is always scored at this level: the reading closest to the ONNX text, on the float and the quantized network alike. */
export const OPTIMIZATION = 'disabled';

export interface Feed {
  /** Name of the graph's input. */
  readonly input: string;
  readonly preprocess: Preprocess;
}

export interface Prediction {
  readonly placement: Placement;
  /** Per model, its outputs by name. */
  readonly outputs: readonly Readonly<Record<string, RunTensor>>[];
}

type Prepared = { readonly data: Float32Array | Uint8Array; readonly placement: Placement } | { readonly error: unknown };

/** Never rejects, so that a run that stops early leaves no unhandled rejection behind. */
async function prepare(ctx: StepContext, images: ImageSet, index: number, p: Preprocess): Promise<Prepared> {
  try {
    const { input, placement } = await prepareImage(ctx, images, index, p);
    return { data: input, placement };
  } catch (error) {
    return { error };
  }
}

/** Lets messages (cancel, progress) through when the last pause is 50 ms ago. */
function pacer(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}

/**
 * Feeds every image to every model; what `read` makes of the outputs is small, and kept in the step's journal.
 * @returns by image; null for those that can't be decoded
 * @throws StudioError of a model that doesn't load or run, 'cancelled', or whatever a load fails with besides 'bad-data'
 */
export async function predict<R>(
  models: readonly Model[],
  feed: Feed,
  images: ImageSet,
  ctx: StepContext,
  label: string,
  read: (prediction: Prediction) => R,
): Promise<readonly (R | null)[]> {
  const total = images.entries.length;
  const left = timer(total);
  const pause = pacer();
  const results: (R | null)[] = [];
  const sessions: Session[] = [];
  const { journal = NO_JOURNAL } = ctx;
  const dims = inputDims(feed.preprocess);
  let next: Promise<Prepared> | null = null;
  const predicted = async (index: number): Promise<R | null> => {
    if (sessions.length === 0)
      for (const model of models) sessions.push(await ctx.engine.create(serializeModel(model), { optimization: OPTIMIZATION }));
    const prepared = await (next ?? prepare(ctx, images, index, feed.preprocess));
    next = index + 1 < total ? prepare(ctx, images, index + 1, feed.preprocess) : null;
    if ('error' in prepared) {
      if (!(prepared.error instanceof StudioError && prepared.error.code === 'bad-data')) throw prepared.error;
      return null;
    }
    const feeds = { [feed.input]: { dtype: feed.preprocess.dtype, dims, data: prepared.data } };
    const outputs: Record<string, RunTensor>[] = [];
    for (const session of sessions) outputs.push(await session.run(feeds));
    return read({ placement: prepared.placement, outputs });
  };
  try {
    for (let index = 0; index < total; index++) {
      ctx.cancel.throwIfAborted();
      results.push(await journal.next(() => predicted(index)));
      ctx.progress({ step: 'evaluate', label, done: index + 1, total, secondsLeft: left(index + 1) });
      await pause();
    }
    return results;
  } finally {
    for (const session of sessions) await session.release();
  }
}
