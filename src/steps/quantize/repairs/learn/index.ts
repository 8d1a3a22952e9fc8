/**
 * Learns scales, zero points and biases through frozen weights: the quantized network as a float graph (FakeQuant, as LSQ+,
 * Bhalgat et al. 2020) is pulled toward the float network's outputs on augmented, unlabelled images. Rates, units and loss
 * as ../shared/lab.md §8 found them; unseen images decide which step is kept.
 */
import { defaultPreprocess, inputDims } from '../../../../models';
import { StudioError } from '../../../../numerics';
import { fixDimensions, type Model } from '../../../../onnx';
import {
  asInputs,
  augmentedBatches,
  channelSigma,
  type GraphObjective,
  type GraphObjectiveParts,
  meanSquare,
  openAdmitted,
  openObjective,
  plainBatches,
  planDistillation,
  SCHEDULE,
  TRAIN_SETTINGS,
  type TrainingImages,
  type Values,
  type Variable,
} from '../../../../training';
import { divergedNotes, gainNote, runTraining, type TrainingRun } from '../../../training-run';
import { buildQdq } from '../../qdq';
import type { Feeds, QuantState, Repair, RepairContext } from '../types';
import { gainsOf, layerOfBias, separateAffine } from './affine';
import { withClipDecay } from './pact';
import { learnedState } from './result';
import { bakeConstants, insertFakeQuant, type Learnable, type LearnRates, learnables, withVariables } from './student';
import { type WeightTraining, weightTrainer } from './weights';

/** Images of a training step. */
const BATCH = 2;

/** Image-steps between two looks at the held-back images. */
const JUDGE_EVERY = 150;

/**
 * A third of ../shared/lab.md's: from a plan that is good already (YOLOX-Nano as int8-best starts it) unseen loss 0.067 against
 * 0.074, agreement on 200 images of coco-more 94.9 against 94.1; half or three times the rate is no better, 1,800 steps
 * neither. From plain percentiles it is as good on unseen images after 900.
 */
const RATES: LearnRates = { scale: 1e-2, bias: 1e-3, gain: 5e-4 };

/** Everything that is tuned; the repairs use {@link LEARN_SETTINGS} and qat.ts. */
export interface LearnSettings {
  readonly id: Repair['id'];
  readonly label: string;
  readonly imageSteps: number;
  /** Looks without a better result after which training ends. */
  readonly patience: number;
  /** A longer run is several of so many image-steps, each with half the rate of the one before. */
  readonly cycle: number;
  /** null = the weights stay frozen. */
  readonly weights: WeightTraining | null;
  readonly gradient: 'lsq' | 'pact';
  /** Of PACT: how strongly clips are pulled down, λ of λ·(clip / clip at the start)². */
  readonly clipDecay: number;
  readonly rates: LearnRates;
  readonly averageDecay: number;
  /** Weight of the mean error of {@link junctions}, in units of their variance, beside the outputs' loss. */
  readonly features: number;
}

export const LEARN_SETTINGS: Omit<LearnSettings, 'imageSteps'> = {
  id: 'learn',
  label: 'Learning scales, zero points and biases',
  patience: Number.POSITIVE_INFINITY,
  cycle: Number.POSITIVE_INFINITY,
  weights: null,
  gradient: 'lsq',
  clipDecay: 0,
  rates: RATES,
  averageDecay: TRAIN_SETTINGS.averageDecay,
  features: 0,
};

type Sigma = ReadonlyMap<string, Float32Array>;

/** Layers' outputs that several nodes read: stages, residuals, what heads share. */
function junctions({ float, plan }: QuantState): readonly string[] {
  const readers = new Map<string, number>();
  for (const node of float.graph.nodes) for (const name of new Set(node.inputs)) readers.set(name, (readers.get(name) ?? 0) + 1);
  return plan.layers.flatMap(({ output, isHead }) => (!isHead && plan.activations.has(output) && readers.get(output)! > 1 ? [output] : []));
}

/** Bias constant → σ of its layer's channels. */
function biasUnits(state: QuantState, sigma: Sigma): Sigma {
  const layerOf = layerOfBias(state.float, state.plan);
  const units = new Map<string, Float32Array>();
  for (const constant of state.plan.constants) {
    if (constant.role !== 'bias' || units.has(constant.tensor)) continue;
    const own = sigma.get(layerOf(constant)?.rawOutput ?? '');
    if (own) units.set(constant.tensor, own);
  }
  return units;
}

/** The images as training's pool gives them. */
const asImages = (feeds: Feeds, input: string): TrainingImages => ({
  count: feeds.count,
  at: async (i) => (await feeds.at(i))[input]!.data as Float32Array | Uint8Array,
});

interface Opened {
  readonly objective: GraphObjective;
  readonly variables: readonly Variable[];
  /** The state with what was trained. */
  finish(values: Values): QuantState;
  readonly images: number;
}

/** Only what the student reads: a loss that ends before the float tail leaves the tail's parameters without a gradient. */
function usedBy(model: Model, learnable: Learnable): Learnable {
  const read = new Set(model.graph.nodes.flatMap((node) => node.inputs));
  return {
    variables: learnable.variables.filter(({ name }) => read.has(name)),
    fixed: learnable.fixed.filter(({ name }) => read.has(name)),
  };
}

