/** Chooses what goes: greedily the block or branch that costs the least importance per unit saved, until the target is met. */
import type { Branch } from './branches';
import type { ChannelGroup } from './groups';
import { type Term, termSize } from './objective';
import { find } from './space';
import type { Trace } from './trace';

export interface PlanOptions {
  /** Fraction of the terms' sum to keep, 0–1. */
  readonly keep: number;
  readonly channelMultiple: number;
  readonly minChannels: number;
  /** Largest fraction of a group that may go, 0–1. */
  groupReduction(group: ChannelGroup): number;
  /** Factor on what it costs to take from a group or a branch; absent: 1. */
  costFactor?(region: ChannelGroup['region']): number;
}

/** Channel classes (roots) and residual branches (positions in the list of branches). */
export interface Cut {
  readonly classes: ReadonlySet<number>;
  readonly branches: ReadonlySet<number>;
}

export interface Plan extends Cut {
  /** Per group, the positions of its channels that go, ascending. */
  readonly removed: readonly (readonly number[])[];
  /** Block size used per group; null = the limits leave nothing to remove. */
  readonly blocks: readonly (number | null)[];
  /** What is left of the terms. */
  readonly left: number;
  /** True when the limits stopped the plan before its target. */
  readonly exhausted: boolean;
}

/** Cost of removing `next` when `gone` are already removed. */
export type Pricing = (gone: Cut, next: Cut) => Promise<number>;

export interface PlanInput {
  readonly trace: Trace;
  readonly groups: readonly ChannelGroup[];
  /** Branches that may go as a whole. */
  readonly branches: readonly Branch[];
  /** What is to be saved. */
  readonly terms: readonly Term[];
  /** Per group, importance per channel: the order within the group. */
  readonly scores: readonly Float64Array[];
  /** What a block or branch costs; null: a block costs the sum of its channels' scores, a branch its entry here. */
  readonly pricing: Pricing | null;
  readonly branchCosts: readonly number[];
}

/** May the plan end this much (of everything) under its target before it looks for a smaller block. */
const OVERSHOOT = 0.015;
/** Measured costs brought up to date before a step is taken, at most. */
const MOST_UPDATES = 12;

interface Share {
  readonly term: number;
  /** Indices that one channel of the group takes, by axis. */
  readonly perAxis: readonly number[];
}

interface GroupState {
  readonly group: ChannelGroup;
  /** Channel positions, least important first. */
  readonly order: readonly number[];
  readonly scores: Float64Array;
  readonly block: number | null;
  readonly shares: readonly Share[];
  readonly limit: number;
  gone: number;
  /** Inside a branch that went. */
  dead: boolean;
}

/** Something that may go at once: the next channels of a group, or a branch. */
interface Candidate {
  readonly state: GroupState | null;
  readonly branch: number | null;
  /** Channels that go. */
  readonly step: number;
  readonly saved: number;
}

interface Priced {
  readonly cost: number;
  readonly step: number;
  /** Steps taken when it was priced. */
  readonly version: number;
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
  return Math.max(0, Math.min(Math.floor(group.channels * options.groupReduction(group)), ...byWidth));
}

/** Per term, how many indices of each axis the first channel of a group takes. */
function sharesOf(trace: Trace, terms: readonly Term[], group: ChannelGroup): Share[] {
  const root = group.classes[0]!;
  return terms.flatMap(({ axes }, term) => {
    const perAxis = axes.map(({ labels }) => labels?.reduce((n, atom) => n + (find(trace.space, atom) === root ? 1 : 0), 0) ?? 0);
    return perAxis.some((n) => n > 0) ? [{ term, perAxis }] : [];
  });
}

function createState({ trace, terms }: PlanInput, group: ChannelGroup, scores: Float64Array, options: PlanOptions): GroupState {
  const shares = sharesOf(trace, terms, group);
  const limit = group.reason === null && shares.length > 0 ? limitOf(group, options) : 0;
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
  return { group, order, scores, block: chooseBlock(group, limit, options.channelMultiple), shares, limit, gone: 0, dead: false };
}

/** Channels left on every axis of every value, by "value axis". */
function createWidths(groups: readonly ChannelGroup[]): Map<string, number> {
  const widths = new Map<string, number>();
  for (const { members } of groups)
    for (const member of members) if (member.kind === 'value') widths.set(`${member.name} ${member.axis}`, member.size);
  return widths;
}

/** The objective while channels and branches go. */
class Ledger {
  readonly #terms: readonly Term[];
  readonly #sizes: number[][];
  readonly #dead = new Set<number>();

  constructor(terms: readonly Term[]) {
    this.#terms = terms;
    this.#sizes = terms.map(({ axes }) => axes.map(({ size }) => size));
  }

  #value(term: number, perAxis: readonly number[] | null = null, step = 0): number {
    if (this.#dead.has(term)) return 0;
    return this.#sizes[term]!.reduce((product, size, axis) => product * (size - step * (perAxis?.[axis] ?? 0)), this.#terms[term]!.unit);
  }

  savedByChannels(shares: readonly Share[], step: number): number {
    return shares.reduce((sum, { term, perAxis }) => sum + this.#value(term) - this.#value(term, perAxis, step), 0);
  }

  savedByBranch({ nodes }: Branch): number {
    return this.#terms.reduce((sum, { node }, term) => sum + (nodes.has(node) ? this.#value(term) : 0), 0);
  }

  takeChannels(shares: readonly Share[], step: number): void {
    for (const { term, perAxis } of shares)
      perAxis.forEach((n, axis) => {
        this.#sizes[term]![axis]! -= step * n;
      });
  }

  takeBranch({ nodes }: Branch): void {
    this.#terms.forEach(({ node }, term) => {
      if (nodes.has(node)) this.#dead.add(term);
    });
  }
}

