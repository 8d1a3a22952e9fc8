import type { DetectionMetrics, ImageSet, StepContext } from '../steps';
import type { RunEnvironment } from './types';

export interface ModelEvaluation {
  readonly metrics: DetectionMetrics;
  readonly preprocess: string;
  readonly engine: string;
}

/** Evaluates one model on its own; without ground truth its detections are compared with themselves. */
export async function evaluateModel(
  file: { readonly name: string; readonly bytes: Uint8Array; readonly external?: ReadonlyMap<string, Uint8Array> },
  images: ImageSet,
  preprocess: string,
  env: RunEnvironment,
): Promise<ModelEvaluation> {
  const { choosePreprocess, openModel } = await import('../steps/open');
  const { evaluate } = await import('../steps/evaluate');
  const ctx: StepContext = { cancel: env.cancel, engine: env.engine, gpu: env.gpu, seed: 1, progress: (p) => env.progress(p) };
  const { artifact, choice } = await choosePreprocess(await openModel(file.name, file.bytes, file.external), images, preprocess, ctx);
  const { artifact: result } = await evaluate({ ...artifact, environment: 'as given' }, images, {}, ctx);
  const notes = choice.note ? [choice.note, ...result.metrics.notes] : result.metrics.notes;
  return { metrics: { ...result.metrics, notes }, preprocess: choice.name, engine: result.environment };
}

/** The first `count` images of a set, or all. */
export function takeFirst(images: ImageSet, count: number | undefined): ImageSet {
  return count === undefined || count >= images.entries.length ? images : { ...images, entries: images.entries.slice(0, count) };
}
