/** How far networks are from a teacher: the distillation loss over some images. */
import { type Model, serializeModel } from '../../onnx';
import type { RunTensor, Session, Tensors } from '../../runtime';
import { type Distillation, MASS } from '../../training';
import type { StepContext } from '../types';

/** Each image with what the teacher says of it: feeds of networks with the plan's loss. */
export async function taughtFeeds(
  plan: Distillation,
  teacher: Model,
  inputs: readonly RunTensor[],
  { engine, cancel }: Pick<StepContext, 'engine' | 'cancel'>,
): Promise<Tensors[]> {
  const input = teacher.graph.inputs[0]!.name;
  const session = await engine.create(serializeModel(plan.teacher(teacher)));
  const feeds: Tensors[] = [];
  try {
    for (const image of inputs) {
      cancel.throwIfAborted();
      feeds.push({ [input]: image, ...(await session.run({ [input]: image })) });
    }
  } finally {
    await session.release();
  }
  return feeds;
}

/**
 * Mean of the loss over the images, each by its share of the targets' mass.
 * @param more feeds of every run besides
 */
export async function meanLoss(
  session: Session,
  loss: string,
  feeds: readonly Tensors[],
  { cancel }: Pick<StepContext, 'cancel'>,
  more: Tensors = {},
): Promise<number> {
  let total = 0;
  let mass = 0;
  for (const own of feeds) {
    cancel.throwIfAborted();
    const all = { ...own, ...more };
    const weight = Number(own[MASS]!.data[0]);
    const wanted = Object.fromEntries(session.inputNames.map((name) => [name, all[name]!]));
    total += weight * Number((await session.run(wanted))[loss]!.data[0]);
    mass += weight;
  }
  return total / mass;
}
