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

interface Step {
  readonly state: GroupState;
  /** Channels that go at once. */
  readonly step: number;
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

/**
 * @param scores per group, importance per channel; a block costs the sum of its channels' scores
 * @param other MACs that no channel count changes
 */
export function planRemoval(trace: Trace, groups: readonly ChannelGroup[], scores: readonly Float64Array[], options: PlanOptions): Plan {
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
  const cost = ({ state, step }: Step): number => {
    let sum = 0;
    for (let k = 0; k < step; k++) sum += state.scores[state.order[state.gone + k]!]!;
    return sum;
  };

  /** The cheapest step that doesn't overshoot; smaller blocks than wanted only where every wanted one would. */
  const choose = (): (Step & { readonly saved: number }) | null => {
    let smallest: (Step & { readonly saved: number }) | null = null;
    for (let multiple = options.channelMultiple; multiple >= 1; multiple = Math.floor(multiple / 2)) {
      let best: (Step & { readonly saved: number; readonly price: number }) | null = null;
      for (const state of states) {
        if (state.block === null) continue;
        const block = Math.min(state.block, blockFor(state.group, multiple));
        const step = { state, step: (state.group.channels - state.gone) % block || block };
        if (!fits(step)) continue;
        const saved = saving(step);
        if (saved <= 0) continue;
        if (!smallest || saved < smallest.saved) smallest = { ...step, saved };
        const price = cost(step) / saved;
        if (macs - saved >= target - OVERSHOOT * total && (!best || price < best.price)) best = { ...step, saved, price };
      }
      if (best) return best;
    }
    return smallest;
  };

  let exhausted = false;
  while (macs > target) {
    const best = choose();
    if (!best) {
      exhausted = true;
      break;
    }
    const { step } = best;
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
  const classes = new Set(removed.flatMap((positions, i) => positions.map((position) => groups[i]!.classes[position]!)));
  return { removed, classes, blocks: states.map(({ block }) => block), macs, exhausted };
}
