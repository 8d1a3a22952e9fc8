/** Task-aware clipping: ranges (scale and zero point) chosen by what they do to the detections, not by their own error. */
import { type QParams, qparamsFromRange, type RangeScheme } from '../../../../numerics';
import type { Tensors } from '../../../../runtime';
import { timer } from '../../../common';
import { NO_JOURNAL } from '../../../journal';
import { quantizeMeta } from '../../meta';
import { replanConstants } from '../../plan';
import type { QuantPlan } from '../../plan-types';
import type { Feeds, QuantState, Repair, RepairContext } from '../types';
import { type Ladder, laddersOf, type Position } from './ladders';
import { type Budget, searchAlone, searchTogether } from './search';
import { openTrials, type Trials } from './trials';

/** Images that a group alone is tried on, that all of them together are tried on, and that have the last word. */
const IMAGES = { alone: 12, together: 24, check: 80 };
/** Groups that are searched together: those that disturb the outputs most even at their best. */
const TOGETHER = 8;

const LABEL = 'Searching activation ranges';

/** Up to `count` inputs, evenly spread. */
async function spread(feeds: Feeds, count: number): Promise<Tensors[]> {
  const taken = Math.min(count, feeds.count);
  const list: Tensors[] = [];
  for (let i = 0; i < taken; i++) list.push(await feeds.at(Math.floor((i * feeds.count) / taken)));
  return list;
}

interface Choice {
  readonly params: ReadonlyMap<string, QParams>;
  readonly trials: number;
}

/** Searches on `fit`; trials on images are opened here and closed here. */
async function search(state: QuantState, ladders: readonly Ladder[], ctx: RepairContext): Promise<Choice> {
  const { options, journal = NO_JOURNAL } = ctx;
  const scheme: RangeScheme = { bits: 8, signed: options.activations === 'int8', symmetric: options.symmetric };
  const present = new Map(ladders.map(({ root }) => [root, state.plan.activations.get(root)!.params]));
  const paramsAt = ({ root, low, high, at }: Ladder, to: Position): QParams =>
    to.low === at.low && to.high === at.high ? present.get(root)! : qparamsFromRange(low[to.low]!, high[to.high]!, scheme);
  const byRoot = new Map(ladders.map((ladder) => [ladder.root, ladder]));
  const paramsFor = (positions: ReadonlyMap<string, Position>) =>
    new Map([...positions].map(([root, position]) => [root, paramsAt(byRoot.get(root)!, position)]));
  const same = (ladder: Ladder, a: Position, b: Position): boolean => {
    const [p, q] = [paramsAt(ladder, a), paramsAt(ladder, b)];
    return p.scale[0] === q.scale[0] && p.zeroPoint[0] === q.zeroPoint[0];
  };
  const total = options.clipTrials;
  const secondsLeft = timer(total);
  const report = (done: number): void => ctx.progress({ step: quantizeMeta.id, label: LABEL, done, total, secondsLeft: secondsLeft(done) });
  const budget: Budget = { left: total, used: (left) => report(total - left) };
  const trials = await openTrials(state.float, state.plan, await spread(ctx.fit, IMAGES.together), ctx);
  try {
    const images = Math.min(IMAGES.alone, trials.images);
    const alone = await searchAlone({
      ladders,
      images,
      error: (ladder, at, image) =>
        journal.next(() => trials.alone(ladder.root, paramsAt(ladder, at), Math.floor((image * trials.images) / images))),
      same,
      budget,
    });
    const start = new Map(ladders.map(({ root, at }) => [root, at]));
    for (const { ladder, at } of alone) start.set(ladder.root, at);
    const worst = [...alone].sort((a, b) => b.after - a.after).slice(0, TOGETHER);
    const positions = await searchTogether({
      ladders: worst.map(({ ladder }) => ladder),
      start,
      images: trials.images,
      error: (to, image) => {
        const params = paramsFor(to);
        return journal.next(() => trials.together(params, image));
      },
      same,
      budget,
    });
    report(total);
    return { params: paramsFor(positions), trials: total - budget.left };
  } finally {
    await trials.release();
  }
}

/** Mean error of two choices on images that the search was not made on, as far as there are others. */
async function compared(state: QuantState, params: ReadonlyMap<string, QParams>, ctx: RepairContext) {
  const { journal = NO_JOURNAL } = ctx;
  const feeds = [...(await spread(ctx.held, IMAGES.check)), ...(await others(ctx.fit))].slice(0, IMAGES.check);
  const trials: Trials = await openTrials(state.float, state.plan, feeds, ctx);
  try {
    let [before, after] = [0, 0];
    for (let image = 0; image < feeds.length; image++) {
      before += await journal.next(() => trials.together(new Map(), image));
      after += await journal.next(() => trials.together(params, image));
    }
    return { images: feeds.length, before: before / feeds.length, after: after / feeds.length };
  } finally {
    await trials.release();
  }
}

/** The images of `fit` that {@link spread} doesn't take for the search. */
async function others(fit: Feeds): Promise<Tensors[]> {
  const taken = Math.min(IMAGES.together, fit.count);
  const seen = new Set(Array.from({ length: taken }, (_, i) => Math.floor((i * fit.count) / taken)));
  const rest = Array.from({ length: fit.count }, (_, i) => i).filter((i) => !seen.has(i));
  return spread({ count: rest.length, at: (i) => fit.at(rest[i]!) }, IMAGES.check);
}

function withParams(plan: QuantPlan, params: ReadonlyMap<string, QParams>): QuantPlan {
  const activations = new Map(
    [...plan.activations].map(([value, quant]) => {
      const chosen = params.get(quant.sharesWith ?? value);
      return [value, chosen ? { ...quant, params: chosen } : quant];
    }),
  );
  return { ...plan, activations };
}

async function apply(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const ladders = laddersOf(state, ctx.options, ctx.ranges);
  if (ladders.length === 0) return state;
  const { params, trials } = await search(state, ladders, ctx);
  const moved = [...params].filter(([root, p]) => p !== state.plan.activations.get(root)!.params).length;
  if (moved === 0) return state;
  const { images, before, after } = await compared(state, params, ctx);
  const change = `the output error on ${images} other images ${after < before ? 'fell' : 'rose'} from ${before.toPrecision(3)} to ${after.toPrecision(3)}`;
  const what = `${moved} of ${ladders.length} activation ranges`;
  if (after >= before) {
    const why = `with ${what} moved, ${change}.`;
    ctx.note(`task-clipping was left out: ${why}`);
    return state;
  }
  ctx.note(`task-clipping moved ${what} by their effect on the outputs (${trials} trials): ${change}.`);
  return { ...state, plan: replanConstants(state.float, withParams(state.plan, params), ctx.options, ctx.spec) };
}

/** Asks more images than the judge has whether it helped: the error of a quantized network differs much from image to image. */
export const taskClipping: Repair = {
  id: 'task-clipping',
  label: LABEL,
  always: true,
  wanted: ({ clipping }) => clipping === 'task',
  apply,
};
