/** A student's training graph and what it is taught by as an objective: sessions, targets, micro-batches. */
import { buildTrainingGraph, lowerFakeQuant, splitFrozen } from '../autodiff';
import type { GroundTruth } from '../data';
import { REPORT_IT, StudioError } from '../numerics';
import { type Model, serializeModel } from '../onnx';
import type { Engine, RunTensor, Session, SessionOptions, Tensors } from '../runtime';
import { MASS } from './losses/distill';
import type { Variable } from './optimizers';
import { openPrefix, type Prefix } from './prefix';
import type { Objective, Values } from './trainer';
import { variableFeeds } from './weights';

/** Images that go through the graph at once. */
export interface Batch {
  readonly images: Tensors;
  /** Names images that come again as they are: what is computed from them alone is kept. Absent for images of one step. */
  readonly key?: string;
  /** What is to be seen on each image, boxes in network pixels; where the loss wants labels. */
  readonly truths?: readonly (readonly GroundTruth[])[];
}

/** What a loss compares the student with: further inputs of its graph. */
export interface TargetSource {
  /** True where targets depend on `values`, so that they must be made anew each time. */
  readonly moving?: boolean;
  /** @param values the variables as they are now, for targets that depend on the student's own answers */
  targets(batch: Batch, values: Values): Promise<{ readonly feeds: Tensors; readonly mass: number }>;
  release(): Promise<void>;
}

/**
 * How variables become inputs of the student's graph, and gradients by these inputs gradients of the variables.
 * Absent: each variable is an input of its own name.
 */
export interface VariableMap {
  /** Inputs of the graph to differentiate by. */
  readonly inputs: readonly string[];
  feeds(values: Values): Tensors;
  gradients(values: Values, byInput: Values): Values;
}

export interface GraphObjectiveParts {
  readonly engine: Engine;
  /** The teacher's network with the targets as its outputs, for one micro-batch (see planDistillation), or another source. */
  readonly teacher: Model | TargetSource;
  /** The student for one micro-batch: images, targets and variables as inputs, the loss as its only output. */
  readonly student: { readonly model: Model; readonly loss: string; readonly parts?: Readonly<Record<string, string>> };
  readonly variables: readonly Variable[];
  readonly map?: VariableMap;
  /**
   * Inputs of the student that are images: what depends on them alone, before the first variable, is computed apart, once for
   * images with a key. Absent: the student stays in one piece.
   */
  readonly frozenInputs?: readonly string[];
  /** Micro-batches of a training step. The same step always gives the same. */
  batches(step: number): Promise<readonly Batch[]>;
  /** Micro-batches that no step sees. */
  readonly unseen: { readonly count: number; at(index: number): Promise<Batch> };
}

export interface GraphObjective extends Objective {
  release(): Promise<void>;
}

function scalarOf(tensor: RunTensor | undefined, name: string): number {
  const value = tensor?.data[0];
  if (typeof value !== 'number') throw new StudioError('runtime', `The training graph gave no "${name}".`, REPORT_IT);
  return value;
}

/** Every variable an input. */
function identity(variables: readonly Variable[]): VariableMap {
  return {
    inputs: variables.map(({ name }) => name),
    feeds: (values) => variableFeeds(variables, values),
    gradients: (_values, byInput) => byInput,
  };
}

/** A network whose outputs are the targets. */
export async function teacherSource(engine: Engine, model: Model): Promise<TargetSource> {
  const teacher = await openPrefix(engine, model);
  return {
    async targets({ images, key }) {
      const feeds = await teacher.answer(key ?? null, () => images);
      return { feeds, mass: scalarOf(feeds[MASS], MASS) };
    },
    release: () => teacher.release(),
  };
}

/** Running mean: after each micro-batch `sums` is the gradient of all so far. */
function addShare(sums: Record<string, Float32Array>, name: string, gradient: Float32Array, share: number): void {
  const sum = sums[name];
  if (!sum) {
    // The runtime's own copy.
    sums[name] = gradient;
    return;
  }
  for (let j = 0; j < sum.length; j++) sum[j] = sum[j]! + share * (gradient[j]! - sum[j]!);
}

