/** Evaluate: how good a network is on an image set, always on the CPU engine. May import the rooms below steps. */
import type { Category, ImageEntry, ImageSet } from '../../data';
import { categoryMap, type DecodeOptions, type Detection, type DetectorSpec, defaultPreprocess, detect } from '../../models';
import { StudioError } from '../../numerics';
import type { Model } from '../../onnx';
import { type OptionValues, resolveOptions, stepHash } from '../common';
import type { DetectionMetrics, MetricsArtifact, StepContext } from '../types';
import { type Bootstrapped, bootstrap } from './bootstrap';
import { type CocoMetrics, cocoMetrics, type EvaluatedImage, weightedAp } from './coco';
import { evaluateMeta } from './meta';
import { packed, unpacked } from './packed';
import { OPTIMIZATION, predict } from './predict';
import { classHistogram, classOrderNote, tieNote } from './report';
import { sqnrMeter } from './sqnr';

export { type Bootstrapped, bootstrap } from './bootstrap';
export { type CocoMetrics, cocoMetrics, type EvaluatedImage, type ScoredBox, type WeightedAp, weightedAp } from './coco';
export { evaluateMeta } from './meta';
export { classHistogram } from './report';
export { EXACT_DB, type SqnrMeter, sqnrMeter } from './sqnr';

export interface EvaluationTarget {
  readonly model: Model;
  readonly hash: string;
  readonly spec: DetectorSpec | null;
  /** "FP32" or "INT8, simulated"; the artifact adds engine and level. */
  readonly environment: string;
}

/** The float network that unlabelled images and generic networks are judged against. */
export interface EvaluationReference {
  readonly model: Model;
  /** Its detections on the same images, by entry, where an earlier evaluation has them. */
  readonly detections?: readonly (readonly Detection[])[] | null;
}

export interface Evaluation {
  readonly artifact: MetricsArtifact;
  /** By `images.entries`; empty for an image that was left out, and for a generic network. */
  readonly detections: Detection[][];
}

/** Reference detections above this score stand in for ground truth. */
const TRUSTED = 0.3;

const EMPTY = {
  mAP: null,
  interval: null,
  paired: null,
  AP50: null,
  AP75: null,
  APs: null,
  APm: null,
  APl: null,
  classHistogram: {},
  perClass: [],
  sqnr: null,
} as const;

function decodeOptions(values: OptionValues): DecodeOptions {
  const { scoreThreshold, iouThreshold, nms, maxDetections } = resolveOptions(evaluateMeta, values);
  return {
    scoreThreshold: Number(scoreThreshold),
    iouThreshold: Number(iouThreshold),
    nms: nms === 'agnostic' ? 'agnostic' : 'per-class',
    maxDetections: Number(maxDetections),
  };
}

const percent = (value: number | null) => (value === null ? null : value * 100);

function figures(
  metrics: CocoMetrics,
  { interval, paired }: Bootstrapped,
): Pick<DetectionMetrics, 'mAP' | 'interval' | 'paired' | 'AP50' | 'AP75' | 'APs' | 'APm' | 'APl' | 'perClass'> {
  const { AP, AP50, AP75, APs, APm, APl } = metrics;
  return {
    mAP: percent(AP),
    interval,
    paired,
    AP50: percent(AP50),
    AP75: percent(AP75),
    APs: percent(APs),
    APm: percent(APm),
    APl: percent(APl),
    perClass: metrics.perClass.map(({ category, AP, truths, detections }) => ({
      name: category.name,
      AP: percent(AP),
      truths,
      detections,
    })),
  };
}

function leftOut(found: readonly unknown[], images: ImageSet): readonly string[] {
  const failed = found.filter((result) => result === null);
  if (failed.length === images.entries.length)
    throw new StudioError(
      'bad-data',
      `None of the ${images.entries.length} images of "${images.name}" could be read.`,
      'Choose JPEG or PNG images.',
    );
  return failed.length > 0 ? [`${failed.length} of ${images.entries.length} images could not be read and were left out.`] : [];
}

