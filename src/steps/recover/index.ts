/**
 * Recover: trains a float network by distillation from the network that it was made from, or from another teacher, on
 * unlabelled images (../shared/lab.md §6, §8; Hinton et al. 2015; FitNets, Romero et al. 2015). May import the rooms below steps.
 */
import type { ImageSet } from '../../data';
import { defaultPreprocess, inputDims, type Preprocess } from '../../models';
import { StudioError } from '../../numerics';
import { hashModel, type Model, serializeModel } from '../../onnx';
import type { Tensors } from '../../runtime';
import {
  asInputs,
  augmentedBatches,
  beginningParameters,
  biasedOutputs,
  channelSigma,
  type FeatureLoss,
  type FeaturePair,
  featureLevels,
  featureMaps,
  type GraphObjectiveParts,
  headMismatch,
  meanSquare,
  openAdmitted,
  openObjective,
  plainBatches,
  planDistillation,
  repeatedBatches,
  TRAIN_SETTINGS,
  type TrainingPool,
  trainableWeights,
  withValues,
} from '../../training';
import { type OptionValues, resolveOptions } from '../common';
import { sized } from '../sized';
import { divergedNotes, gainNote, openTrainingPool, runTraining, type TrainingRun } from '../training-run';
import type { ModelArtifact, StepContext, TrainingLook } from '../types';
import { recoverMeta } from './meta';

export type { TrainingPool } from '../../training';
export { openTrainingPool } from '../training-run';
export { recoverMeta } from './meta';

export interface RecoverOptions {
  readonly steps: number;
  readonly stepsBetween: number;
  readonly classificationWeight: number;
  readonly klWeight: number;
  readonly featureWeight: number;
  readonly localizationWeight: number;
  readonly temperature: number;
  readonly weightRate: number;
  readonly biasRate: number;
  readonly optimizer: 'adam' | 'adamw' | 'sgd';
  readonly batch: number;
  readonly frozenLayers: number;
  readonly augment: boolean;
  readonly patience: number;
}

export interface RecoverInput {
  readonly student: ModelArtifact;
  readonly teacher: ModelArtifact;
  /** Labels aren't used. */
  readonly images: ImageSet;
  /** Value of the teacher's → its channels that the student's value of the same name has; null where the networks differ otherwise. */
  readonly kept: ReadonlyMap<string, readonly number[]> | null;
  /** The images, opened; absent: they are opened here. */
  readonly pool?: TrainingPool;
  /** In words, for progress and curves: "Recovery after −5 % MACs". */
  readonly label: string;
  /** Image-steps; absent: the option's. */
  readonly steps?: number;
  /** mAP in percent of a network's detections on the images held back; null where it can't be measured. */
  validate?(network: ModelArtifact, images: ImageSet): Promise<number | null>;
}

export interface RecoverReport {
  readonly curve: readonly TrainingLook[];
  /** Loss on unseen images before and after. */
  readonly before: number;
  readonly after: number;
  readonly notes: readonly string[];
}

/** Looks at unseen images in a run: each costs as much as some ten image-steps. */
const looksIn = (imageSteps: number): number => Math.min(12, Math.max(4, Math.floor(imageSteps / 50)));
/** Where only features are compared they count more. */
const HEADLESS_FACTOR = 3;
/**
 * A network near its teacher takes smaller steps: this share of the rates for each unit of loss that it starts with, at most
 * all and at least LEAST_RATE of them. YOLOX-Nano cut by 5 % (loss 0.18) only gets worse in a short run with a fifth of the rates.
 */
const RATE_PER_LOSS = 0.25;
const LEAST_RATE = 0.05;
/** Spread of image-steps' averages: the last few hundred count. */
const AVERAGE_DECAY = 0.995;

interface Network {
  readonly model: Model;
  readonly p: Preprocess;
  readonly input: string;
}

function seenBy({ name, model, spec }: ModelArtifact): Omit<Network, 'model'> {
  const p = spec?.preprocess ?? defaultPreprocess(model);
  const input = spec?.input ?? model.graph.inputs[0]?.name;
  if (!p || !input)
    throw new StudioError(
      'unsupported',
      `${name} does not take one image, so it can't be trained here.`,
      'Switch recovery off, or open a network with one image input.',
    );
  return { p, input };
}

