/**
 * Channel splitting: a layer whose channels differ a hundredfold in range is cut into a few layers of channels that are
 * alike, each with a scale of its own. Exact in float for any activation, because nothing is rescaled: the depthwise
 * convolutions that read it are cut alike, and their outputs are joined again for the dense convolution behind them. A
 * per-tensor device so gets what per-channel activations would give it, all in 8 bits. (Rescaling channels instead, as
 * cross-layer equalization does, is not exact for SiLU; see equalize.ts.)
 */
import { attrInt, type Model, type Node, node, type Tensor, tensor, toFloat32, withGraph } from '../../onnx';
import { partName } from '../parts';
import type { RangesArtifact, TensorStats } from '../types';
import { type GraphIndex, indexGraph } from './graph-index';
import { type Fused, fuseActivation } from './patterns';
import { isLayer } from './tail';

/** Parts that a layer is cut into at most: each costs the device a layer. */
const MOST_PARTS = 3;
/** Another part must take away this share of the error that is left. */
const WORTHWHILE = 0.5;
/** Layers whose rounding error at the next layer is below this share of that layer's range (root mean square) stay whole. */
const NEGLIGIBLE = 1 / 250;
const STEPS = 255;

/** A depthwise reader with its activation, and the dense convolutions that read what comes out. */
interface Reader {
  readonly depthwise: Node;
  readonly fused: Fused;
  readonly dense: readonly Node[];
}

interface Candidate {
  readonly layer: Node;
  readonly fused: Fused;
  readonly readers: readonly Reader[];
}

/** Channels of each part, rising within a part. */
type Parts = readonly (readonly number[])[];

export interface Split {
  readonly model: Model;
  /** What was cut; empty where nothing was. */
  readonly notes: readonly string[];
  readonly layers: readonly string[];
}

/** A Conv whose weight, and bias if it has one, are float32 constants. */
function constantConv(index: GraphIndex, n: Node): { weight: Tensor; bias: Tensor | null } | null {
  if (n.domain !== '' || n.op !== 'Conv' || !isLayer(index, n)) return null;
  const weight = index.constant(n.inputs[1]!)!;
  const bias = n.inputs[2] ? index.constant(n.inputs[2]) : null;
  return weight.dtype === 'float32' && bias !== undefined && (bias === null || bias.dtype === 'float32') ? { weight, bias } : null;
}

/** Activations that treat every channel alike: no constant but single numbers. */
function isUniform(index: GraphIndex, fused: Fused): boolean {
  return fused.nodes.every((n) => n.inputs.every((name) => (index.constant(name)?.data.length ?? 1) === 1));
}

function readerOf(index: GraphIndex, n: Node, value: string): Reader | null {
  const conv = constantConv(index, n);
  if (!conv || n.inputs[0] !== value || conv.weight.dims[1] !== 1) return null;
  const channels = conv.weight.dims[0]!;
  if (channels < 2 || attrInt(n, 'group', 1) !== channels) return null;
  const fused = fuseActivation(index, n.outputs[0]!, () => false);
  const dense = index.consumers(fused.output);
  const all = dense.every((d) => constantConv(index, d) && attrInt(d, 'group', 1) === 1 && d.inputs[0] === fused.output);
  return all && dense.length > 0 && !index.isOutput(fused.output) && isUniform(index, fused) ? { depthwise: n, fused, dense } : null;
}

function candidates(index: GraphIndex): readonly Candidate[] {
  return index.graph.nodes.flatMap((layer) => {
    if (!constantConv(index, layer) || attrInt(layer, 'group', 1) !== 1) return [];
    const fused = fuseActivation(index, layer.outputs[0]!, () => false);
    const consumers = index.consumers(fused.output);
    if (index.isOutput(fused.output) || consumers.length === 0 || !isUniform(index, fused)) return [];
    const readers = consumers.map((n) => readerOf(index, n, fused.output));
    return readers.every((r) => r !== null) ? [{ layer, fused, readers: readers as readonly Reader[] }] : [];
  });
}

function channelRanges(stats: TensorStats | undefined): Float64Array | null {
  const { channelMin, channelMax } = stats ?? {};
  if (!channelMin || !channelMax) return null;
  return Float64Array.from(channelMin, (low, c) => Math.max(channelMax[c]!, 0) - Math.min(low, 0));
}

/**
 * How much a step of the layer's scale, squared, disturbs what reads each channel: Σ over readers of ‖w‖² / range²,
 * the range being the reader's own output's, before its activation.
 */
function sensitivities(index: GraphIndex, { readers }: Candidate, ranges: RangesArtifact): Float64Array | null {
  let sums: Float64Array | null = null;
  for (const { depthwise } of readers) {
    const out = channelRanges(ranges.tensors.get(depthwise.outputs[0]!));
    const weight = index.constant(depthwise.inputs[1]!)!;
    const channels = weight.dims[0]!;
    if (out?.length !== channels) return null;
    const values = toFloat32(weight);
    const taps = values.length / channels;
    sums ??= new Float64Array(channels);
    for (let c = 0; c < channels; c++) {
      let power = 0;
      for (let i = c * taps; i < (c + 1) * taps; i++) power += values[i]! ** 2;
      if (out[c]! > 0) sums[c]! += power / out[c]! ** 2;
    }
  }
  return sums;
}

