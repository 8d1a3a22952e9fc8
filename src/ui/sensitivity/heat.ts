/** Sensitivity as shades: each twice the loss is one even step darker, so that small and large losses are told apart. */
import type { SensitivityReport } from '../../../workers/wire';

/** Losses below this share of the largest all get the lightest shade. */
const SPAN = 1e-3;

/** 0 = as harmless as any, 1 = the worst of all. */
export function shade(loss: number, worst: number): number {
  if (!(worst > 0) || !(loss > 0)) return 0;
  return Math.min(1, Math.max(0, 1 - Math.log(loss / worst) / Math.log(SPAN)));
}

export function worstLoss({ groups, blocks }: SensitivityReport): number {
  return Math.max(0, ...groups.flatMap(({ cuts }) => cuts.map(({ loss }) => loss)), ...blocks.map(({ loss }) => loss));
}

/** Loss for each million multiply-accumulates that the middle cut of a group saves; Infinity where it saves none. */
export function priceOf(group: SensitivityReport['groups'][number]): number {
  const cut = group.cuts[Math.floor(group.cuts.length / 2)];
  const saved = cut ? (cut.channels * group.macsPerChannel) / 1e6 : 0;
  return cut && saved > 0 ? cut.loss / saved : Number.POSITIVE_INFINITY;
}
