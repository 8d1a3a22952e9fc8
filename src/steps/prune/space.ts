/**
 * Channel atoms: every prunable index of every axis carries an atom; atoms that must go together are united. A class of
 * united atoms is removed as a whole or not at all. A class with a reason is never removed.
 */

/** Atom id per index of one axis. The same atom may stand at several indices (depthwise multipliers, Flatten). */
export type Labels = Int32Array;

export interface ChannelSpace {
  readonly parent: number[];
  /** Per root: why its class can't be removed, or null. */
  readonly reason: (string | null)[];
}

export function createSpace(): ChannelSpace {
  return { parent: [], reason: [] };
}

/** `count` new atoms, each its own class. */
export function freshLabels(space: ChannelSpace, count: number): Labels {
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = space.parent.length;
    space.parent.push(space.parent.length);
    space.reason.push(null);
  }
  return labels;
}

/** Root of an atom's class (path halving). */
export function find(space: ChannelSpace, atom: number): number {
  const { parent } = space;
  let at = atom;
  while (parent[at] !== at) {
    parent[at] = parent[parent[at]!]!;
    at = parent[at]!;
  }
  return at;
}

export function unite(space: ChannelSpace, a: number, b: number): void {
  const rootA = find(space, a);
  const rootB = find(space, b);
  if (rootA === rootB) return;
  const [keep, drop] = rootA < rootB ? [rootA, rootB] : [rootB, rootA];
  space.parent[drop] = keep;
  space.reason[keep] ??= space.reason[drop]!;
}

/** Unites two axes index by index; they have the same length. */
export function uniteLabels(space: ChannelSpace, a: Labels, b: Labels): void {
  for (let i = 0; i < a.length; i++) unite(space, a[i]!, b[i]!);
}

/** Forbids the removal of these atoms' classes; the first reason given stays. */
export function fixLabels(space: ChannelSpace, labels: Labels, reason: string): void {
  for (const atom of labels) space.reason[find(space, atom)] ??= reason;
}

/** Indices of an axis that stay when the classes in `removed` (roots) go. */
export function keptIndices(space: ChannelSpace, labels: Labels, removed: ReadonlySet<number>): number[] {
  const kept: number[] = [];
  for (let i = 0; i < labels.length; i++) if (!removed.has(find(space, labels[i]!))) kept.push(i);
  return kept;
}
