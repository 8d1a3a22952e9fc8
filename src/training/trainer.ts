/**
 * The training loop: asks an objective for gradients, steps the variables, keeps their moving average, goes back when it
 * diverges, and returns the average that was best on unseen data. Its whole state is plain data, so a run can be stored
 * and resumed to the bit.
 */
import { REPORT_IT, StudioError } from '../numerics';
import { applyStep, emptySlots, inUnits, type OptimizerId, type Variable } from './optimizers';
import { averageDecay, rateFactor, SCHEDULE, type Schedule } from './schedule';

export type Values = Readonly<Record<string, Float32Array>>;

/** What is minimised. */
export interface Objective {
  /** Loss of training step `step` at `values`, and its gradient by variable name. The same step always sees the same data. */
  gradients(
    values: Values,
    step: number,
  ): Promise<{ readonly loss: number; readonly parts?: Readonly<Record<string, number>>; readonly gradients: Values }>;
  /** Loss on data that no step sees. */
  judge(values: Values): Promise<number>;
}

export interface TrainSettings {
  readonly optimizer: OptimizerId;
  readonly steps: number;
  readonly schedule: Schedule;
  /** Largest decay of the moving average, 0 = none. */
  readonly averageDecay: number;
  /** A gradient longer than this times the usual length is shortened to it. */
  readonly clip: number;
  /** Steps between two looks at unseen data. */
  readonly judgeEvery: number;
  /** Looks without a better result after which training stops. */
  readonly patience: number;
}

export const TRAIN_SETTINGS: TrainSettings = {
  optimizer: 'adam',
  steps: 450,
  schedule: SCHEDULE,
  averageDecay: 0.98,
  clip: 5,
  judgeEvery: 75,
  patience: Number.POSITIVE_INFINITY,
};

/** One look at unseen data. */
export interface TrainPoint {
  readonly step: number;
  /** Mean over the steps since the last look; null at the start. */
  readonly loss: number | null;
  /** The same of the loss's parts, where it has some. */
  readonly parts?: Readonly<Record<string, number>>;
  /** On unseen data, with the averaged variables. */
  readonly unseen: number;
}

/** Everything that a run needs to go on. Structured-cloneable. */
export interface TrainState {
  /** Steps done. */
  step: number;
  values: Record<string, Float32Array>;
  average: Record<string, Float32Array>;
  slots: Record<string, Float32Array[]>;
  best: { readonly step: number; readonly unseen: number; readonly values: Record<string, Float32Array> };
  curve: TrainPoint[];
  /** Halved each time that training diverges. */
  rateScale: number;
  /** Usual length of the gradient and usual loss; 0 = none seen yet. */
  usualNorm: number;
  usualLoss: number;
  /** Losses since the last look, and their parts. */
  recent: number[];
  recentParts: Record<string, number>;
}

/** A point from which a run can be resumed to the bit: its state, and the last one that was judged sound. Structured-cloneable. */
export interface TrainCheckpoint {
  readonly state: TrainState;
  readonly safe: TrainState;
}

export interface TrainContext {
  readonly cancel: { throwIfAborted(): void };
  /** After every step. */
  onStep?(done: { readonly step: number; readonly loss: number; readonly factor: number }): void;
  /** After every look at unseen data, the first before the first step; training waits for it. */
  onLook?(point: TrainPoint, average: Values): Promise<void> | void;
  /** After every look, and at other steps once {@link CHECKPOINT_SECONDS} have passed; training waits for it. It is a copy. */
  onCheckpoint?(checkpoint: TrainCheckpoint): Promise<void> | void;
  /** Asked before every step: resolves once training may go on. */
  paused?(): Promise<void>;
  /** Asked before every step: true = look once more, and end with the best so far. */
  stopped?(): boolean;
}

export interface TrainResult {
  /** The moving average that was best on unseen data; the start values where nothing was better. */
  readonly values: Values;
  readonly best: { readonly step: number; readonly unseen: number };
  readonly curve: readonly TrainPoint[];
  /** Times that training diverged and went back. */
  readonly rollbacks: number;
  readonly state: TrainState;
}

/** Seconds between two checkpoints. */
const CHECKPOINT_SECONDS = 3;
/** A loss this many times the usual one is an explosion. */
const EXPLOSION = 20;
/** A network that starts with no more loss than rounding makes has nothing to learn. */
const AGREES = 1e-5;
/** Unseen data this many times as bad as at the start mean that the rates are too high for this network. */
const LOST = 1.5;
/** Rates are halved at most so often before training gives up. */
const MOST_ROLLBACKS = 5;
/** Weight of one step in the usual loss and gradient length. */
const USUAL = 0.05;

const copyValues = (values: Values): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(values).map(([name, data]) => [name, data.slice()]));

export const copyState = (state: TrainState): TrainState => structuredClone(state);

/** The state before the first step. */
export async function startState(objective: Objective, variables: readonly Variable[], optimizer: OptimizerId): Promise<TrainState> {
  const values = Object.fromEntries(variables.map(({ name, data }) => [name, data.slice()]));
  const unseen = await objective.judge(values);
  if (!Number.isFinite(unseen))
    throw new StudioError('runtime', 'The loss is not a number before the first training step.', 'Calibrate on other images.');
  return {
    step: 0,
    values,
    average: copyValues(values),
    slots: Object.fromEntries(variables.map((variable) => [variable.name, emptySlots(optimizer, variable)])),
    best: { step: 0, unseen, values: copyValues(values) },
    curve: [{ step: 0, loss: null, unseen }],
    rateScale: 1,
    usualNorm: 0,
    usualLoss: 0,
    recent: [],
    recentParts: {},
  };
}

