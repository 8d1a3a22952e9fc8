import { type ImageSet, subset } from '../../../data';
import { defaultPreprocess, inputDims } from '../../../models';
import { StudioError } from '../../../numerics';
import type { Tensors } from '../../../runtime';
import { type HeldShare, heldBack } from '../../../training';
import { prepareImage } from '../../common';
import type { ModelArtifact, StepContext } from '../../types';
import type { Feeds } from './types';

/** Prepared inputs kept in memory; the rest is prepared again when asked for. */
const KEPT_BYTES = 256e6;

/** A fifth of the images is held back. */
const HELD: HeldShare = { share: 0.2, least: 4, most: 40 };

/**
 * Splits a set's images into those that repairs fit on and those that they are judged on, evenly spread.
 * @param limit images used at most, spread over the set
 * @throws StudioError 'bad-data' when fewer than two images can be decoded, 'unsupported' when the input isn't an image
 */
export async function splitFeeds(
  artifact: ModelArtifact,
  images: ImageSet,
  limit: number,
  ctx: Pick<StepContext, 'cancel' | 'prepare'>,
): Promise<{ fit: Feeds; held: Feeds; heldImages: ImageSet }> {
  const p = artifact.spec?.preprocess ?? defaultPreprocess(artifact.model);
  const input = artifact.spec?.input ?? artifact.model.graph.inputs[0]?.name;
  if (!p || !input)
    throw new StudioError(
      'unsupported',
      `${artifact.name} does not take one image, so repairs can't be fitted on images.`,
      'Switch the repairs off, or open a network with one image input.',
    );
  const wanted = Math.min(limit, images.entries.length);
  const kept = new Map<number, Tensors>();
  let bytes = 0;
  const load = async (index: number): Promise<Tensors> => {
    ctx.cancel.throwIfAborted();
    const known = kept.get(index);
    if (known) return known;
    const prepared = await prepareImage(ctx, images, index, p);
    const feeds: Tensors = { [input]: { dtype: p.dtype, dims: inputDims(p), data: prepared.input } };
    bytes += prepared.input.byteLength;
    if (bytes <= KEPT_BYTES) kept.set(index, feeds);
    return feeds;
  };
  const usable: number[] = [];
  for (let i = 0; i < wanted; i++) {
    const index = Math.floor((i * images.entries.length) / wanted);
    try {
      await load(index);
      usable.push(index);
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
    }
  }
  if (usable.length < 2)
    throw new StudioError(
      'bad-data',
      `Repairs need at least two images; ${usable.length} of ${images.name} can be decoded.`,
      'Add images.',
    );
  const { fit, held } = heldBack(usable.length, HELD);
  const indicesOf = (positions: readonly number[]): number[] => positions.map((i) => usable[i]!);
  const feeds = (indices: readonly number[]): Feeds => ({ count: indices.length, at: (i) => load(indices[i]!) });
  return { fit: feeds(indicesOf(fit)), held: feeds(indicesOf(held)), heldImages: subset(images, indicesOf(held)) };
}