/**
 * Micro-batches of one step add up as one large batch would: each counts by its share of the targets' mass.
 * @throws StudioError of autodiff for a layer without a gradient
 */
export async function openObjective(parts: GraphObjectiveParts): Promise<GraphObjective> {
  const { engine, student, variables, map = identity(variables) } = parts;
  const partNames = Object.entries(student.parts ?? {});
  const extraOutputs = partNames.map(([, value]) => value);
  const split = parts.frozenInputs ? splitFrozen(student.model, map.inputs, parts.frozenInputs) : { prefix: null, rest: student.model };
  const training = buildTrainingGraph(split.rest, { loss: student.loss, trainable: map.inputs, extraOutputs, target: engine.backend });
  const gradientNames = map.inputs.map((name) => training.gradients.get(name)!);
  const wanted = [student.loss, ...extraOutputs, ...gradientNames];
  const opened: { release(): Promise<void> }[] = [];
  const open = async (model: Model, options: SessionOptions = {}): Promise<Session> => {
    const session = await engine.create(serializeModel(model), options);
    opened.push(session);
    return session;
  };
  const release = async () => {
    for (const session of opened) await session.release();
  };
  try {
    const source = 'targets' in parts.teacher ? parts.teacher : await teacherSource(engine, parts.teacher);
    opened.push(source);
    // Optimised, ONNX Runtime would run the nodes in an order that keeps every activation until the end, and no faster.
    const trainer = await open(training.model, { optimization: 'disabled' });
    const judge = await open(lowerFakeQuant(split.rest));
    const prefix: Prefix | null = split.prefix && (await openPrefix(engine, split.prefix));
    if (prefix) opened.push(prefix);
    const withTargets = async (batch: Batch, values: Values) => {
      const { feeds, mass } = await source.targets(batch, values);
      const known = await prefix?.answer(batch.key ?? null, () => batch.images);
      return { feeds: { ...batch.images, ...known, ...feeds }, mass };
    };
    const unseen: Awaited<ReturnType<typeof withTargets>>[] = [];
    const unseenAt = async (i: number, values: Values) => {
      const known = unseen[i];
      if (known) return known;
      const made = await withTargets(await parts.unseen.at(i), values);
      if (!source.moving) unseen[i] = made;
      return made;
    };
    return {
      release,
      async gradients(values, step) {
        const variableFeeds = map.feeds(values);
        const sums: Record<string, Float32Array> = {};
        const partSums: Record<string, number> = {};
        let loss = 0;
        let mass = 0;
        for (const images of await parts.batches(step)) {
          const batch = await withTargets(images, values);
          const outputs = await trainer.run({ ...batch.feeds, ...variableFeeds }, wanted);
          mass += batch.mass;
          const share = batch.mass / mass;
          loss += share * (scalarOf(outputs[student.loss], student.loss) - loss);
          for (const [part, value] of partNames) {
            const before = partSums[part] ?? 0;
            partSums[part] = before + share * (scalarOf(outputs[value], value) - before);
          }
          for (const [i, name] of map.inputs.entries()) addShare(sums, name, outputs[gradientNames[i]!]!.data as Float32Array, share);
        }
        return { loss, ...(partNames.length > 0 ? { parts: partSums } : {}), gradients: map.gradients(values, sums) };
      },
      async judge(values) {
        const variableFeeds = map.feeds(values);
        let sum = 0;
        let total = 0;
        for (let i = 0; i < parts.unseen.count; i++) {
          const { feeds, mass } = await unseenAt(i, values);
          sum += mass * scalarOf((await judge.run({ ...feeds, ...variableFeeds }, [student.loss]))[student.loss], student.loss);
          total += mass;
        }
        return total > 0 ? sum / total : 0;
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}