/** The cheapest cut of channels, sorted by range, into exactly k runs, by dynamic programming over where runs end. */
function bestRuns(range: readonly number[], weight: readonly number[], k: number): { cost: number; ends: number[] } {
  const n = range.length;
  const before = [0];
  for (const w of weight) before.push(before.at(-1)! + w);
  const cost = (from: number, to: number): number => range[to - 1]! ** 2 * (before[to]! - before[from]!);
  let row = Array.from({ length: n + 1 }, (_, to) => ({ cost: to === 0 ? 0 : cost(0, to), ends: [to] }));
  for (let part = 2; part <= k; part++) {
    row = row.map((_, to) => {
      let best = { cost: Number.POSITIVE_INFINITY, ends: [] as number[] };
      for (let from = part - 1; from < to; from++) {
        const total = row[from]!.cost + cost(from, to);
        if (total < best.cost) best = { cost: total, ends: [...row[from]!.ends, to] };
      }
      return best;
    });
  }
  return row[n]!;
}

interface Cut {
  readonly candidate: Candidate;
  readonly parts: Parts;
  /** Mean squared rounding error at the readers, as a share of their squared range: before and after. */
  readonly before: number;
  readonly after: number;
  /** Largest channel range over the smallest. */
  readonly spread: number;
}

function cutOf(index: GraphIndex, candidate: Candidate, ranges: RangesArtifact): Cut | null {
  const range = channelRanges(ranges.tensors.get(candidate.fused.output));
  const weight = sensitivities(index, candidate, ranges);
  if (!range || weight?.length !== range.length) return null;
  const order = [...range.keys()].sort((a, b) => range[a]! - range[b]! || a - b);
  const sorted = order.map((c) => range[c]!);
  const weights = order.map((c) => weight[c]!);
  const unit = 1 / (12 * STEPS ** 2 * range.length);
  let chosen = bestRuns(sorted, weights, 1);
  const before = chosen.cost;
  for (let k = 2; k <= Math.min(MOST_PARTS, range.length); k++) {
    const next = bestRuns(sorted, weights, k);
    if (!(next.cost < chosen.cost * (1 - WORTHWHILE))) break;
    chosen = next;
  }
  if (chosen.ends.length < 2 || Math.sqrt(before * unit) < NEGLIGIBLE) return null;
  const starts = [0, ...chosen.ends.slice(0, -1)];
  const parts = chosen.ends.map((end, i) => order.slice(starts[i]!, end).sort((a, b) => a - b));
  const positive = sorted.filter((r) => r > 0);
  return {
    candidate,
    parts,
    before: before * unit,
    after: chosen.cost * unit,
    spread: positive.length > 0 ? positive.at(-1)! / positive[0]! : 1,
  };
}

/** Slices along an axis, in the order of `picked`. */
function pick(source: Tensor, axis: number, picked: readonly number[], name: string): Tensor {
  const data = toFloat32(source);
  const inner = source.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = source.dims[axis]!;
  const outer = data.length / (inner * size);
  const out = new Float32Array(outer * picked.length * inner);
  for (let o = 0; o < outer; o++)
    picked.forEach((c, i) => {
      out.set(data.subarray((o * size + c) * inner, (o * size + c + 1) * inner), (o * picked.length + i) * inner);
    });
  return tensor(name, 'float32', [...source.dims.slice(0, axis), picked.length, ...source.dims.slice(axis + 1)], out);
}

/** Rewrites the graph for one cut. */
class Rewriter {
  readonly initializers: Map<string, Tensor>;
  readonly #taken: Set<string>;
  /** Node → what stands in its place. */
  readonly #replaced = new Map<Node, readonly Node[]>();

