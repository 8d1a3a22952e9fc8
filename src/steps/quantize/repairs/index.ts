/** The repairs in their order, each kept only where images that it has not seen say that it helps. */
import { type Journal, NO_JOURNAL } from '../../journal';
import type { TrainingLook } from '../../types';
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

/** What a repair did. */
interface Applied {
  readonly state: QuantState;
  readonly changed: boolean;
  readonly notes: readonly string[];
  readonly looks: readonly TrainingLook[];
}

/** After some of the repairs. */
interface Progressed {
  readonly done: number;
  readonly state: QuantState;
  readonly error: number;
  readonly notes: readonly string[];
  readonly looks: readonly TrainingLook[];
}

async function applied({ apply }: Repair, state: QuantState, ctx: RepairContext, journal: Journal): Promise<Applied> {
  const notes: string[] = [];
  const looks: TrainingLook[] = [];
  const look = (seen: TrainingLook) => {
    looks.push(seen);
    ctx.look?.(seen);
  };
  const next = await apply(state, { ...ctx, journal, look, note: (text) => notes.push(text) });
  return { state: next, changed: next !== state, notes, looks };
}

/** Applies every wanted repair; what doesn't help is undone, and the user is told. */
export async function repair(start: QuantState, ctx: RepairContext, repairs: readonly Repair[] = REPAIRS): Promise<QuantState> {
  const wanted = repairs.filter((r) => r.wanted(ctx.options));
  if (wanted.length === 0) return start;
  const { journal = NO_JOURNAL, judge } = ctx;
  const score = ({ float, plan }: QuantState): Promise<number> => journal.next((inner) => judge.score(buildQdq(float, plan), inner));
  const known = journal.saved<Progressed>();
  let { done, state, error, notes, looks }: Progressed = known ?? {
    done: 0,
    state: start,
    error: await score(start),
    notes: [],
    looks: [],
  };
  for (const look of looks) ctx.look?.(look);
  for (; done < wanted.length; done++) {
    ctx.cancel.throwIfAborted();
    const { id, label, always = false } = wanted[done]!;
    ctx.progress({ step: 'quantize', label, done: 0, total: 1 });
    let made = false;
    const next = await journal.next((inner) => {
      made = true;
      return applied(wanted[done]!, state, ctx, inner);
    });
    if (!made) for (const look of next.looks) ctx.look?.(look);
    const told = [...next.notes];
    if (next.changed) {
      const after = await score(next.state);
      const better = after < error || always;
      const fell = `output error on ${ctx.held.count} unseen images ${figure(error)} → ${figure(after)}.`;
      const rose = `the output error on ${ctx.held.count} unseen images would have risen from ${figure(error)} to ${figure(after)}.`;
      told.push(better ? `${id}: ${fell}` : `${id} was left out: ${rose}`);
      if (better) [state, error] = [next.state, after];
    }
    notes = [...notes, ...told];
    looks = [...looks, ...next.looks];
    await journal.save({ done: done + 1, state, error, notes, looks } satisfies Progressed);
  }
  for (const text of notes) ctx.note(text);
  return state;
}