/** Boxes as COCO wants them: class index → category id, classes without a category dropped. */
function scored(detections: readonly Detection[], ids: readonly (number | null)[]) {
  return detections.flatMap((d) => {
    const categoryId = ids[d.classIndex];
    return categoryId === null || categoryId === undefined ? [] : [{ ...d, categoryId }];
  });
}

/** The reference's own detections as ground truth. */
function pseudoTruths(detections: readonly Detection[]): ImageEntry['truths'] {
  return detections
    .filter((d) => d.score > TRUSTED)
    .map(({ x, y, width, height, classIndex }) => ({
      bbox: [x, y, width, height],
      categoryId: classIndex,
      area: width * height,
      crowd: false,
    }));
}

type Judgement = Pick<DetectionMetrics, 'kind' | 'mAP' | 'interval' | 'paired' | 'AP50' | 'AP75' | 'APs' | 'APm' | 'APl' | 'perClass'> & {
  readonly notes: readonly string[];
};

async function againstLabels(
  images: ImageSet,
  categories: readonly Category[],
  spec: DetectorSpec,
  kept: readonly number[],
  detections: readonly Detection[][],
  reference: readonly (readonly Detection[])[] | null,
  ctx: StepContext,
): Promise<Judgement> {
  if (!images.entries.some((entry) => entry.truths.length > 0))
    return { ...EMPTY, kind: 'coco', notes: ['n/a: no ground truth. The annotation file has no boxes.'] };
  const map = categoryMap(spec.classNames, categories);
  const judge = (all: readonly (readonly Detection[])[]): EvaluatedImage[] =>
    kept.map((index) => {
      const { id, truths } = images.entries[index]!;
      return { id, truths, detections: scored(all[index]!, map.ids) };
    });
  const judged = judge(detections);
  const metrics = cocoMetrics(judged, categories);
  const drawn = await bootstrap(weightedAp(judged, categories), reference && weightedAp(judge(reference), categories), judged.length, ctx);
  const missing = metrics.AP === null ? ['n/a: no ground truth in the images that could be read.'] : [];
  return {
    kind: 'coco',
    ...figures(metrics, drawn),
    notes: [...missing, ...map.notes, ...tieNote(judged), ...classOrderNote(judged, metrics)],
  };
}

async function againstReference(
  images: ImageSet,
  spec: DetectorSpec,
  kept: readonly number[],
  detections: readonly Detection[][],
  reference: readonly (readonly Detection[])[] | null,
  ctx: StepContext,
): Promise<Judgement> {
  const categories = spec.classNames.map((name, id) => ({ id, name }));
  const ids = categories.map((category) => category.id);
  const judged: EvaluatedImage[] = kept.map((index) => ({
    id: images.entries[index]!.id,
    truths: pseudoTruths((reference ?? detections)[index] ?? []),
    detections: scored(detections[index]!, ids),
  }));
  const metrics = cocoMetrics(judged, categories);
  const drawn = await bootstrap(weightedAp(judged, categories), null, judged.length, ctx);
  const what = reference
    ? `No labels: the figures are agreement with the FP32 network's own detections (score above ${TRUSTED}).`
    : 'No labels: this network is its own reference, so it agrees fully with itself.';
  const none = metrics.AP === null ? [`n/a: the FP32 network sees nothing above a score of ${TRUSTED} in these images.`] : [];
  return { kind: 'agreement', ...figures(metrics, drawn), notes: [what, ...none, ...tieNote(judged)] };
}

