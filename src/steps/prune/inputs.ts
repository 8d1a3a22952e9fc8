/** Images as the network's input, for everything that looks at data before channels go. */
import type { ImageSet } from '../../data';
import { type DetectorSpec, defaultPreprocess, inputDims } from '../../models';
import { StudioError } from '../../numerics';
import type { Model } from '../../onnx';
import type { RunTensor } from '../../runtime';
import { prepareImage } from '../common';
import type { StepContext } from '../types';

/** At most `count` of the items, evenly spread. */
export function spread<T>(items: readonly T[], count: number): T[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)]!);
}

/** Evenly spread images as input tensors; images that can't be decoded are passed over. */
export async function loadInputs(
  model: Model,
  spec: DetectorSpec | null,
  images: ImageSet,
  count: number,
  ctx: StepContext,
): Promise<RunTensor[]> {
  const how = spec?.preprocess ?? defaultPreprocess(model);
  if (!how) return [];
  const inputs: RunTensor[] = [];
  for (const index of spread([...images.entries.keys()], count)) {
    ctx.cancel.throwIfAborted();
    try {
      const { input } = await prepareImage(ctx, images, index, how);
      inputs.push({ dtype: how.dtype, dims: inputDims(how), data: input });
    } catch (error) {
      if (!(error instanceof StudioError && error.code === 'bad-data')) throw error;
    }
  }
  return inputs;
}
