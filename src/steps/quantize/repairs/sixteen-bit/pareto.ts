/** Accuracy against cost: which activations to give 16 bits, one after the other. */
import type { Model } from '../../../../onnx';
import { NO_JOURNAL } from '../../../journal';
import type { ParetoPoint } from '../../../types';
import { replanConstants } from '../../plan';
import type { QuantPlan } from '../../plan-types';
import { buildQdq } from '../../qdq';
import { openJudge } from '../judge';
import type { Feeds, QuantState, RepairContext } from '../types';
import { contributions } from './contributions';
import { costModel } from './cost';
import { type WidthUnit, widthUnits } from './units';
import { widened } from './widen';

/** Images of `fit` that each point's error is measured on. */
const CURVE_IMAGES = 16;
/** Points of a curve at most, beside its start: more layers than that are added several at a time. */
const POINTS = 12;

export interface ParetoOptions {
  /** Activations in 16 bits at most. */
  readonly limit: number;
  /** How many times longer a multiply-accumulate takes in 16 bits; default 4. */
  readonly factor?: number;
  /** Percent mAP of a quantized network, for the points' `mAP`. */
  evaluate?(model: Model): Promise<number>;
}

/** The devices whose Concat inputs share a scale are those that can't change the width in it. */
export function unitsOf(state: QuantState, ctx: Pick<RepairContext, 'options'>): readonly WidthUnit[] {
  return widthUnits(state.float, state.plan, ctx.options.concat === 'shared');
}

/** The plan with `values` in 16 bits; weights and biases follow their layers' new scales. */
export function widePlan(
  state: QuantState,
  values: ReadonlySet<string>,
  ctx: Pick<RepairContext, 'options' | 'ranges' | 'spec'>,
): QuantPlan {
  const plan = { ...state.plan, activations: widened(state.plan, values, ctx.ranges, ctx.options) };
  return replanConstants(state.float, plan, ctx.options, ctx.spec);
}

/** Units by contribution per activation, largest first, as far as `limit` activations go. */
export function chooseUnits(units: readonly WidthUnit[], shares: readonly number[], limit: number): readonly WidthUnit[] {
  const density = (u: number): number => shares[u]! / units[u]!.values.length;
  const order = units.map((_, u) => u).sort((a, b) => density(b) - density(a) || a - b);
  let left = limit;
  return order.flatMap((u) => {
    const { length } = units[u]!.values;
    if (length > left || !(shares[u]! > 0)) return [];
    left -= length;
    return [units[u]!];
  });
}

function spread(feeds: Feeds, most: number): Feeds {
  const count = Math.min(most, feeds.count);
  return { count, at: (i) => feeds.at(Math.floor((i * feeds.count) / count)) };
}

/**
 * From no activation in 16 bits to `limit` of them, those first whose 8 bits add most to the output error. Values that share
 * a scale (and, where Concat inputs share one, everything that a Concat or shortcut joins) go together and count each.
 * @returns the first point has no layer in 16 bits; `error` is the judge's, on images that ranges were fitted on
 * @throws StudioError 'cancelled'
 */
export async function paretoSixteenBit(
  state: QuantState,
  ctx: RepairContext,
  { limit, factor, evaluate }: ParetoOptions,
): Promise<readonly ParetoPoint[]> {
  const { journal = NO_JOURNAL } = ctx;
  const units = unitsOf(state, ctx);
  const wide = widened(state.plan, new Set(units.flatMap(({ values }) => values)), ctx.ranges, ctx.options);
  const chosen = chooseUnits(units, await contributions(state, units, wide, ctx), limit);
  const cost = costModel(state.float, state.plan, factor);
  const judge = await openJudge(ctx.teacher, ctx.spec, spread(ctx.fit, CURVE_IMAGES), ctx);
  const steps = Math.min(POINTS, chosen.length);
  const points: ParetoPoint[] = [];
  for (let n = 0; n <= steps; n++) {
    const taken = chosen.slice(0, steps === 0 ? 0 : Math.round((n * chosen.length) / steps));
    const tensors = taken.flatMap(({ values }) => values);
    const values = new Set(tensors);
    const model = buildQdq(state.float, n === 0 ? state.plan : widePlan(state, values, ctx));
    const layers = [...new Set(taken.flatMap((unit) => unit.layers))];
    const point = { tensors, layers, cost: cost(values), error: await journal.next((inner) => judge.score(model, inner)) };
    points.push(evaluate ? { ...point, mAP: await evaluate(model) } : point);
  }
  return points;
}