function networkOf(artifact: ModelArtifact): Network {
  const { p, input } = seenBy(artifact);
  return { model: sized(artifact.model, { [input]: inputDims(p) }), p, input };
}

/** @throws StudioError 'bad-option' when teacher and student would see different pictures */
export function checkTeacher(student: ModelArtifact, teacher: ModelArtifact): void {
  const { p: own } = seenBy(student);
  const { p: other } = seenBy(teacher);
  if (own.width !== other.width || own.height !== other.height)
    throw new StudioError(
      'bad-option',
      `The teacher ${teacher.name} sees ${other.width}×${other.height} pixels, ${student.name} ${own.width}×${own.height}.`,
      'Choose a teacher of the same resolution, or export it again at that size.',
    );
  if (JSON.stringify(own) !== JSON.stringify(other))
    throw new StudioError(
      'bad-option',
      `The teacher ${teacher.name} and ${student.name} prepare their images differently.`,
      'Choose the same preprocessing for both.',
    );
}

/** Values of both networks that can be compared. */
function pairsOf(input: RecoverInput, student: Model, teacher: Model): readonly Omit<FeaturePair, 'variance'>[] {
  if (input.kept) {
    const made = new Set(student.graph.nodes.flatMap(({ outputs }) => outputs));
    return featureMaps(teacher, input.teacher.spec).flatMap((value) => {
      const keep = input.kept!.get(value);
      return made.has(value) ? [{ value, ...(keep ? { keep } : {}) }] : [];
    });
  }
  const levels = featureLevels(teacher, input.teacher.spec);
  return [...featureLevels(student, input.student.spec)].flatMap(([size, value]) => {
    const own = levels.get(size);
    return own === undefined ? [] : [{ value, teacher: own }];
  });
}

interface Objects {
  readonly student: Network;
  readonly teacher: Network;
  readonly feeds: { readonly count: number; at(index: number): Promise<Tensors> };
}

async function features(
  input: RecoverInput,
  { student, teacher, feeds }: Objects,
  weight: number,
  ctx: StepContext,
): Promise<FeatureLoss | null> {
  const pairs = weight > 0 ? pairsOf(input, student.model, teacher.model) : [];
  if (pairs.length === 0) return null;
  const sigma = await channelSigma(
    teacher.model,
    pairs.map(({ value, teacher: own = value }) => own),
    feeds,
    ctx,
  );
  const tensors = pairs.map((pair): FeaturePair => {
    const all = sigma.get(pair.teacher ?? pair.value)!;
    return { ...pair, variance: (pair.keep ? pair.keep.map((c) => all[c]!) : [...all]).map((s) => s * s) };
  });
  return { strength: weight / tensors.length, tensors };
}

/**
 * Trains `input.student` toward `input.teacher`. Unseen images, a tenth of the set, decide which step is kept; where none
 * is better than the start, the network comes back as it was.
 * @throws StudioError 'unsupported' for a layer without a gradient, 'bad-option' for a teacher that sees other pictures,
 *   'bad-data' for too few images, 'cancelled'
 */
