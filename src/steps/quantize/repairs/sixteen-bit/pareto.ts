/** Accuracy against cost: which activations to give 16 bits, one after the other. */
import type { Model } from '../../../../onnx';
import type { ParetoPoint } from '../../../types';
import { quantizeMeta } from '../../meta';
import { replanConstants } from '../../plan';
import type { QuantPlan } from '../../plan-types';
import { buildQdq } from '../../qdq';
import type { QuantState, RepairContext } from '../types';
import { costModel } from './cost';
import { greedy } from './greedy';
import { openMeter } from './meter';
import { type WidthUnit, widthUnits } from './units';
import { widened } from './widen';

/** Images that every candidate is tried on, and that the best are measured on. */
const IMAGES = { screen: 2, measure: 8 };
/** Candidates measured again per pick. */
const LOOK = 12;

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

/**
 * From no activation in 16 bits to `limit` of them, each time the one that lowers the output error most for its size.
 * Values that share a scale (and, where Concat inputs share one, everything that a Concat or shortcut joins) go together
 * and count each.
 * @returns points of falling error; the first has no layer
 * @throws StudioError 'cancelled'
 */
export async function paretoSixteenBit(
  state: QuantState,
  ctx: RepairContext,
  { limit, factor, evaluate }: ParetoOptions,
): Promise<readonly ParetoPoint[]> {
  const units = unitsOf(state, ctx).filter(({ values }) => values.length <= limit);
  const wide = widened(state.plan, new Set(units.flatMap(({ values }) => values)), ctx.ranges, ctx.options);
  const cost = costModel(state.float, state.plan, factor);
  const meter = await openMeter(state, wide, IMAGES.measure, ctx);
  const valuesOf = (indices: Iterable<number>): Set<string> => new Set([...indices].flatMap((index) => units[index]!.values));
  try {
    const base = { few: await meter.error(new Set(), IMAGES.screen), all: await meter.error(new Set(), IMAGES.measure) };
    let done = 0;
    const picks = await greedy({
      candidates: units.map(({ values }) => ({ size: values.length })),
      budget: limit,
      base,
      look: LOOK,
      screen: async (index) => {
        ctx.progress({ step: quantizeMeta.id, label: 'Looking for layers that need 16 bits', done: done++, total: units.length });
        return meter.error(valuesOf([index]), IMAGES.screen);
      },
      measure: (chosen) => meter.error(valuesOf(chosen), IMAGES.measure),
    });
    const points: ParetoPoint[] = [];
    for (let n = 0; n <= picks.length; n++) {
      const chosen = picks.slice(0, n).map(({ index }) => units[index]!);
      const tensors = chosen.flatMap(({ values }) => values);
      const values = new Set(tensors);
      const point = {
        tensors,
        layers: [...new Set(chosen.flatMap(({ layers }) => layers))],
        cost: cost(values),
        error: n === 0 ? base.all : picks[n - 1]!.error,
      };
      const model = evaluate && buildQdq(state.float, n === 0 ? state.plan : widePlan(state, values, ctx));
      points.push(model ? { ...point, mAP: await evaluate(model) } : point);
    }
    return points;
  } finally {
    await meter.release();
  }
}
