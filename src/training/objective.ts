/** A student's training graph and its teacher as an objective: sessions, targets, micro-batches. */
import { buildTrainingGraph, lowerFakeQuant } from '../autodiff';
import { StudioError } from '../numerics';
import { type Model, serializeModel } from '../onnx';
import type { Engine, RunTensor, Session, Tensors } from '../runtime';
import { MASS } from './losses/distill';
import type { Variable } from './optimizers';
import type { Objective, Values } from './trainer';

export interface GraphObjectiveParts {
  readonly engine: Engine;
  /** The teacher with the targets as its outputs, for one micro-batch (see planDistillation). */
  readonly teacher: Model;
  /** The student for one micro-batch: images, targets and variables as inputs, the loss as its only output. */
  readonly student: { readonly model: Model; readonly loss: string };
  readonly variables: readonly Variable[];
  /** Micro-batches of a training step: the images of each as one feed. The same step always gives the same. */
  batches(step: number): Promise<readonly Tensors[]>;
  /** Micro-batches that no step sees. */
  readonly unseen: { readonly count: number; at(index: number): Promise<Tensors> };
}

export interface GraphObjective extends Objective {
  release(): Promise<void>;
}

function scalarOf(tensor: RunTensor | undefined, name: string): number {
  const value = tensor?.data[0];
  if (typeof value !== 'number') throw new StudioError('runtime', `The training graph gave no "${name}".`);
  return value;
}

/** The variables as feeds; they read the very arrays that training changes. */
function feedsOf(variables: readonly Variable[], values: Values): Tensors {
  return Object.fromEntries(variables.map(({ name, dims }) => [name, { dtype: 'float32' as const, dims, data: values[name]! }]));
}

/**
 * Micro-batches of one step add up as one large batch would: each counts by its share of the targets' mass.
 * @throws StudioError of autodiff for a layer without a gradient
 */
export async function openObjective(parts: GraphObjectiveParts): Promise<GraphObjective> {
  const { engine, student, variables } = parts;
  const names = variables.map(({ name }) => name);
  const training = buildTrainingGraph(student.model, { loss: student.loss, trainable: names });
  const gradientNames = names.map((name) => training.gradients.get(name)!);
  const opened: Session[] = [];
  const open = async (model: Model): Promise<Session> => {
    const session = await engine.create(serializeModel(model));
    opened.push(session);
    return session;
  };
  const release = async () => {
    for (const session of opened) await session.release();
  };
  try {
    const teacher = await open(parts.teacher);
    const trainer = await open(training.model);
    const judge = await open(lowerFakeQuant(student.model));
    let unseen: readonly { readonly feeds: Tensors; readonly mass: number }[] | null = null;
    const withTargets = async (images: Tensors) => {
      const targets = await teacher.run(images);
      return { feeds: { ...images, ...targets }, mass: scalarOf(targets[MASS], MASS) };
    };
    return {
      release,
      async gradients(values, step) {
        const variableFeeds = feedsOf(variables, values);
        const sums: Record<string, Float32Array> = {};
        let loss = 0;
        let mass = 0;
        for (const images of await parts.batches(step)) {
          const batch = await withTargets(images);
          const outputs = await trainer.run({ ...batch.feeds, ...variableFeeds }, [student.loss, ...gradientNames]);
          // Running mean: after each micro-batch `sums` is the gradient of all so far.
          mass += batch.mass;
          const share = batch.mass / mass;
          loss += share * (scalarOf(outputs[student.loss], student.loss) - loss);
          for (const [i, name] of names.entries()) {
            const gradient = outputs[gradientNames[i]!]!.data as Float32Array;
            const sum = (sums[name] ??= new Float32Array(gradient.length));
            for (let j = 0; j < sum.length; j++) sum[j] = sum[j]! + share * (gradient[j]! - sum[j]!);
          }
        }
        return { loss, gradients: sums };
      },
      async judge(values) {
        if (!unseen) {
          const made = [];
          for (let i = 0; i < parts.unseen.count; i++) made.push(await withTargets(await parts.unseen.at(i)));
          unseen = made;
        }
        const variableFeeds = feedsOf(variables, values);
        let sum = 0;
        let total = 0;
        for (const { feeds, mass } of unseen) {
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
