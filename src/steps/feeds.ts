import type { ImageSet } from '../data';
import { type DetectorSpec, defaultPreprocess, inputDims } from '../models';
import { StudioError } from '../numerics';
import type { Model } from '../onnx';
import type { Tensors } from '../runtime';
import { prepareImage } from './common';
import type { StepContext } from './types';

/**
 * Inputs of a few images spread over a set, preprocessed as the network wants them; images that can't be decoded are
 * left out.
 * @returns fewer than `count`, or none, where images are damaged or the network's input isn't one image
 */
export async function fewFeeds(
  network: { readonly model: Model; readonly spec: DetectorSpec | null },
  images: ImageSet,
  count: number,
  ctx: Pick<StepContext, 'cancel' | 'prepare'>,
): Promise<Tensors[]> {
  const p = network.spec?.preprocess ?? defaultPreprocess(network.model);
  const input = network.spec?.input ?? network.model.graph.inputs[0]?.name;
  if (!p || !input) return [];
  const wanted = Math.min(count, images.entries.length);
  const feeds: Tensors[] = [];
  for (let i = 0; i < wanted; i++) {
    ctx.cancel.throwIfAborted();
    try {
      const prepared = await prepareImage(ctx, images, Math.floor((i * images.entries.length) / wanted), p);
      feeds.push({ [input]: { dtype: p.dtype, dims: inputDims(p), data: prepared.input } });
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
    }
  }
  return feeds;
}
