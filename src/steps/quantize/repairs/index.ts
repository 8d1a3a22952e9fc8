/** The repairs in their order, each kept only where images that it has not seen say that it helps. */
import { buildQdq } from '../qdq';
import { biasCorrection } from './bias-correction';
import { calibratorChoice } from './calibrator';
import { learn } from './learn';
import { qat } from './learn/qat';
import { leastSquares } from './least-squares';
import { rounding } from './rounding';
import { sixteenBit } from './sixteen-bit';
import { taskClipping } from './task-clipping';
import type { QuantState, Repair, RepairContext } from './types';

/** One table entry each, in the order in which they build on each other. */
export const REPAIRS: readonly Repair[] = [calibratorChoice, sixteenBit, taskClipping, leastSquares, learn, qat, rounding, biasCorrection];

const figure = (error: number): string => error.toPrecision(3);

/** Applies every wanted repair; what doesn't help is undone, and the user is told. */
export async function repair(start: QuantState, ctx: RepairContext, repairs: readonly Repair[] = REPAIRS): Promise<QuantState> {
  const wanted = repairs.filter((r) => r.wanted(ctx.options));
  if (wanted.length === 0) return start;
  let state = start;
  let error = await ctx.judge.score(buildQdq(state.float, state.plan));
  for (const { id, label, apply, always } of wanted) {
    ctx.cancel.throwIfAborted();
    ctx.progress({ step: 'quantize', label, done: 0, total: 1 });
    const next = await apply(state, ctx);
    if (next === state) continue;
    const after = await ctx.judge.score(buildQdq(next.float, next.plan));
    const better = after < error;
    ctx.note(
      better || always
        ? `${id}: output error on ${ctx.held.count} unseen images ${figure(error)} → ${figure(after)}.`
        : `${id} was left out: the output error on ${ctx.held.count} unseen images would have risen from ${figure(error)} to ${figure(after)}.`,
    );
    if (better || always) {
      state = next;
      error = after;
    }
  }
  return state;
}
