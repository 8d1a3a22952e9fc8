/** Chooses which channels go: greedily the block that costs the least importance per MAC, until the target is met. */
import type { ChannelGroup } from './groups';
import { layerMacs, layerShare } from './groups';
import type { Trace } from './trace';

export interface PlanOptions {
  /** Fraction of the layers' MACs to keep, 0–1. */
  readonly keep: number;
  readonly channelMultiple: number;
  readonly minChannels: number;
  /** Largest fraction of a group that may go, 0–1. */
  readonly maxGroupReduction: number;
}

export interface Plan {
  /** Per group, the positions of its channels that go, ascending. */
  readonly removed: readonly (readonly number[])[];
  /** Class roots of all of them. */
  readonly classes: ReadonlySet<number>;
  /** Block size used per group; null = the limits leave nothing to remove. */
  readonly blocks: readonly (number | null)[];
  readonly macs: number;
  /** True when the limits stopped the plan before its target. */
  readonly exhausted: boolean;
}

/** May the plan end this much (of all MACs) under its target before it looks for a smaller block. */
const OVERSHOOT = 0.015;
/** Measured costs brought up to date before a step is taken, at most. */
const MOST_UPDATES = 12;

interface Step {
  readonly state: GroupState;
  /** Channels that go at once. */
  readonly step: number;
}

interface Saving extends Step {
  /** MACs. */
  readonly saved: number;
}

interface Priced {
  readonly cost: number;
  readonly size: number;
  /** Steps taken when it was priced. */
  readonly version: number;
}

