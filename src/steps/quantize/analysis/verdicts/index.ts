/** Every cause that can be read from a plan and its ranges; 'mean-shift' needs a run and stands apart. */
import type { Row } from '../rows';
import type { VerdictKind } from '../types';
import { activationRanges, outliers, reluZero, sharedScale, siluPieces } from './activations';
import type { Finder, Finding, Scene } from './types';
import { biasOverflow, deadChannel, missingBatchNorm, weightRanges } from './weights';

export { weightDb } from './evidence';
export { type ChannelShift, channelShifts, compensated, meanShift } from './mean-shift';
export type { Finder, Finding, Scene } from './types';

/** In the order in which a layer's verdicts are listed where their gains don't say otherwise. */
const FINDERS: Readonly<Record<Exclude<VerdictKind, 'mean-shift'>, readonly Finder[]>> = {
  'missing-batchnorm': [missingBatchNorm],
  'channel-ranges': [weightRanges, activationRanges],
  'bias-overflow': [biasOverflow],
  'shared-scale': [sharedScale],
  'silu-pieces': [siluPieces],
  outliers: [outliers],
  'relu-zero': [reluZero],
  'dead-channel': [deadChannel],
};

export function findCauses(scene: Scene, row: Row): readonly Finding[] {
  return Object.values(FINDERS)
    .flat()
    .flatMap((find) => find(scene, row) ?? []);
}
