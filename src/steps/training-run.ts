/** Training as steps do it: images opened once, a curve that can be watched, pause, stop, and a checkpoint to go on from. */
import type { ImageSet } from '../data';
import { defaultPreprocess } from '../models';
import { StudioError } from '../numerics';
import {
  type Objective,
  openPool,
  rateFactor,
  startState,
  type TrainCheckpoint,
  type TrainingPool,
  type TrainResult,
  type TrainSettings,
  train,
  type Values,
  type Variable,
} from '../training';
import { prepareImage, timer } from './common';
import { NO_JOURNAL } from './journal';
import type { StepId } from './meta';
import type { ModelArtifact, StepContext, TrainingLook } from './types';

/** Images of a set for training, a tenth of them held back. @throws StudioError 'unsupported', 'bad-data' for too few, 'cancelled' */
export async function openTrainingPool(
  { name, model, spec }: ModelArtifact,
  images: ImageSet,
  step: StepId,
  ctx: Pick<StepContext, 'cancel' | 'progress' | 'prepare'>,
): Promise<TrainingPool> {
  const p = spec?.preprocess ?? defaultPreprocess(model);
  if (!p)
    throw new StudioError(
      'unsupported',
      `${name} does not take one image, so it can't be trained here.`,
      'Switch training off, or open a network with one image input.',
    );
  const total = images.entries.length;
  const prepare = (index: number) => {
    ctx.cancel.throwIfAborted();
    return prepareImage(ctx, images, index, p);
  };
  return openPool(images, p, prepare, (done) => ctx.progress({ step, label: 'Preparing images', done, total }));
}

export interface TrainingRun {
  readonly step: StepId;
  /** In words, for progress and curves. */
  readonly label: string;
  /** Images of a training step. */
  readonly batch: number;
  readonly imageSteps: number;
  readonly settings: TrainSettings;
  readonly objective: Objective;
  readonly variables: readonly Variable[];
  /** Share of every rate, by the loss on unseen images at the start; absent: all of it. */
  rateShare?(damage: number): number;
  /** mAP in percent with these values on images held back; null where it can't be measured. */
  validate(values: Values): Promise<number | null | undefined>;
}

/** A run that was cut. */
interface Saved {
  readonly training: TrainCheckpoint;
  readonly looks: readonly TrainingLook[];
}

export interface TrainingRunResult extends TrainResult {
  readonly looks: readonly TrainingLook[];
}

/**
 * Trains, or goes on where the same run was cut: to the same bits and the same curve.
 * @throws StudioError 'cancelled', 'runtime' when the loss is no number at the start
 */
export async function runTraining(
  run: TrainingRun,
  ctx: Pick<StepContext, 'cancel' | 'progress' | 'look' | 'control' | 'journal' | 'resumed'>,
): Promise<TrainingRunResult> {
  const { step: id, label, batch, imageSteps, settings, objective, variables } = run;
  const { steps } = settings;
  const { control, journal = NO_JOURNAL } = ctx;
  const saved = journal.saved<Saved>();
  if (saved) ctx.resumed?.(saved.training.state.step);
  const looks = [...(saved?.looks ?? [])];
  for (const look of looks) ctx.look?.(look);
  const first = saved?.training ?? (await startOf(run));
  const share = run.rateShare?.(first.state.curve[0]!.unseen) ?? 1;
  const left = timer(steps);
  const result = await train(
    objective,
    variables.map((variable) => ({ ...variable, rate: variable.rate * share })),
    settings,
    {
      cancel: ctx.cancel,
      paused: () => control?.paused() ?? Promise.resolve(),
      stopped: () => control?.stopped() ?? false,
      onStep: ({ step }) => ctx.progress({ step: id, label, done: step, total: steps, secondsLeft: left(step) }),
      async onLook({ step, loss, parts = {}, unseen }, average) {
        // Training begins with the looks of the run that it resumes.
        if (looks.some((look) => look.step === step * batch)) return;
        const rate = rateFactor(step, steps, settings.schedule);
        const mAP = (await run.validate(average)) ?? null;
        const look = { run: label, step: step * batch, total: imageSteps, loss, parts, unseen, rate, mAP };
        looks.push(look);
        ctx.look?.(look);
      },
      ...(ctx.journal
        ? { onCheckpoint: (training: TrainCheckpoint) => journal.save({ training, looks: [...looks] } satisfies Saved) }
        : {}),
    },
    first,
  );
  return { ...result, looks };
}

async function startOf({ objective, variables, settings }: TrainingRun): Promise<TrainCheckpoint> {
  const state = await startState(objective, variables, settings.optimizer);
  return { state, safe: state };
}

/** What the user is told when training diverged; empty where it didn't. */
export function divergedNotes(name: string, { rollbacks }: TrainResult): readonly string[] {
  if (rollbacks === 0) return [];
  return [`${name}: training diverged ${rollbacks === 1 ? 'once' : `${rollbacks} times`} and went back with half the rate.`];
}

/** What training brought, in words. */
export function gainNote(name: string, { best, curve }: TrainResult, { batch, settings }: TrainingRun, fit: number, held: number): string {
  const losses = `${curve[0]!.unseen.toPrecision(3)} → ${best.unseen.toPrecision(3)}`;
  return `${name}: ${best.step * batch} of ${settings.steps * batch} image-steps on ${fit} images; loss on ${held} unseen images ${losses}.`;
}