export async function recover(
  input: RecoverInput,
  values: OptionValues,
  ctx: StepContext,
): Promise<{ readonly artifact: ModelArtifact; readonly report: RecoverReport }> {
  const options = resolveOptions(recoverMeta, values) as unknown as RecoverOptions;
  checkTeacher(input.student, input.teacher);
  const student = networkOf(input.student);
  const teacher = networkOf(input.teacher);
  const { p } = student;
  const dims = inputDims(p);
  const { label } = input;
  const pool = input.pool ?? (await openTrainingPool(input.student, input.images, 'recover', ctx));
  const plain = plainBatches(pool.fit, teacher.input, p, dims);
  const feeds = { count: plain.count, at: async (i: number) => (await plain.at(i)).images };
  const notes: string[] = [];
  const other = input.kept ? undefined : { model: student.model, spec: input.student.spec };
  const mismatch = other ? headMismatch(input.teacher.spec, input.student.spec) : null;
  if (mismatch !== null) notes.push(`Only features are compared, with ${HEADLESS_FACTOR} times their weight: ${mismatch}.`);
  const featureWeight = options.featureWeight * (mismatch === null ? 1 : HEADLESS_FACTOR);
  const featureLoss = await features(input, { student, teacher, feeds }, featureWeight, ctx);
  const outputs = teacher.model.graph.outputs.map(({ name }) => name);
  const teacherSigma = input.teacher.spec ? new Map<string, Float32Array>() : await channelSigma(teacher.model, outputs, feeds, ctx);
  const loss = planDistillation(teacher.model, input.teacher.spec, {
    weights: {
      classification: options.classificationWeight,
      kl: options.klWeight,
      localization: options.localizationWeight,
      temperature: options.temperature,
    },
    features: featureLoss,
    variances: new Map([...teacherSigma].map(([name, sigma]) => [name, meanSquare(sigma)])),
    ...(other ? { student: other } : {}),
  });
  const built = loss.student(student.model);
  const own =
    student.input === teacher.input
      ? feeds
      : { count: feeds.count, at: async (i: number) => ({ [student.input]: (await feeds.at(i))[teacher.input]! }) };
  const sigma = await channelSigma(student.model, biasedOutputs(student.model), own, ctx);
  const weights = trainableWeights(built.model, sigma, { weight: options.weightRate, bias: options.biasRate });
  const frozen = beginningParameters(student.model, options.frozenLayers);
  const trained = weights.filter(({ name }) => !frozen.has(name) && !loss.projections.some((own) => own.name === name));
  if (trained.length === 0)
    throw new StudioError(
      'bad-option',
      `With ${options.frozenLayers} frozen layers nothing of ${input.student.name} is left to train.`,
      'Freeze fewer layers.',
    );
  const variables = [...trained, ...loss.projections];
  const batch = (image: Tensors[string]): Tensors => ({ [student.input]: image, [teacher.input]: image });
  const bothInputs = <T extends { readonly images: Tensors }>(b: T): T => ({ ...b, images: batch(b.images[teacher.input]!) });
  const draw = options.augment ? augmentedBatches : repeatedBatches;
  const drawn = draw(pool.fit, teacher.input, p, dims, options.batch, ctx.seed);
  const unseen = plainBatches(pool.held, teacher.input, p, dims);
  const imageSteps = input.steps ?? options.steps;
  const steps = Math.ceil(imageSteps / options.batch);
  const settings = {
    ...TRAIN_SETTINGS,
    optimizer: options.optimizer,
    steps,
    averageDecay: AVERAGE_DECAY,
    judgeEvery: Math.max(1, Math.ceil(steps / looksIn(imageSteps))),
    patience: options.patience > 0 ? options.patience : Number.POSITIVE_INFINITY,
  };
  const network = (values: Readonly<Record<string, Float32Array>>): ModelArtifact => ({
    ...input.student,
    model: withValues(input.student.model, values),
  });
  const parts: Omit<GraphObjectiveParts, 'engine'> = {
    teacher: loss.teacher(teacher.model),
    student: { ...built, model: asInputs(built.model, variables) },
    variables,
    ...(frozen.size > 0 ? { frozenInputs: [student.input] } : {}),
    batches: async (step) => (await drawn(step)).map(bothInputs),
    unseen: { count: unseen.count, at: async (i) => bothInputs(await unseen.at(i)) },
  };
  const objective = await openAdmitted(
    (engine) => openObjective({ ...parts, engine }),
    ctx,
    variables,
    (text) => notes.push(text),
  );
  const run: TrainingRun = {
    step: 'recover',
    label,
    batch: options.batch,
    imageSteps,
    settings,
    objective,
    variables,
    rateShare: (damage) => Math.min(1, Math.max(LEAST_RATE, RATE_PER_LOSS * damage)),
    validate: async (average) => input.validate?.(network(average), pool.heldImages),
  };
  try {
    const result = await runTraining(run, ctx);
    const { values: learnt, best, looks } = result;
    notes.push(
      ...divergedNotes(label, result),
      best.step === 0
        ? `${label}: no step was better on ${pool.held.count} unseen images, so the network stays as it was.`
        : gainNote(label, result, run, pool.fit.count, pool.held.count),
    );
    const model = best.step === 0 ? input.student.model : withValues(input.student.model, learnt);
    const artifact: ModelArtifact = { ...input.student, model, hash: await hashModel(serializeModel(model)) };
    return { artifact, report: { curve: looks, before: looks[0]!.unseen, after: best.unseen, notes } };
  } finally {
    await objective.release();
  }
}
