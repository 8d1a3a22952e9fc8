/**
 * Channel groups: sets of channels that live on the same axes of the same tensors and are interchangeable, each of
 * which is removed together with all its coupled places (terms after VainF/Torch-Pruning: a group is printable and is
 * pruned as a whole).
 */
import { DEFAULT_SIZE } from '../../models';
import { StudioError } from '../../numerics';
import { fixDimensions, inferShapes, type Model, type Tensor } from '../../onnx';
import { type Region, regions } from './regions';
import { find, type Labels } from './space';
import type { Layer, Trace } from './trace';
import { constants, type Dims, traceModel } from './trace-model';

/** One place of a group: an axis of a value, or of the constant that a node reads. */
export interface Member {
  readonly kind: 'value' | 'constant';
  /** Name of the value or of the constant. */
  readonly name: string;
  /** Name of the node that makes the value or reads the constant. */
  readonly node: string;
  readonly axis: number;
  /** Length of that axis in the whole model. */
  readonly size: number;
  /** Indices on that axis, `perChannel` of them for each channel of the group in order. */
  readonly indices: Int32Array;
  readonly perChannel: number;
}

export interface ChannelGroup {
  readonly id: number;
  /** Name of the first layer that makes these channels. */
  readonly source: string;
  readonly region: Region;
  readonly channels: number;
  readonly members: readonly Member[];
  /** Saved by removing one channel from the whole model. */
  readonly parametersPerChannel: number;
  readonly macsPerChannel: number;
  /** Why the group can't be pruned; null = it can. */
  readonly reason: string | null;
  /** Class roots in the trace, one per channel. */
  readonly classes: readonly number[];
}

export interface ChannelGroups {
  readonly groups: readonly ChannelGroup[];
  readonly trace: Trace;
}

export interface GroupOptions {
  /** Names of nodes whose outputs keep all channels (a detector's last layers). */
  readonly protectedNodes?: readonly string[];
}

interface Place extends Omit<Member, 'indices' | 'perChannel'> {
  readonly labels: Labels;
}

/** Every labelled axis: of values in graph order, then of the constants that nodes read. */
function places(trace: Trace): Place[] {
  const { nodes } = trace.model.graph;
  const found: Place[] = [];
  for (const node of nodes)
    for (const name of node.outputs)
      trace.layouts.get(name)?.labels.forEach((labels, axis) => {
        if (labels) found.push({ kind: 'value', name, node: node.name, axis, size: labels.length, labels });
      });
  for (const edit of trace.edits)
    if (edit.kind === 'slice') {
      const node = nodes[edit.node]!;
      const name = node.inputs[edit.input]!;
      found.push({ kind: 'constant', name, node: node.name, axis: edit.axis, size: edit.labels.length, labels: edit.labels });
    }
  return found;
}

/** MACs of a layer with these widths. */
export function layerMacs(layer: Layer, out = layer.outSize, input = layer.inSize): number {
  return layer.unit * out * input;
}

/** Labels of a layer's two sides that belong to `classes`. */
export function layerShare(trace: Trace, layer: Layer, classes: ReadonlySet<number>): { readonly out: number; readonly in: number } {
  const share = (labels: Labels | null): number => {
    let total = 0;
    if (labels) for (const atom of labels) if (classes.has(find(trace.space, atom))) total++;
    return total;
  };
  return { out: share(layer.out), in: share(layer.in) };
}

function macsPerChannel(trace: Trace, root: number): number {
  let total = 0;
  const one = new Set([root]);
  for (const layer of trace.layers) {
    const share = layerShare(trace, layer, one);
    total += layerMacs(layer) - layerMacs(layer, layer.outSize - share.out, layer.inSize - share.in);
  }
  return total;
}

function parametersPerChannel(known: ReadonlyMap<string, Tensor>, members: readonly Member[]): number {
  const byConstant = new Map<string, Map<number, Member>>();
  for (const member of members) {
    if (member.kind !== 'constant') continue;
    const axes = byConstant.get(member.name) ?? new Map<number, Member>();
    axes.set(member.axis, member);
    byConstant.set(member.name, axes);
  }
  let total = 0;
  for (const axes of byConstant.values()) {
    const [first] = axes.values();
    const dims = known.get(first!.name)!.dims;
    const before = dims.reduce((a, b) => a * b, 1);
    total += before - dims.reduce((a, b, axis) => a * (b - (axes.get(axis)?.perChannel ?? 0)), 1);
  }
  return total;
}