  constructor(readonly index: GraphIndex) {
    const { graph } = index;
    this.initializers = new Map(graph.initializers);
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
    ]);
  }

  #unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  #keep(make: (name: string) => Tensor, wanted: string): string {
    const name = this.#unique(wanted);
    this.initializers.set(name, make(name));
    return name;
  }

  /** One part of a convolution and its activation, reading `input`. @returns the part's output */
  #part(conv: Node, fused: Fused, channels: readonly number[], input: string, which: number, depthwise: boolean, into: Map<Node, Node[]>) {
    const part = (name: string) => partName(name, which + 1);
    const { weight, bias } = constantConv(this.index, conv)!;
    const inputs = [input, this.#keep((name) => pick(weight, 0, channels, name), part(weight.name))];
    if (bias) inputs.push(this.#keep((name) => pick(bias, 0, channels, name), part(bias.name)));
    const renamed = new Map<string, string>();
    const rename = (value: string): string => {
      const name = this.#unique(part(value));
      renamed.set(value, name);
      return name;
    };
    const attributes = depthwise ? { ...conv.attributes, group: { type: 'int' as const, value: channels.length } } : conv.attributes;
    const first = { ...conv, name: this.#unique(part(conv.name)), inputs, outputs: [rename(conv.outputs[0]!)], attributes };
    into.get(conv)!.push(first);
    for (const n of fused.nodes) {
      const copy = { ...n, name: this.#unique(part(n.name)), inputs: n.inputs.map((name) => renamed.get(name) ?? name) };
      into.get(n)!.push({ ...copy, outputs: n.outputs.map((name) => (name === '' ? '' : rename(name))) });
    }
    return renamed.get(fused.output)!;
  }

  apply({ candidate: { layer, fused, readers }, parts }: Cut): void {
    const into = new Map<Node, Node[]>();
    for (const n of [layer, ...fused.nodes, ...readers.flatMap((r) => [r.depthwise, ...r.fused.nodes])]) into.set(n, []);
    const values = parts.map((channels, i) => this.#part(layer, fused, channels, layer.inputs[0]!, i, false, into));
    const order = parts.flat();
    for (const reader of readers) {
      const ends = parts.map((channels, i) => this.#part(reader.depthwise, reader.fused, channels, values[i]!, i, true, into));
      const joined = this.#unique(`${reader.fused.output}_joined`);
      const last = reader.fused.nodes.at(-1) ?? reader.depthwise;
      into.get(last)!.push(node('Concat', ends, [joined], { axis: 1 }, this.#unique(`${reader.depthwise.name}_join`)));
      for (const dense of reader.dense) {
        const { weight } = constantConv(this.index, dense)!;
        const permuted = this.#keep((name) => pick(weight, 1, order, name), `${weight.name}_reordered`);
        this.#replaced.set(dense, [{ ...dense, inputs: [joined, permuted, ...dense.inputs.slice(2)] }]);
      }
    }
    for (const [n, nodes] of into) this.#replaced.set(n, nodes);
  }

  model(model: Model): Model {
    const nodes = model.graph.nodes.flatMap((n) => this.#replaced.get(n) ?? [n]);
    const read = new Set([...nodes.flatMap((n) => n.inputs), ...model.graph.outputs.map(({ name }) => name)]);
    const inside = nodes.some((n) => Object.values(n.attributes).some(({ type }) => type === 'graph' || type === 'graphs'));
    const initializers = inside ? this.initializers : new Map([...this.initializers].filter(([name]) => read.has(name)));
    const made = new Set(nodes.flatMap((n) => n.outputs));
    const valueInfo = new Map([...model.graph.valueInfo].filter(([name]) => made.has(name)));
    return withGraph(model, { nodes, initializers, valueInfo });
  }
}

function rewritten(model: Model, index: GraphIndex, cut: Cut): Model {
  const rewriter = new Rewriter(index);
  rewriter.apply(cut);
  return rewriter.model(model);
}

/**
 * Cuts the layers where one scale costs the layers behind it most. The network's outputs stay (up to float32 summation
 * order); values and nodes of the cut layers get new names.
 * @param ranges of this model, with ranges per channel
 * @param limit layers that are cut at most
 */
export function splitChannels(model: Model, ranges: RangesArtifact, limit: number): Split {
  let split = model;
  const done: Cut[] = [];
  // One at a time: the dense convolution behind one cut may be the layer of another.
  while (done.length < limit) {
    const index = indexGraph(split.graph);
    const cuts = candidates(index).flatMap((candidate) => cutOf(index, candidate, ranges) ?? []);
    if (cuts.length === 0) break;
    const cut = cuts.reduce((a, b) => (b.before - b.after > a.before - a.after ? b : a));
    split = rewritten(split, index, cut);
    done.push(cut);
  }
  if (done.length === 0) return { model, notes: [], layers: [] };
  const worst = done[0]!;
  const fold = worst.spread < 1e4 ? `${Math.round(worst.spread)}×` : 'more than 10,000×';
  const notes = [
    `${done.length} layer${done.length === 1 ? ' was' : 's were'} cut by channel range (first "${worst.candidate.layer.name}": channel ranges differ ${fold} under one scale; ${worst.parts.length} parts of ${worst.parts.map((p) => p.length).join(', ')} channels). The float network computes the same.`,
  ];
  return { model: split, notes, layers: done.map(({ candidate }) => candidate.layer.name) };
}

/** Layers (node names) that {@link splitChannels} would cut if it had no limit. */
export function splittable(model: Model, ranges: RangesArtifact): ReadonlySet<string> {
  const index = indexGraph(model.graph);
  return new Set(candidates(index).flatMap((candidate) => (cutOf(index, candidate, ranges) ? [candidate.layer.name] : [])));
}
