/** Images as the network's input, for everything that looks at data before channels go. */
import type { ImageSet } from '../../data';
import type { DetectorSpec } from '../../models';
import type { Model } from '../../onnx';
import type { RunTensor } from '../../runtime';
import { fewFeeds } from '../feeds';
import type { StepContext } from '../types';

/** At most `count` of the items, evenly spread. */
export function spread<T>(items: readonly T[], count: number): T[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)]!);
}

/** {@link fewFeeds} as the network's one input tensor. */
export async function loadInputs(
  model: Model,
  spec: DetectorSpec | null,
  images: ImageSet,
  count: number,
  ctx: StepContext,
): Promise<RunTensor[]> {
  return (await fewFeeds({ model, spec }, images, count, ctx)).flatMap((feeds) => Object.values(feeds));
}