/** The first layer that makes each class anew (depthwise layers only pass channels on). */
function makers(trace: Trace): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { node, inAxis, out } of trace.layers) {
    if (inAxis === null || !out) continue;
    for (const atom of out) {
      const root = find(trace.space, atom);
      if (!found.has(root)) found.set(root, trace.model.graph.nodes[node]!.name);
    }
  }
  return found;
}

/** Groups from a finished trace, in graph order. */
export function groupsOf(trace: Trace): ChannelGroup[] {
  const { space, model } = trace;
  const all = places(trace);
  const where = new Map<number, Map<number, number[]>>();
  all.forEach((place, at) => {
    for (let index = 0; index < place.labels.length; index++) {
      const root = find(space, place.labels[index]!);
      const own = where.get(root) ?? new Map<number, number[]>();
      where.set(root, own);
      const indices = own.get(at);
      if (indices) indices.push(index);
      else own.set(at, [index]);
    }
  });
  const bySignature = new Map<string, number[]>();
  for (const [root, own] of where) {
    const signature = `${[...own].map(([at, indices]) => `${at}x${indices.length}`).join(' ')} ${space.reason[root] ?? ''}`;
    bySignature.set(signature, [...(bySignature.get(signature) ?? []), root]);
  }
  const region = regions(model);
  const maker = makers(trace);
  const known = constants(model);
  return [...bySignature.values()].map((classes, id) => {
    const members = [...where.get(classes[0]!)!.keys()].map((at): Member => {
      const { labels: _, ...place } = all[at]!;
      const lists = classes.map((root) => where.get(root)!.get(at)!);
      return { ...place, indices: Int32Array.from(lists.flat()), perChannel: lists[0]!.length };
    });
    const source = maker.get(classes[0]!) ?? members[0]!.node;
    return {
      id,
      source,
      region: region.get(source) ?? 'backbone',
      channels: classes.length,
      members,
      parametersPerChannel: parametersPerChannel(known, members),
      macsPerChannel: macsPerChannel(trace, classes[0]!),
      reason: space.reason[classes[0]!] ?? null,
      classes,
    };
  });
}

/** The model with its inputs' open sizes assumed, where it takes them: MACs need numbers. */
export function withSizes(model: Model): Model {
  const open = model.graph.inputs.filter(({ shape }) => shape?.some((dim) => typeof dim !== 'number'));
  if (open.length === 0) return model;
  const assume = (dim: unknown, axis: number): number => (typeof dim === 'number' ? dim : axis === 0 ? 1 : DEFAULT_SIZE);
  try {
    return fixDimensions(model, Object.fromEntries(open.map(({ name, shape }) => [name, shape!.map(assume)])));
  } catch (error) {
    if (error instanceof StudioError) return model;
    throw error;
  }
}

function dimsOf(model: Model): Dims {
  const shapes = inferShapes(model);
  return (value) => shapes.get(value)?.shape?.map((dim) => (typeof dim === 'number' ? dim : null)) ?? null;
}

/**
 * How the channels of a network hang together. Graph inputs and outputs and protected nodes keep theirs, with the
 * reason in their groups; operators without a rule keep every channel that touches them.
 */
export function channelGroups(model: Model, { protectedNodes = [] }: GroupOptions = {}): ChannelGroups {
  const sized = withSizes(model);
  const trace = traceModel(model, dimsOf(model), sized === model ? dimsOf(model) : dimsOf(sized), new Set(protectedNodes));
  return { groups: groupsOf(trace), trace };
}

function indexText(indices: Int32Array): string {
  const runs: string[] = [];
  const sorted = [...indices].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end]! + 1) end++;
    runs.push(end > i ? `${sorted[i]}–${sorted[end]}` : `${sorted[i]}`);
    i = end + 1;
  }
  return runs.length > 6 ? `${runs.slice(0, 6).join(', ')}, …` : runs.join(', ');
}

/** A group as text: one line for the group, one per place. */
export function groupText(group: ChannelGroup): string {
  const head = `#${group.id} ${group.region}: ${group.channels} channels from ${group.source}; each ${group.parametersPerChannel} parameters, ${group.macsPerChannel} MACs`;
  const lines = group.members.map(
    ({ kind, name, node, axis, indices }) =>
      `  ${kind === 'value' ? `${node} → ${name}` : `${node} ← ${name}`} axis ${axis} [${indexText(indices)}]`,
  );
  return [group.reason ? `${head}; kept: ${group.reason}` : head, ...lines].join('\n');
}
