/**
 * A detector from nothing: random weights, scenes drawn by seed with exact labels, and the studio's own training. The
 * network normalises by its batch while it learns; statistics are measured anew for each look, and folded.
 */
import { drawScene, type GroundTruth, SCENE_CATEGORIES, SCENE_CLASSES, type Scene } from '../data';
import {
  buildDetector,
  type DetectorKind,
  type DetectorSize,
  type DetectorSpec,
  letterbox,
  matchFamily,
  type Preprocess,
  SCENE_DETECTORS,
} from '../models';
import { createRandom, StudioError } from '../numerics';
import { foldBatchNorm, type Model, removeDead, serializeModel } from '../onnx';
import type { Engine } from '../runtime';
import { openStatistics } from './batch-norm';
import {
  LABELLED_AUGMENTATION,
  type LabelledAugmentation,
  type LabelledImage,
  type LabelledImages,
  type LabelledView,
  labelledView,
  plainView,
} from './labelled';
import { LABEL_WEIGHTS, type LabelWeights, planLabels } from './losses/labels';
import { type Batch, openObjective } from './objective';
import type { OptimizerId, Variable } from './optimizers';
import { stepImages } from './pool';
import { type TrainCheckpoint, type TrainContext, type TrainPoint, train, type Values } from './trainer';
import { asInputs, variableFeeds, withValues } from './weights';

export interface GrowOptions extends DetectorSize {
  readonly kind: DetectorKind;
  /** Size of the network that comes out, pixels, multiples of 32. */
  readonly width: number;
  readonly height: number;
  /** Size while training: parts of scenes cost less than whole ones, and a step learns nearly as much from them. */
  readonly trainWidth: number;
  readonly trainHeight: number;
  /** Pixels of a scene as it is drawn; it is scaled to the network's width. */
  readonly sceneWidth: number;
  readonly sceneHeight: number;
  /** Different scenes to learn from. */
  readonly scenes: number;
  readonly steps: number;
  /** Images of a step. */
  readonly batch: number;
  readonly optimizer: OptimizerId;
  /** Step of a weight at the peak, in units of 1 / √fan-in. */
  readonly weightRate: number;
  /** Step of a normalisation's scale and shift, and of a bias. */
  readonly shiftRate: number;
  /** Part of the run in which the rates rise. */
  readonly warmup: number;
  readonly averageDecay: number;
  readonly lookEvery: number;
  readonly weights: LabelWeights;
  readonly augmentation: LabelledAugmentation;
  readonly seed: number;
}

const SHARED = {
  width: 224,
  height: 224,
  trainWidth: 160,
  trainHeight: 128,
  sceneWidth: 320,
  sceneHeight: 240,
  scenes: 4000,
  steps: 14000,
  batch: 8,
  optimizer: 'adamw' as OptimizerId,
  weightRate: 0.05,
  shiftRate: 0.0125,
  warmup: 0.03,
  averageDecay: 0.998,
  lookEvery: 500,
  weights: LABEL_WEIGHTS,
  // A scene that fits the training size is 160 pixels wide: at 1.4 it has the size that the network will see.
  augmentation: { ...LABELLED_AUGMENTATION, move: 1, scale: [0.98, 1.9], shift: 0.3 } as LabelledAugmentation,
  seed: 1,
};

/** How the embedded detectors are made. */
export const SCENE_RECIPES = {
  'scenes-depthwise': { ...SHARED, ...SCENE_DETECTORS.depthwise, kind: 'depthwise' },
  'scenes-dense': { ...SHARED, ...SCENE_DETECTORS.dense, kind: 'dense' },
} as const satisfies Readonly<Record<string, GrowOptions>>;

/**
 * Small enough to see something after two minutes in a page: few channels, and scenes drawn at the network's own size.
 */
export const LIVE_RECIPE: GrowOptions = {
  ...SHARED,
  ...{ kind: 'dense', channels: [8, 16, 24, 32, 32], head: 16, depth: [1, 1, 1, 1] },
  ...{ width: 128, height: 96, trainWidth: 128, trainHeight: 96, sceneWidth: 128, sceneHeight: 96, scenes: 1000 },
  augmentation: LABELLED_AUGMENTATION,
  ...{ steps: 1500, averageDecay: 0.98, lookEvery: 60, weightRate: 0.1, shiftRate: 0.025, warmup: 0.05 },
};