/** Lets messages in, a cancel among them, at most every 50 ms: WASM runs without a pause. */
function pacer(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}

const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;

/** Steps every variable; false when the loss or a gradient is not a number, or the loss explodes: nothing is changed then. */
function stepAll(
  state: TrainState,
  variables: readonly Variable[],
  settings: TrainSettings,
  { loss, parts = {}, gradients }: Awaited<ReturnType<Objective['gradients']>>,
  factor: number,
): boolean {
  if (!Number.isFinite(loss) || (state.usualLoss > 0 && loss > EXPLOSION * state.usualLoss)) return false;
  const directions = variables.map((variable) => {
    const gradient = gradients[variable.name];
    if (!gradient) throw new StudioError('runtime', `The training graph gave no gradient of "${variable.name}".`, REPORT_IT);
    return inUnits(variable, gradient);
  });
  let squares = 0;
  for (const direction of directions) for (let i = 0; i < direction.length; i++) squares += direction[i]! ** 2;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) return false;
  const limit = settings.clip * (state.usualNorm || norm);
  const shrink = norm > limit ? limit / norm : 1;
  const usual = (before: number, now: number) => (before === 0 ? now : before + USUAL * (now - before));
  state.usualNorm = usual(state.usualNorm, norm * shrink);
  state.usualLoss = usual(state.usualLoss, loss);
  state.recent.push(loss);
  for (const [name, value] of Object.entries(parts)) state.recentParts[name] = (state.recentParts[name] ?? 0) + value;
  state.step++;
  const decay = averageDecay(state.step - 1, settings.averageDecay);
  for (const [v, variable] of variables.entries()) {
    const direction = directions[v]!;
    if (shrink < 1) for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! * shrink;
    const data = state.values[variable.name]!;
    applyStep(settings.optimizer, variable, data, state.slots[variable.name]!, direction, factor, state.step);
    const average = state.average[variable.name]!;
    for (let i = 0; i < data.length; i++) average[i] = decay * average[i]! + (1 - decay) * data[i]!;
  }
  return true;
}

function lookPoint({ step, recent, recentParts }: TrainState, unseen: number): TrainPoint {
  const parts = Object.fromEntries(Object.entries(recentParts).map(([name, sum]) => [name, sum / recent.length]));
  return { step, loss: mean(recent), ...(Object.keys(parts).length > 0 ? { parts } : {}), unseen };
}

/**
 * Trains for `settings.steps` steps, or until unseen data stop getting better.
 * @param resume checkpoint of an earlier run with the same objective, variables and settings; the result is the same to the
 *   bit as if the run had not been cut
 * @throws StudioError 'cancelled', 'runtime' when the loss is no number at the start
 */
export async function train(
  objective: Objective,
  variables: readonly Variable[],
  settings: TrainSettings,
  ctx: TrainContext,
  resume?: TrainCheckpoint,
): Promise<TrainResult> {
  let state = resume ? copyState(resume.state) : await startState(objective, variables, settings.optimizer);
  let safe = copyState(resume ? resume.safe : state);
  for (const point of state.curve) await ctx.onLook?.(point, state.average);
  const pause = pacer();
  let kept = performance.now();
  const keep = async () => {
    kept = performance.now();
    await ctx.onCheckpoint?.({ state: copyState(state), safe: copyState(safe) });
  };
  const rollbacksOf = ({ rateScale }: TrainState): number => Math.round(Math.log2(1 / rateScale));
  const bestLook = (): number => state.curve.findIndex(({ step }) => step === state.best.step);
  /** Judges the average; false where it is lost. */
  const look = async (): Promise<boolean> => {
    const unseen = await objective.judge(state.average);
    if (!Number.isFinite(unseen) || unseen > LOST * state.curve[0]!.unseen) return false;
    const point = lookPoint(state, unseen);
    state.curve.push(point);
    state.recent = [];
    state.recentParts = {};
    if (unseen < state.best.unseen) state.best = { step: state.step, unseen, values: copyValues(state.average) };
    safe = copyState(state);
    await ctx.onLook?.(point, state.average);
    await keep();
    return true;
  };
  const tired = (): boolean => state.curve.length - 1 - bestLook() >= settings.patience;
  while (state.step < settings.steps && state.curve[0]!.unseen > AGREES && !tired()) {
    ctx.cancel.throwIfAborted();
    await pause();
    await ctx.paused?.();
    if (ctx.stopped?.()) {
      if (state.recent.length > 0) await look();
      break;
    }
    const factor = rateFactor(state.step, settings.steps, settings.schedule) * state.rateScale;
    const found = await objective.gradients(state.values, state.step);
    let sound = stepAll(state, variables, settings, found, factor);
    if (sound) ctx.onStep?.({ step: state.step, loss: found.loss, factor });
    if (sound && (state.step % settings.judgeEvery === 0 || state.step === settings.steps)) {
      sound = await look();
    } else if (sound && performance.now() - kept > 1000 * CHECKPOINT_SECONDS) await keep();
    if (!sound) {
      const rateScale = state.rateScale / 2;
      state = { ...copyState(safe), rateScale };
      safe = copyState(state);
      if (rollbacksOf(state) > MOST_ROLLBACKS) break;
    }
  }
  return {
    values: copyValues(state.best.values),
    best: { step: state.best.step, unseen: state.best.unseen },
    curve: state.curve,
    rollbacks: rollbacksOf(state),
    state,
  };
}
