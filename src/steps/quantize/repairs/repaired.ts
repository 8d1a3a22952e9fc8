/** From a plan to its repaired state: images split, a judge opened, every wanted repair applied. */
import type { ImageSet } from '../../../data';
import { StudioError } from '../../../numerics';
import type { Model } from '../../../onnx';
import { openTrainingPool } from '../../training-run';
import type { ModelArtifact, RangesArtifact, StepContext } from '../../types';
import type { QuantizeOptions } from '../meta';
import { splitFeeds } from './feeds';
import { REPAIRS, repair } from './index';
import { openJudge } from './judge';
import type { QuantState } from './types';

/** The calibration images, and what runs networks on them. */
export interface RepairSource
  extends Pick<StepContext, 'engine' | 'gpu' | 'seed' | 'prepare' | 'look' | 'control' | 'journal' | 'resumed'> {
  readonly images: ImageSet;
  /** What training learns from; absent: the calibration images. */
  readonly training?: ImageSet | null;
  /** mAP in percent of a quantized network's detections on images held back; null where it can't be measured. */
  validate?(model: Model, images: ImageSet): Promise<number | null>;
  /** Shown what is about to be repaired (`done` false), and what is about to be written. */
  watch?(state: QuantState, done: boolean): Promise<void>;
}

/** Whether the options ask for a repair that is fitted on images. */
export function wantsRepair(options: QuantizeOptions): boolean {
  return REPAIRS.some((r) => r.wanted(options));
}

/**
 * @param note takes sentences for the user
 * @returns `start` itself where the options want no repair
 * @throws StudioError 'bad-data' without images, 'cancelled', or as {@link splitFeeds} does
 */
export async function repaired(
  artifact: ModelArtifact,
  start: QuantState,
  ranges: RangesArtifact,
  options: QuantizeOptions,
  ctx: Pick<StepContext, 'cancel' | 'progress'>,
  source: RepairSource | null,
  note: (text: string) => void,
): Promise<QuantState> {
  if (!wantsRepair(options)) return start;
  if (!source)
    throw new StudioError('bad-data', 'The repairs of this recipe need the calibration images.', 'Give images, or switch the repairs off.');
  const { training: given, validate, journal, ...rest } = source;
  const context = { ...rest, cancel: ctx.cancel, progress: ctx.progress };
  const { fit, held, heldImages } = await splitFeeds(artifact, source.images, options.repairImages, context);
  const judge = await openJudge(start.float, artifact.spec, held, context);
  const training = given && options.qatSteps > 0 ? await openTrainingPool(artifact, given, 'quantize', context) : undefined;
  const unseen = training?.heldImages ?? heldImages;
  const more = {
    ...(training ? { training } : {}),
    ...(validate ? { validate: (model: Model) => validate(model, unseen) } : {}),
  };
  return repair(start, {
    ...context,
    ...more,
    ...(journal ? { journal } : {}),
    teacher: start.float,
    spec: artifact.spec,
    ranges,
    options,
    fit,
    held,
    judge,
    note,
  });
}