export interface GrowLook {
  readonly step: number;
  /** Mean over the steps since the last look; null at the start. */
  readonly loss: number | null;
  readonly parts?: Readonly<Record<string, number>>;
  /** Loss of the averaged weights on scenes that no step sees. */
  readonly unseen: number;
  /** Of the averaged weights, percent; null where nothing judges. */
  readonly mAP: number | null;
  /** The averaged weights as an ordinary detector, ONNX. */
  readonly model: Uint8Array;
}

export interface GrowCheckpoint {
  readonly train: TrainCheckpoint;
  readonly looks: readonly Omit<GrowLook, 'model'>[];
}

export interface GrowContext extends Pick<TrainContext, 'cancel' | 'onStep' | 'paused' | 'stopped'> {
  readonly engine: Engine;
  /** mAP in percent of a detector, ONNX. */
  evaluate?(model: Uint8Array): Promise<number | null>;
  /** Before the first step, and after every `lookEvery` steps; training waits for it. */
  onLook?(look: GrowLook): Promise<void> | void;
  /** Every few seconds; training waits for it. */
  onCheckpoint?(checkpoint: GrowCheckpoint): Promise<void> | void;
}

export interface GrowResult {
  readonly model: Model;
  readonly looks: readonly Omit<GrowLook, 'model'>[];
  readonly best: { readonly step: number; readonly unseen: number };
  readonly rollbacks: number;
}

/** Seeds of scenes: what is trained on, what judges while training. Those from 500,000 are left to the caller's judge. */
const TRAINED = 100_000;
const UNSEEN = 400_000;
/** Batches of unseen scenes, and batches whose statistics are averaged. */
const UNSEEN_BATCHES = 4;
const STATISTICS_BATCHES = 6;

/** Scenes at the network's own scale, drawn when first asked for and kept. */
function scenePool(first: number, count: number, options: GrowOptions, p: Preprocess): LabelledImages {
  const kept = new Map<number, LabelledImage>();
  return {
    count,
    async at(index) {
      const known = kept.get(index);
      if (known) return known;
      const made = scaled(drawScene(first + index, { width: options.sceneWidth, height: options.sceneHeight }), p);
      kept.set(index, made);
      return made;
    },
  };
}

function scaled({ image, truths }: Scene, p: Preprocess): LabelledImage {
  const scale = Math.min(p.width / image.width, p.height / image.height);
  const own = { ...p, width: Math.floor(image.width * scale), height: Math.floor(image.height * scale) };
  const small = letterbox(image, own).image;
  const boxes = truths.map((t): GroundTruth => {
    const [x, y, w, h] = t.bbox;
    return { ...t, bbox: [x * scale, y * scale, w * scale, h * scale], area: t.area * scale * scale };
  });
  return { image: small, truths: boxes };
}

/** Views as one batch. */
function joined(views: readonly LabelledView[], { input: name, preprocess: { width, height } }: DetectorSpec): Batch {
  const dims = [views.length, 3, height, width];
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  views.forEach(({ input }, i) => {
    data.set(input, i * input.length);
  });
  return { images: { [name]: { dtype: 'float32', dims, data } }, truths: views.map(({ truths }) => truths) };
}

/** What is trained: every weight, scale, shift and bias. */
function variablesOf(model: Model, options: GrowOptions): Variable[] {
  const variables: Variable[] = [];
  for (const { name, dims, dtype, data } of model.graph.initializers.values()) {
    if (dtype !== 'float32' || !/\.(weight|bias)$/.test(name)) continue;
    const start = data as Float32Array;
    const fanIn = dims.slice(1).reduce((a, b) => a * b, 1);
    const kernel = dims.length === 4;
    // A normalisation's scale and shift move relative to the scale.
    const scale = model.graph.initializers.get(name.replace(/\.bn\.bias$/, '.bn.weight'))!.data as Float32Array;
    const unit = /\.bn\./.test(name) ? scale.map(Math.abs) : new Float32Array(dims[0]!).fill(kernel ? 1 / Math.sqrt(fanIn) : 1);
    variables.push({ name, dims, data: start, unit, rate: kernel ? options.weightRate : options.shiftRate });
  }
  return variables;
}

/**
 * Trains a detector of scenes from random weights.
 * @param resume checkpoint of a run with the same options; the result is the same to the bit as without the cut
 * @throws StudioError 'cancelled'; 'bad-option' for impossible sizes
 */
