/** The proof for any network: take random channels out of every prunable group, compare with the zeroed original. */
import { createRandom } from '../../../src/numerics';
import type { Model } from '../../../src/onnx';
import { applyRemoval, channelGroups } from '../../../src/steps/prune';
import { keptIndices } from '../../../src/steps/prune/space';
import type { Trace } from '../../../src/steps/prune/trace';
import { difference, masked } from './helpers';

/** Random classes, about `share` of every prunable group, such that no value loses a whole axis. */
export function randomRemoval(
  model: Model,
  share: number,
  seed: number,
  protectedNodes: readonly string[] = [],
): { trace: Trace; removed: Set<number> } {
  const { trace, groups } = channelGroups(model, { protectedNodes });
  const random = createRandom(seed);
  const removed = new Set<number>();
  const axes = [...trace.layouts.values()].flatMap(({ labels }) => labels).filter((labels) => labels !== null);
  for (const group of groups) {
    if (group.reason !== null) continue;
    for (const root of random.shuffle([...group.classes]).slice(0, Math.round(group.channels * share))) {
      removed.add(root);
      if (axes.some((labels) => labels.length > 0 && keptIndices(trace.space, labels, removed).length === 0)) removed.delete(root);
    }
  }
  return { trace, removed };
}

export interface Proof {
  readonly removed: number;
  readonly difference: number;
  readonly pruned: Model;
}

export async function prove(model: Model, share = 0.4, seed = 1, protectedNodes: readonly string[] = []): Promise<Proof> {
  const { trace, removed } = randomRemoval(model, share, seed, protectedNodes);
  const pruned = applyRemoval(trace, removed);
  return { removed: removed.size, difference: await difference(masked(trace, removed), pruned), pruned };
}