async function evaluateDetector(
  target: EvaluationTarget,
  spec: DetectorSpec,
  images: ImageSet,
  options: DecodeOptions,
  ctx: StepContext,
  reference: EvaluationReference | null,
): Promise<{ metrics: DetectionMetrics; detections: Detection[][] }> {
  const asks = images.categories === null && reference !== null && reference.model !== target.model;
  const known = asks ? (reference.detections ?? null) : null;
  const models = asks && !known ? [target.model, reference.model] : [target.model];
  const found = await predict(models, spec, images, ctx, 'Evaluating', ({ placement, outputs }) =>
    outputs.map((output) => packed(detect(spec, output, placement, options))),
  );
  const detections = found.map((lists) => unpacked(lists?.[0]));
  const theirs = found.map((lists) => unpacked(lists?.[1]));
  const notes = leftOut(found, images);
  const kept = [...found.keys()].filter((index) => found[index] !== null);
  const judgement = images.categories
    ? await againstLabels(images, images.categories, spec, kept, detections, reference?.detections ?? null, ctx)
    : await againstReference(images, spec, kept, detections, asks ? (known ?? theirs) : null, ctx);
  const { scoreThreshold, iouThreshold, nms } = options;
  const metrics: DetectionMetrics = {
    ...judgement,
    images: kept.length,
    classHistogram: classHistogram(detections, spec.classNames),
    sqnr: null,
    scoreThreshold,
    iouThreshold,
    nms,
    notes: [...notes, ...judgement.notes],
  };
  return { metrics, detections };
}

async function evaluateGeneric(
  target: EvaluationTarget,
  images: ImageSet,
  { scoreThreshold, iouThreshold, nms }: DecodeOptions,
  ctx: StepContext,
  reference: EvaluationReference | null,
): Promise<DetectionMetrics> {
  const preprocess = defaultPreprocess(target.model);
  if (!preprocess)
    throw new StudioError(
      'unsupported',
      'This network can’t be evaluated on images: it has no single image input.',
      'Open a network with one float32 or uint8 input of 1 or 3 channels.',
    );
  const self = !reference || reference.model === target.model;
  const models = self ? [target.model] : [target.model, reference.model];
  const feed = { input: target.model.graph.inputs[0]!.name, preprocess };
  const found = await predict(models, feed, images, ctx, 'Evaluating', ({ outputs }) => {
    const image = sqnrMeter();
    image.add(outputs[1] ?? outputs[0]!, outputs[0]!);
    return image.sums;
  });
  const seen = found.filter((sums) => sums !== null);
  const note = self
    ? 'Not a known detector: this network is the reference that later ones are compared with.'
    : 'Not a known detector: judged by the SQNR of its outputs against FP32, at the output where it is lowest.';
  return {
    ...EMPTY,
    kind: 'sqnr',
    images: seen.length,
    sqnr: self ? null : sqnrMeter(seen).result(),
    scoreThreshold,
    iouThreshold,
    nms,
    notes: [...leftOut(found, images), note],
  };
}

/**
 * Runs a network over an image set on `ctx.engine` at optimization level 'disabled' and scores it: COCO mAP where there
 * are labels, agreement with `reference` where there are none, output SQNR against `reference` for a generic network.
 *
 * @param values options of {@link evaluateMeta}; missing ones take their default
 * @param reference the float original; omitted or the target itself: the target is the reference
 * @throws StudioError 'bad-data' when no image can be read, 'unsupported' when the network takes no image, 'cancelled'
 * @example
 * const { artifact } = await evaluate({ ...opened, environment: 'FP32' }, images, {}, ctx);
 * artifact.metrics.mAP; // 32.07 for YOLOX-Nano on coco-val
 */
export async function evaluate(
  target: EvaluationTarget,
  images: ImageSet,
  values: OptionValues,
  ctx: StepContext,
  reference: EvaluationReference | null = null,
): Promise<Evaluation> {
  const options = decodeOptions(values);
  if (images.entries.length === 0)
    throw new StudioError('bad-data', `The image set "${images.name}" is empty.`, 'Choose a folder with JPEG or PNG images.');
  const environment = `${target.environment}, ${ctx.engine.version}, optimization ${OPTIMIZATION}`;
  const { metrics, detections } = target.spec
    ? await evaluateDetector(target, target.spec, images, options, ctx, reference)
    : { metrics: await evaluateGeneric(target, images, options, ctx, reference), detections: images.entries.map(() => []) };
  const ids = images.entries.map((entry) => `${entry.id}/${entry.fileName}`).join(',');
  const hash = await stepHash(
    evaluateMeta,
    [target.hash, environment, images.name, ids, JSON.stringify(target.spec?.preprocess ?? null)],
    options,
  );
  return { artifact: { kind: 'metrics', hash, modelHash: target.hash, environment, metrics }, detections };
}