export async function growDetector(options: GrowOptions, ctx: GrowContext, resume?: GrowCheckpoint): Promise<GrowResult> {
  const { engine } = ctx;
  const { kind, channels, head, depth, width, height, trainWidth, trainHeight, batch, seed } = options;
  const shape = { kind, channels, head, depth, classNames: SCENE_CLASSES, seed };
  const plain = buildDetector({ ...shape, width, height });
  const small = buildDetector({ ...shape, width: trainWidth, height: trainHeight });
  const normalizing = (w: number, h: number) => buildDetector({ ...shape, width: w, height: h, batch, normalization: 'batch' });
  const network = normalizing(trainWidth, trainHeight);
  const [spec, full] = [matchFamily(small), matchFamily(plain)];
  if (!spec || !full)
    throw new StudioError(
      'bad-option',
      'No detector can be built of these sizes.',
      'Choose other sizes: width and height as multiples of 32.',
    );
  const p = spec.preprocess;
  const variables = variablesOf(network, options);
  const open = asInputs(network, variables);
  const feeds = (values: Values) => variableFeeds(variables, values);

  const labels = planLabels(small, spec, { categoryIds: SCENE_CATEGORIES.map(({ id }) => id), weights: options.weights });
  const pool = scenePool(TRAINED, options.scenes, options, full.preprocess);
  const pick = stepImages(options.scenes, batch, seed);
  const stepBatch = async (step: number): Promise<Batch> => {
    const views = [];
    for (const [i, index] of pick(step).entries())
      views.push(await labelledView(pool, index, p, createRandom(seed + 104729 * (step * batch + i + 1)), options.augmentation));
    return joined(views, spec);
  };
  const plainBatch = async (images: LabelledImages, index: number, as: DetectorSpec): Promise<Batch> => {
    const views = [];
    for (let i = 0; i < batch; i++) views.push(plainView(await images.at((index * batch + i) % images.count), as.preprocess));
    return joined(views, as);
  };
  const held = scenePool(UNSEEN, UNSEEN_BATCHES * batch, options, full.preprocess);

  const opened: { release(): Promise<void> }[] = [];
  try {
    const source = await labels.source(engine, open, feeds);
    opened.push(source);
    const objective = await openObjective({
      engine,
      teacher: source,
      student: labels.student(open),
      variables,
      batches: async (step) => [await stepBatch(step)],
      unseen: { count: UNSEEN_BATCHES, at: (index) => plainBatch(held, index, spec) },
    });
    opened.push(objective);
    const statistics = await openStatistics(engine, asInputs(normalizing(width, height), variables));
    opened.push(statistics);
    const finished = async (values: Values): Promise<Model> => {
      const batches = [];
      for (let i = 0; i < STATISTICS_BATCHES; i++) batches.push(await plainBatch(pool, i, full));
      return removeDead(foldBatchNorm(withValues(plain, { ...values, ...(await statistics.measure(feeds(values), batches)) })));
    };
    const looks: Omit<GrowLook, 'model'>[] = [...(resume?.looks ?? [])];
    const onLook = async (point: TrainPoint, average: Values): Promise<void> => {
      // Training begins with the looks of the run that it resumes.
      if (looks.some(({ step }) => step === point.step)) return;
      const model = serializeModel(await finished(average));
      const mAP = (await ctx.evaluate?.(model)) ?? null;
      looks.push({ ...point, mAP });
      await ctx.onLook?.({ ...point, mAP, model });
    };
    const settings = {
      optimizer: options.optimizer,
      steps: options.steps,
      schedule: { warmup: options.warmup, floor: 0.02 },
      averageDecay: options.averageDecay,
      clip: 5,
      judgeEvery: options.lookEvery,
      patience: Number.POSITIVE_INFINITY,
    };
    const { cancel, onStep, paused, stopped } = ctx;
    const keep = ctx.onCheckpoint && ((state: TrainCheckpoint) => ctx.onCheckpoint!({ train: state, looks: [...looks] }));
    const { values, best, rollbacks } = await train(
      objective,
      variables,
      settings,
      { cancel, onStep, paused, stopped, onLook, onCheckpoint: keep },
      resume?.train,
    );
    return { model: await finished(values), looks, best, rollbacks };
  } finally {
    for (const each of opened) await each.release();
  }
}