/** Student, teacher and data as an objective. @throws StudioError 'unsupported' where a layer has no gradient */
export async function openLearning(state: QuantState, ctx: RepairContext, settings: LearnSettings): Promise<Opened> {
  const { spec } = ctx;
  const p = spec?.preprocess ?? defaultPreprocess(ctx.teacher);
  const input = spec?.input ?? ctx.teacher.graph.inputs[0]?.name;
  if (!p || !input)
    throw new StudioError(
      'unsupported',
      'Only networks that take one image can be trained here.',
      'Switch learning and QAT off, or open a network with one image input.',
    );
  const sized = (model: Model): Model => fixDimensions(model, { [input]: inputDims(p) });
  const teacher = sized(ctx.teacher);
  const compared = settings.features > 0 ? junctions(state) : [];
  const outputs = teacher.graph.outputs.map(({ name }) => name);
  const values = [...state.plan.layers.map(({ rawOutput }) => rawOutput), ...compared, ...outputs];
  const sigma = await channelSigma(teacher, values, ctx.fit, ctx);
  const tensors = compared.map((value) => ({ value, variance: sigma.get(value)!.map((s) => s * s) }));
  const features = tensors.length > 0 ? { strength: settings.features / tensors.length, tensors } : null;
  const variances = new Map(outputs.map((name) => [name, meanSquare(sigma.get(name) ?? [])]));
  const loss = planDistillation(teacher, spec, { features, variances });
  const { weights } = settings;
  const learnable = learnables(state.float, state.plan, biasUnits(state, sigma), settings.rates, ctx.options.symmetric, weights === null);
  const dims = new Map(learnable.variables.map((variable) => [variable.name, variable.dims]));
  const constant = sized(bakeConstants(state.float, state.plan));
  const baked = weights === null ? separateAffine(constant, dims, gainsOf(state.float, state.plan)) : constant;
  const { model, loss: name, parts } = loss.student(baked);
  const quantized = insertFakeQuant(model, state.plan, settings.gradient);
  const used = usedBy(quantized, learnable);
  const trainer = weights && weightTrainer(quantized, state.float, state.plan, used.variables, weights);
  const variables = trainer?.variables ?? used.variables;
  const ready = withVariables(quantized, used);
  const fit = ctx.training?.fit ?? asImages(ctx.fit, input);
  const map = trainer && (settings.clipDecay > 0 ? withClipDecay(trainer.map, variables, settings.clipDecay) : trainer.map);
  const shared: Omit<GraphObjectiveParts, 'engine'> = {
    teacher: loss.teacher(teacher),
    student: { model: trainer ? asInputs(ready, trainer.weights) : ready, loss: name, parts },
    variables,
    ...(map ? { map } : {}),
    batches: augmentedBatches(fit, input, p, inputDims(p), BATCH, ctx.seed),
    unseen: ctx.training
      ? plainBatches(ctx.training.held, input, p, inputDims(p))
      : { count: ctx.held.count, at: async (i) => ({ images: await ctx.held.at(i) }) },
  };
  const objective = await openAdmitted((engine) => openObjective({ ...shared, engine }), ctx, variables, ctx.note);
  const finish = (values: Values): QuantState =>
    learnedState(
      trainer ? { ...state, plan: { ...state.plan, constants: trainer.constants(state.plan, values) } } : state,
      variables,
      values,
    );
  return { objective, variables, finish, images: fit.count };
}

/** Trains as the settings say. @throws StudioError 'unsupported' where a layer has no gradient */
export async function learnWith(state: QuantState, ctx: RepairContext, settings: LearnSettings): Promise<QuantState> {
  const { id, label, imageSteps } = settings;
  const steps = Math.ceil(imageSteps / BATCH);
  const { objective, variables, finish, images } = await openLearning(state, ctx, settings);
  if (variables.length === 0) {
    await objective.release();
    return state;
  }
  const run: TrainingRun = {
    step: 'quantize',
    label,
    batch: BATCH,
    imageSteps,
    settings: {
      ...TRAIN_SETTINGS,
      steps,
      schedule: { ...SCHEDULE, cycle: Math.min(steps, Math.ceil(settings.cycle / BATCH)) },
      averageDecay: settings.averageDecay,
      patience: settings.patience,
      judgeEvery: Math.max(1, Math.min(JUDGE_EVERY / BATCH, Math.ceil(steps / 4))),
    },
    objective,
    variables,
    async validate(average) {
      const { float, plan } = finish(average);
      return ctx.validate?.(buildQdq(float, plan));
    },
  };
  try {
    const result = await runTraining(run, ctx);
    for (const note of divergedNotes(id, result)) ctx.note(note);
    if (result.best.step === 0) return state;
    ctx.note(gainNote(id, result, run, images, ctx.training?.held.count ?? ctx.held.count));
    return finish(result.values);
  } finally {
    await objective.release();
  }
}

/** The repair with these settings; a layer without a gradient or an output without a fixed shape leaves it out. */
export async function learnOrLeave(state: QuantState, ctx: RepairContext, settings: LearnSettings): Promise<QuantState> {
  try {
    return await learnWith(state, ctx, settings);
  } catch (error) {
    if (!(error instanceof StudioError) || error.code !== 'unsupported') throw error;
    ctx.note(`${settings.id} was left out: ${error.message}`);
    return state;
  }
}

export const learn: Repair = {
  id: 'learn',
  label: LEARN_SETTINGS.label,
  wanted: ({ learnSteps }) => learnSteps > 0,
  apply: (state, ctx) => learnOrLeave(state, ctx, { ...LEARN_SETTINGS, imageSteps: ctx.options.learnSteps }),
};
