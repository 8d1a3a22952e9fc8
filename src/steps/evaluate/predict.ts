/** Runs networks over an image set: one image at a time, the next one decoding meanwhile. */
import type { ImageSet } from '../../data';
import { inputDims, type Placement, type Preprocess } from '../../models';
import { StudioError } from '../../numerics';
import { type Model, serializeModel } from '../../onnx';
import type { RunTensor, Session } from '../../runtime';
import { prepareImage, timer } from '../common';
import type { StepContext } from '../types';

/** Accuracy is always scored at this level: the reading closest to the ONNX text, on the float and the quantized network alike. */
export const OPTIMIZATION = 'disabled';

export interface Feed {
  /** Name of the graph's input. */
  readonly input: string;
  readonly preprocess: Preprocess;
}

export interface Prediction {
  /** Index into `images.entries`. */
  readonly index: number;
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
 * Feeds every image to every model and hands the outputs to `visit`, in order.
 * @returns indices of images that can't be decoded; those are left out
 * @throws StudioError of a model that doesn't load or run, 'cancelled', or whatever a load fails with besides 'bad-data'
 */
export async function predict(
  models: readonly Model[],
  feed: Feed,
  images: ImageSet,
  ctx: StepContext,
  label: string,
  visit: (prediction: Prediction) => void,
): Promise<readonly number[]> {
  const total = images.entries.length;
  const left = timer(total);
  const pause = pacer();
  const failed: number[] = [];
  const sessions: Session[] = [];
  try {
    for (const model of models) sessions.push(await ctx.engine.create(serializeModel(model), { optimization: OPTIMIZATION }));
    const dims = inputDims(feed.preprocess);
    let next = total > 0 ? prepare(ctx, images, 0, feed.preprocess) : null;
    for (let index = 0; index < total; index++) {
      ctx.cancel.throwIfAborted();
      const prepared = await next!;
      next = index + 1 < total ? prepare(ctx, images, index + 1, feed.preprocess) : null;
      if ('error' in prepared) {
        if (!(prepared.error instanceof StudioError && prepared.error.code === 'bad-data')) throw prepared.error;
        failed.push(index);
      } else {
        const feeds = { [feed.input]: { dtype: feed.preprocess.dtype, dims, data: prepared.data } };
        const outputs: Record<string, RunTensor>[] = [];
        for (const session of sessions) outputs.push(await session.run(feeds));
        visit({ index, placement: prepared.placement, outputs });
      }
      ctx.progress({ step: 'evaluate', label, done: index + 1, total, secondsLeft: left(index + 1) });
      await pause();
    }
    return failed;
  } finally {
    for (const session of sessions) await session.release();
  }
}
