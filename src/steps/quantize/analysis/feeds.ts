import type { ImageSet } from '../../../data';
import { defaultPreprocess, inputDims, type Placement } from '../../../models';
import { StudioError } from '../../../numerics';
import type { Tensors } from '../../../runtime';
import { prepareImage } from '../../common';
import type { ModelArtifact, StepContext } from '../../types';

export interface LoadedImage {
  readonly index: number;
  readonly feeds: Tensors;
  readonly placement: Placement;
}

/**
 * Images as the network takes them; those that can't be decoded are left out.
 * @throws StudioError 'bad-data' when none can be decoded, 'unsupported' when the input isn't an image, 'cancelled'
 */
export async function loadFeeds(
  artifact: ModelArtifact,
  images: ImageSet,
  indices: readonly number[],
  ctx: Pick<StepContext, 'cancel' | 'prepare'>,
): Promise<readonly LoadedImage[]> {
  const p = artifact.spec?.preprocess ?? defaultPreprocess(artifact.model);
  const input = artifact.spec?.input ?? artifact.model.graph.inputs[0]?.name;
  if (!p || !input)
    throw new StudioError(
      'unsupported',
      `${artifact.name} does not take one image, so its layers can't be compared on images.`,
      'Open a network with one image input.',
    );
  const loaded: LoadedImage[] = [];
  for (const index of indices) {
    ctx.cancel.throwIfAborted();
    try {
      const { input: data, placement } = await prepareImage(ctx, images, index, p);
      loaded.push({ index, feeds: { [input]: { dtype: p.dtype, dims: inputDims(p), data } }, placement });
    } catch (error) {
      if (!(error instanceof StudioError) || error.code !== 'bad-data') throw error;
    }
  }
  if (loaded.length > 0) return loaded;
  const only = indices.length === 1 ? images.entries[indices[0]!]?.fileName : undefined;
  throw new StudioError(
    'bad-data',
    only ? `${only} can't be decoded.` : `No image of ${images.name} can be decoded.`,
    'Choose other images.',
  );
}
