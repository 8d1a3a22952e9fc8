import type { DetectorSpec } from '../../../models';
import { type Model, serializeModel } from '../../../onnx';
import type { Engine } from '../../../runtime';
import { NO_JOURNAL } from '../../journal';
import { type OutputError, outputError } from '../../output-error';
import type { CancelToken } from '../../types';
import type { Feeds, Judge } from './types';

/** Keeps the logarithm of an image without any error finite. */
const SMALLEST = 1e-12;

/** Runs the teacher once over `feeds`; what it said is what later networks are judged by. */
export async function openJudge(
  teacher: Model,
  spec: DetectorSpec | null,
  feeds: Feeds,
  ctx: { readonly engine: Engine; readonly cancel: CancelToken },
): Promise<Judge> {
  const errors: OutputError[] = [];
  const session = await ctx.engine.create(serializeModel(teacher));
  try {
    for (let i = 0; i < feeds.count; i++) {
      ctx.cancel.throwIfAborted();
      errors.push(outputError(spec, await session.run(await feeds.at(i))));
    }
  } finally {
    await session.release();
  }
  return {
    async score(model, journal = NO_JOURNAL) {
      const judged = await ctx.engine.create(serializeModel(model), { optimization: 'disabled' });
      const log = async (i: number) => Math.log(Math.max(errors[i]!(await judged.run(await feeds.at(i))), SMALLEST));
      try {
        let sum = 0;
        for (let i = 0; i < feeds.count; i++) {
          ctx.cancel.throwIfAborted();
          sum += await journal.next(() => log(i));
        }
        return Math.exp(sum / feeds.count);
      } finally {
        await judged.release();
      }
    },
  };
}