interface GroupState {
  readonly group: ChannelGroup;
  /** Channel positions, least important first. */
  readonly order: readonly number[];
  readonly scores: Float64Array;
  readonly block: number | null;
  readonly layers: readonly { readonly layer: number; readonly out: number; readonly in: number }[];
  readonly limit: number;
  gone: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Channels of the group that must go at once so that every width changes by the multiple. */
function blockFor(group: ChannelGroup, multiple: number): number {
  const widths = group.members.filter(({ kind }) => kind === 'value').map(({ perChannel }) => perChannel);
  return Math.max(1, ...widths.map((width) => multiple / gcd(multiple, width)));
}

/** Largest of multiple, multiple/2, multiple/4, … whose first block the limits allow. */
function chooseBlock(group: ChannelGroup, limit: number, multiple: number): number | null {
  for (let m = multiple; m >= 1; m = Math.floor(m / 2)) {
    const block = blockFor(group, m);
    if (firstStep(group.channels, block) <= limit) return block;
  }
  return null;
}

/** A group whose size isn't a whole number of blocks first loses the remainder. */
function firstStep(channels: number, block: number): number {
  return channels % block || block;
}

/** How many channels of a group may go: the fraction, and the minimum left on every axis it lives on. */
function limitOf(group: ChannelGroup, options: PlanOptions): number {
  const byWidth = group.members
    .filter(({ kind }) => kind === 'value')
    .map(({ size, perChannel }) => Math.floor((size - Math.min(options.minChannels, size)) / perChannel));
  return Math.max(0, Math.min(Math.floor(group.channels * options.maxGroupReduction), ...byWidth));
}

function createState(trace: Trace, group: ChannelGroup, scores: Float64Array, options: PlanOptions): GroupState {
  const one = new Set(group.classes.slice(0, 1));
  const layers = trace.layers
    .map((layer, at) => ({ layer: at, ...layerShare(trace, layer, one) }))
    .filter((share) => share.out > 0 || share.in > 0);
  const limit = group.reason === null && layers.length > 0 ? limitOf(group, options) : 0;
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
  return { group, order, scores, block: chooseBlock(group, limit, options.channelMultiple), layers, limit, gone: 0 };
}

/** Channels left on every axis of every value, by "value axis". */
function createWidths(groups: readonly ChannelGroup[]): Map<string, number> {
  const widths = new Map<string, number>();
  for (const { members } of groups)
    for (const member of members) if (member.kind === 'value') widths.set(`${member.name} ${member.axis}`, member.size);
  return widths;
}

function sumOf({ state, step }: Step): number {
  let sum = 0;
  for (let k = 0; k < step; k++) sum += state.scores[state.order[state.gone + k]!]!;
  return sum;
}

/** Cost of removing `next` (class roots) when `gone` are already removed. */
export type Pricing = (gone: ReadonlySet<number>, next: readonly number[]) => Promise<number>;

/**
 * @param scores per group, importance per channel: the order within the group
 * @param pricing what a block costs; without it the sum of its channels' scores
 */
export async function planRemoval(
  trace: Trace,
  groups: readonly ChannelGroup[],
  scores: readonly Float64Array[],
  options: PlanOptions,
  pricing: Pricing | null = null,
): Promise<Plan> {
  const states = groups.map((group, i) => createState(trace, group, scores[i]!, options));
  const widths = createWidths(groups);
  const sizes = trace.layers.map((layer) => ({ out: layer.outSize, in: layer.inSize }));
  const total = trace.layers.reduce((sum, layer) => sum + layerMacs(layer), 0);
  const target = total * options.keep;
  let macs = total;

  const fits = ({ state, step }: Step): boolean => {
    if (state.gone + step > state.limit) return false;
    return state.group.members.every(({ kind, name, axis, size, perChannel }) => {
      const left = (widths.get(`${name} ${axis}`) ?? 0) - step * perChannel;
      return kind === 'constant' || left >= Math.min(options.minChannels, size);
    });
  };
  const saving = ({ state, step }: Step): number => {
    return state.layers.reduce((sum, share) => {
      const layer = trace.layers[share.layer]!;
      const size = sizes[share.layer]!;
      return sum + layerMacs(layer, size.out, size.in) - layerMacs(layer, size.out - step * share.out, size.in - step * share.in);
    }, 0);
  };
  const gone = new Set<number>();
  const classesOf = ({ state, step }: Step): number[] =>
    state.order.slice(state.gone, state.gone + step).map((at) => state.group.classes[at]!);
  const known = new Map<GroupState, Priced>();
  let version = 0;
  const fresh = async (step: Step): Promise<number> => {
    const cost = pricing ? await pricing(gone, classesOf(step)) : sumOf(step);
    known.set(step.state, { cost, size: step.step, version });
    return cost;
  };
  const remembered = ({ state, step }: Step): Priced | null => {
    const last = known.get(state);
    return last && last.size === step ? last : null;
  };

  /** The cheapest step of this list per MAC. Measured costs that are out of date are measured again before they win. */
  const cheapest = async (steps: readonly Saving[]): Promise<Saving> => {
    for (const step of steps) if (!remembered(step)) await fresh(step);
    const price = (step: Saving): number => remembered(step)!.cost / step.saved;
    for (let tries = 0; ; tries++) {
      const best = steps.reduce((a, b) => (price(b) < price(a) ? b : a));
      if (!pricing || remembered(best)!.version === version || tries === MOST_UPDATES) return best;
      await fresh(best);
    }
  };

  /** A step that doesn't overshoot; smaller blocks than wanted only where every wanted one would. */
  const choose = async (): Promise<Saving | null> => {
    let smallest: Saving | null = null;
    for (let multiple = options.channelMultiple; multiple >= 1; multiple = Math.floor(multiple / 2)) {
      const steps: Saving[] = [];
      for (const state of states) {
        if (state.block === null) continue;
        const block = Math.min(state.block, blockFor(state.group, multiple));
        const step = { state, step: (state.group.channels - state.gone) % block || block };
        if (!fits(step)) continue;
        const saved = saving(step);
        if (saved <= 0) continue;
        if (!smallest || saved < smallest.saved) smallest = { ...step, saved };
        if (macs - saved >= target - OVERSHOOT * total) steps.push({ ...step, saved });
      }
      if (steps.length > 0) return cheapest(steps);
    }
    return smallest;
  };

  let exhausted = false;
  while (macs > target) {
    const best = await choose();
    if (!best) {
      exhausted = true;
      break;
    }
    const { step } = best;
    for (const root of classesOf(best)) gone.add(root);
    known.delete(best.state);
    version++;
    for (const share of best.state.layers) {
      sizes[share.layer]!.out -= step * share.out;
      sizes[share.layer]!.in -= step * share.in;
    }
    for (const { kind, name, axis, perChannel } of best.state.group.members)
      if (kind === 'value') widths.set(`${name} ${axis}`, widths.get(`${name} ${axis}`)! - step * perChannel);
    best.state.gone += step;
    macs -= best.saved;
  }
  const removed = states.map(({ order, gone }) => order.slice(0, gone).sort((a, b) => a - b));
  return { removed, classes: gone, blocks: states.map(({ block }) => block), macs, exhausted };
}
