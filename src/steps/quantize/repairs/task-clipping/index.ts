/** Task-aware clipping: ranges (scale and zero point) chosen by what they do to the detections, not by their own error. */
import { type QParams, qparamsFromRange, type RangeScheme } from '../../../../numerics';
import { timer } from '../../../common';
import { quantizeMeta } from '../../meta';
import { replanConstants } from '../../plan';
import type { QuantState, Repair, RepairContext } from '../types';
import { type Ladder, laddersOf, type Position } from './ladders';
import { searchRanges } from './search';
import { openTrials } from './trials';

/** Images that ranges are tried on. */
const IMAGES = 8;

const LABEL = 'Searching activation ranges';

function paramsAt(ladder: Ladder, { low, high }: Position, scheme: RangeScheme): QParams {
  return qparamsFromRange(ladder.low[low]!, ladder.high[high]!, scheme);
}

async function apply(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const { options } = ctx;
  const scheme: RangeScheme = { bits: 8, signed: options.activations === 'int8', symmetric: options.symmetric };
  const ladders = laddersOf(state, options, ctx.ranges);
  if (ladders.length === 0) return state;
  const roots = new Set(ladders.map(({ root }) => root));
  const trials = await openTrials(state.float, state.plan, roots, IMAGES, ctx);
  const present = new Map(ladders.map(({ root }) => [root, state.plan.activations.get(root)!.params]));
  const byRoot = new Map(ladders.map((ladder) => [ladder.root, ladder]));
  const paramsOf = (root: string, position: Position): QParams => {
    const ladder = byRoot.get(root)!;
    const unchanged = position.low === ladder.at.low && position.high === ladder.at.high;
    return unchanged ? present.get(root)! : paramsAt(ladder, position, scheme);
  };
  const paramsFor = (positions: ReadonlyMap<string, Position>) =>
    new Map([...positions].map(([root, position]) => [root, paramsOf(root, position)]));
  const total = options.clipTrials;
  const secondsLeft = timer(total);
  try {
    const result = await searchRanges({
      ladders,
      images: trials.images,
      trials: total,
      error: (positions, image) => trials.error(paramsFor(positions), image),
      same: ({ root }, a, b) => {
        const [p, q] = [paramsOf(root, a), paramsOf(root, b)];
        return p.scale[0] === q.scale[0] && p.zeroPoint[0] === q.zeroPoint[0];
      },
      onTrial: (done) => ctx.progress({ step: quantizeMeta.id, label: LABEL, done, total, secondsLeft: secondsLeft(done) }),
    });
    const chosen = paramsFor(result.positions);
    const changed = [...chosen].filter(([root, params]) => params !== present.get(root)).length;
    if (changed === 0) return state;
    ctx.note(`${changed} of ${ladders.length} activation ranges were moved by their effect on the outputs (${result.trials} trials).`);
    const activations = new Map(
      [...state.plan.activations].map(([value, quant]) => {
        const params = chosen.get(quant.sharesWith ?? value);
        return [value, params ? { ...quant, params } : quant];
      }),
    );
    return { ...state, plan: replanConstants(state.float, { ...state.plan, activations }, options, ctx.spec) };
  } finally {
    await trials.release();
  }
}

export const taskClipping: Repair = {
  id: 'task-clipping',
  label: LABEL,
  wanted: ({ clipping }) => clipping === 'task',
  apply,
};
