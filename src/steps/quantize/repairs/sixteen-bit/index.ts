/** Mixed precision: the activations that 8 bits hurt most get 16. */
import type { QuantState, Repair, RepairContext } from '../types';
import { paretoSixteenBit, unitsOf, widePlan } from './pareto';
import { depthwiseUnits } from './units';

export { type ParetoOptions, paretoSixteenBit } from './pareto';

/** Names in a note before the rest is only counted. */
const NAMED = 8;

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  const quoted = names.slice(0, NAMED).map((name) => `"${name}"`);
  return more > 0 ? `${quoted.join(', ')} and ${more} more` : quoted.join(', ');
}

async function depthwise(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const units = depthwiseUnits(state.float, state.plan, unitsOf(state, ctx));
  if (units.length === 0) {
    ctx.note('No layer gets 16 bits: there is no depthwise convolution.');
    return state;
  }
  const values = units.flatMap((unit) => unit.values);
  ctx.note(
    `16 bits: ${values.length} activations around depthwise convolutions, made by ${listed([...new Set(units.flatMap(({ layers }) => layers))])}.`,
  );
  return { ...state, plan: widePlan(state, new Set(values), ctx) };
}

async function searched(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const points = await paretoSixteenBit(state, ctx, { limit: ctx.options.sixteenBitLayers });
  const last = points.at(-1)!;
  if (last.tensors.length === 0) {
    ctx.note('No layer gets 16 bits: none adds to the output error.');
    return state;
  }
  const n = last.tensors.length;
  ctx.note(`16 bits: ${n} activation${n === 1 ? '' : 's'}, made by ${listed(last.layers)}.`);
  return { ...state, plan: { ...widePlan(state, new Set(last.tensors), ctx), pareto: points } };
}

export const sixteenBit: Repair = {
  id: 'sixteen-bit',
  label: 'Giving 16 bits to sensitive layers',
  always: true,
  wanted: ({ sixteenBit: mode }) => mode !== 'off',
  apply: (state, ctx) => (ctx.options.sixteenBit === 'depthwise' ? depthwise(state, ctx) : searched(state, ctx)),
};