/** @throws StudioError 'cancelled' from the pricing */
export async function planRemoval(input: PlanInput, options: PlanOptions): Promise<Plan> {
  const { trace, groups, branches, terms, pricing } = input;
  const states = groups.map((group, i) => createState(input, group, input.scores[i]!, options));
  const widths = createWidths(groups);
  const ledger = new Ledger(terms);
  const total = terms.reduce((sum, term) => sum + termSize(term), 0);
  const target = total * options.keep;
  let left = total;
  const gone = { classes: new Set<number>(), branches: new Set<number>() };
  const { nodes } = trace.model.graph;
  const insideOf = branches.map((branch) => {
    const names = new Set([...branch.nodes].map((at) => nodes[at]!.name));
    return states.filter(({ group }) => group.members.every(({ node }) => names.has(node)));
  });

  const fits = (state: GroupState, step: number): boolean => {
    if (state.dead || state.gone + step > state.limit) return false;
    return state.group.members.every(({ kind, name, axis, size, perChannel }) => {
      const after = (widths.get(`${name} ${axis}`) ?? 0) - step * perChannel;
      return kind === 'constant' || after >= Math.min(options.minChannels, size);
    });
  };
  const classesOf = ({ state, step }: Candidate): number[] =>
    state ? state.order.slice(state.gone, state.gone + step).map((at) => state.group.classes[at]!) : [];
  const cutOf = (candidate: Candidate): Cut => ({
    classes: new Set(classesOf(candidate)),
    branches: new Set(candidate.branch === null ? [] : [candidate.branch]),
  });
  const plainCost = ({ state, branch, step }: Candidate): number => {
    if (!state) return input.branchCosts[branch!]!;
    return state.order.slice(state.gone, state.gone + step).reduce((sum, at) => sum + state.scores[at]!, 0);
  };

  const known = new Map<GroupState | number, Priced>();
  let version = 0;
  const keyOf = ({ state, branch }: Candidate): GroupState | number => state ?? branch!;
  const fresh = async (candidate: Candidate): Promise<void> => {
    const raw = pricing ? await pricing(gone, cutOf(candidate)) : plainCost(candidate);
    const region = candidate.state?.group.region ?? branches[candidate.branch!]!.region;
    const cost = raw + ((options.costFactor?.(region) ?? 1) - 1) * Math.abs(raw);
    known.set(keyOf(candidate), { cost, step: candidate.step, version });
  };
  const remembered = (candidate: Candidate): Priced | null => {
    const last = known.get(keyOf(candidate));
    return last && last.step === candidate.step ? last : null;
  };

  /** The cheapest of this list per unit saved. Measured costs that are out of date are measured again before they win. */
  const cheapest = async (candidates: readonly Candidate[]): Promise<Candidate> => {
    for (const candidate of candidates) if (!remembered(candidate)) await fresh(candidate);
    const price = (candidate: Candidate): number => remembered(candidate)!.cost / candidate.saved;
    for (let tries = 0; ; tries++) {
      const best = candidates.reduce((a, b) => (price(b) < price(a) ? b : a));
      if (!pricing || remembered(best)!.version === version || tries === MOST_UPDATES) return best;
      await fresh(best);
    }
  };

  const wholeBranches = (): Candidate[] =>
    branches.flatMap((branch, at) => {
      const saved = gone.branches.has(at) ? 0 : ledger.savedByBranch(branch);
      return saved > 0 ? [{ state: null, branch: at, step: 0, saved }] : [];
    });

  /** A step that doesn't overshoot; smaller blocks than wanted only where every wanted one would. */
  const choose = async (): Promise<Candidate | null> => {
    let smallest: Candidate | null = null;
    const within = ({ saved }: Candidate): boolean => left - saved >= target - OVERSHOOT * total;
    for (let multiple = options.channelMultiple; multiple >= 1; multiple = Math.floor(multiple / 2)) {
      const candidates = wholeBranches().filter(within);
      for (const state of states) {
        if (state.block === null) continue;
        const block = Math.min(state.block, blockFor(state.group, multiple));
        const step = (state.group.channels - state.gone) % block || block;
        if (!fits(state, step)) continue;
        const saved = ledger.savedByChannels(state.shares, step);
        if (saved <= 0) continue;
        const candidate = { state, branch: null, step, saved };
        if (!smallest || saved < smallest.saved) smallest = candidate;
        if (within(candidate)) candidates.push(candidate);
      }
      if (candidates.length > 0) return cheapest(candidates);
    }
    return smallest;
  };

  const take = (candidate: Candidate): void => {
    const { state, branch, step, saved } = candidate;
    for (const root of classesOf(candidate)) gone.classes.add(root);
    if (branch !== null) {
      gone.branches.add(branch);
      ledger.takeBranch(branches[branch]!);
      for (const inner of insideOf[branch]!) inner.dead = true;
    }
    if (state) {
      ledger.takeChannels(state.shares, step);
      for (const { kind, name, axis, perChannel } of state.group.members)
        if (kind === 'value') widths.set(`${name} ${axis}`, widths.get(`${name} ${axis}`)! - step * perChannel);
      state.gone += step;
    }
    left -= saved;
    known.delete(keyOf(candidate));
    version++;
  };

  let exhausted = false;
  while (left > target && !exhausted) {
    const best = await choose();
    if (best) take(best);
    else exhausted = true;
  }
  const removed = states.map(({ order, gone: n, dead }) => order.slice(0, dead ? order.length : n).sort((a, b) => a - b));
  return { ...gone, removed, blocks: states.map(({ block }) => block), left, exhausted };
}
