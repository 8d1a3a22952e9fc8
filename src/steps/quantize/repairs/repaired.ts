/** From a plan to its repaired state: images split, a judge opened, every wanted repair applied. */
import { type ImageSet, subset } from '../../../data';
import { defaultPreprocess } from '../../../models';
import { StudioError } from '../../../numerics';
import type { Model } from '../../../onnx';
import { heldBack, trainingImages, usableImages } from '../../../training';
import { prepareImage } from '../../common';
import type { ModelArtifact, RangesArtifact, StepContext } from '../../types';
import type { QuantizeOptions } from '../meta';
import { splitFeeds } from './feeds';
import { REPAIRS, repair } from './index';
import { openJudge } from './judge';
import type { QuantState, RepairContext } from './types';

/** Fewer images to train on teach nothing. */
const LEAST_IMAGES = 8;

/** The calibration images, and what runs networks on them. */
export interface RepairSource extends Pick<StepContext, 'engine' | 'gpu' | 'seed' | 'prepare' | 'look' | 'control' | 'checkpoints'> {
  readonly images: ImageSet;
  /** What training learns from; absent: the calibration images. */
  readonly training?: ImageSet | null;
  /** mAP in percent of a quantized network's detections on images held back; null where it can't be measured. */
  validate?(model: Model, images: ImageSet): Promise<number | null>;
}

/** Whether the options ask for a repair that is fitted on images. */
export function wantsRepair(options: QuantizeOptions): boolean {
  return REPAIRS.some((r) => r.wanted(options));
}

/** A set for training, a tenth of it held back. */
async function trainingPool(
  { name, model, spec }: ModelArtifact,
  images: ImageSet,
  ctx: Pick<StepContext, 'cancel' | 'progress' | 'prepare'>,
): Promise<RepairContext['training'] & { readonly heldImages: ImageSet }> {
  const p = spec?.preprocess ?? defaultPreprocess(model);
  if (!p) throw new StudioError('unsupported', `${name} does not take one image, so it can't be trained here.`);
  const all = trainingImages(p, [...images.entries.keys()], (index) => {
    ctx.cancel.throwIfAborted();
    return prepareImage(ctx, images, index, p);
  });
  const total = images.entries.length;
  const usable = await usableImages(
    images,
    (index) => all.at(index),
    LEAST_IMAGES,
    (done) => ctx.progress({ step: 'quantize', label: 'Preparing images', done, total }),
  );
  const part = (indices: readonly number[]) => ({ count: indices.length, at: (i: number) => all.at(usable[indices[i]!]!) });
  const { fit, held } = heldBack(usable.length);
  return {
    fit: part(fit),
    held: part(held),
    heldImages: subset(
      images,
      held.map((i) => usable[i]!),
    ),
  };
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
  const { training: given, validate, ...rest } = source;
  const context = { ...rest, cancel: ctx.cancel, progress: ctx.progress };
  const { fit, held, heldImages } = await splitFeeds(artifact, source.images, options.repairImages, context);
  const judge = await openJudge(start.float, artifact.spec, held, context);
  const training = given && options.qatSteps > 0 ? await trainingPool(artifact, given, context) : undefined;
  const unseen = training?.heldImages ?? heldImages;
  const more = {
    floatHash: artifact.hash,
    ...(training ? { training } : {}),
    ...(validate ? { validate: (model: Model) => validate(model, unseen) } : {}),
  };
  return repair(start, { ...context, ...more, teacher: start.float, spec: artifact.spec, ranges, options, fit, held, judge, note });
}
