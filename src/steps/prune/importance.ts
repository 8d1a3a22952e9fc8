/**
 * What a channel is worth: a table of measures, each from groups to one score per channel (higher = keep). Scores are
 * comparable across groups, because every measure is relative to the layer it comes from.
 */
import { createRandom } from '../../numerics';
import { type Tensor, toFloat32 } from '../../onnx';
import type { RangesArtifact } from '../types';
import type { ChannelGroup } from './groups';
import { find, type Labels } from './space';
import type { Layer, Trace } from './trace';
import { constants } from './trace-model';

/** Scores that need nothing but the network, its calibrated ranges or channel sizes. */
export type PlainImportanceId = 'measured' | 'activation' | 'flow' | 'bn-scale' | 'l2' | 'l1' | 'random';

export interface ImportanceInput {
  readonly trace: Trace;
  readonly groups: readonly ChannelGroup[];
  /** Statistics of this very model's activations, null where there are none. */
  readonly ranges: RangesArtifact | null;
  /** Root mean square of each channel, by value, where it was measured. */
  readonly sizes?: ReadonlyMap<string, Float64Array> | null;
  readonly seed: number;
}

/** Per group, one score per channel. */
export type Importance = (input: ImportanceInput) => Float64Array[];

/** Σ |w|^power over everything but `axis`. */
function sliceNorms(weight: Tensor, axis: number, power: 1 | 2): Float64Array {
  const data = toFloat32(weight);
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = weight.dims[axis]!;
  const sums = new Float64Array(length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    sums[Math.floor(i / inner) % length]! += power === 2 ? value * value : Math.abs(value);
  }
  return sums;
}

/** Adds `values` (one per index of the axis) to the scores of the classes at those indices. */
function addTo(trace: Trace, scores: Map<number, number>, labels: Labels, values: ArrayLike<number>): void {
  for (let i = 0; i < labels.length; i++) {
    const root = find(trace.space, labels[i]!);
    scores.set(root, (scores.get(root) ?? 0) + values[i]!);
  }
}

function toGroups(groups: readonly ChannelGroup[], scores: ReadonlyMap<number, number>): Float64Array[] {
  return groups.map(({ classes }) => Float64Array.from(classes, (root) => scores.get(root) ?? 0));
}

function weightOf(trace: Trace, known: ReadonlyMap<string, Tensor>, layer: Layer): Tensor {
  return known.get(trace.model.graph.nodes[layer.node]!.inputs[layer.weight]!)!;
}

function mean(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total / values.length || 1;
}

/** Norm of the weights that make the channel, over its layer's mean norm; mean over the layers that make it. */
function magnitude(power: 1 | 2): Importance {
  return ({ trace, groups }) => {
    const known = constants(trace.model);
    const sums = new Map<number, number>();
    const counts = new Map<number, number>();
    for (const layer of trace.layers) {
      if (!layer.out) continue;
      const norms = sliceNorms(weightOf(trace, known, layer), layer.outAxis, power).map((norm) => (power === 2 ? Math.sqrt(norm) : norm));
      const scale = mean(norms);
      addTo(
        trace,
        sums,
        layer.out,
        norms.map((norm) => norm / scale),
      );
      addTo(
        trace,
        counts,
        layer.out,
        norms.map(() => 1),
      );
    }
    return toGroups(groups, new Map([...sums].map(([root, sum]) => [root, sum / counts.get(root)!])));
  };
}

/** Size of each channel of a layer's input: largest |value| seen, where it was measured. */
function measuredSize(layer: Layer, trace: Trace, ranges: RangesArtifact): Float64Array | null {
  const stats = ranges.tensors.get(trace.model.graph.nodes[layer.node]!.inputs[layer.data]!);
  if (!stats?.channelMin || !stats.channelMax || stats.channelMin.length !== layer.in?.length) return null;
  return Float64Array.from(stats.channelMin, (low, i) => Math.max(Math.abs(low), Math.abs(stats.channelMax![i]!)));
}

/**
 * Share of a channel in the outputs of the layers that read it: (size · norm of the weights that read it)², over the
 * sum of that over all channels of the layer; summed over the layers. Without measurements the size of a channel is
 * the norm of the weights that make it, over its layer's mean.
 */
function flow(size: (layer: Layer) => Float64Array | null): Importance {
  return ({ trace, groups }) => {
    const known = constants(trace.model);
    const made = new Map<number, number>();
    for (const layer of trace.layers) {
      if (!layer.out) continue;
      const norms = sliceNorms(weightOf(trace, known, layer), layer.outAxis, 2).map(Math.sqrt);
      const scale = mean(norms);
      for (let i = 0; i < layer.out.length; i++) {
        const root = find(trace.space, layer.out[i]!);
        made.set(root, (made.get(root) ?? 1) * (norms[i]! / scale));
      }
    }
    const scores = new Map<number, number>();
    for (const layer of trace.layers) {
      if (!layer.in || layer.inAxis === null) continue;
      const sizes = size(layer) ?? Float64Array.from(layer.in, (atom) => made.get(find(trace.space, atom)) ?? 1);
      const energy = sliceNorms(weightOf(trace, known, layer), layer.inAxis, 2).map((norm, i) => norm * sizes[i]! ** 2);
      const total = mean(energy) * energy.length;
      addTo(
        trace,
        scores,
        layer.in,
        energy.map((own) => own / total),
      );
    }
    return toGroups(groups, scores);
  };
}

/** Nodes that scale each channel by a constant of their own. */
function batchNorms(trace: Trace) {
  return trace.edits.flatMap((edit) => {
    if (edit.kind !== 'slice' || edit.input !== 1) return [];
    const node = trace.model.graph.nodes[edit.node]!;
    return node.op === 'BatchNormalization' ? [{ scale: node.inputs[1]!, labels: edit.labels }] : [];
  });
}

/** Whether importance 'bn-scale' finds something to judge by. */
export const hasBatchNorms = (trace: Trace): boolean => batchNorms(trace).length > 0;

/** |γ| over its layer's mean |γ| (Liu et al. 2017, network slimming); channels without BatchNorm by the size of their weights. */
const bnScale: Importance = (input) => {
  const { trace, groups } = input;
  const known = constants(trace.model);
  const sums = new Map<number, number>();
  const counts = new Map<number, number>();
  for (const { scale, labels } of batchNorms(trace)) {
    const sizes = toFloat32(known.get(scale)!).map(Math.abs);
    const usual = mean(sizes);
    addTo(
      trace,
      sums,
      labels,
      sizes.map((size) => size / usual),
    );
    addTo(
      trace,
      counts,
      labels,
      sizes.map(() => 1),
    );
  }
  const byWeights = magnitude(2)(input);
  return groups.map(({ classes }, g) =>
    Float64Array.from(classes, (root, i) => {
      const sum = sums.get(root);
      return sum === undefined ? byWeights[g]![i]! : sum / counts.get(root)!;
    }),
  );
};

/** The measures by name; a new one is one entry. */
export const IMPORTANCES: Readonly<Record<PlainImportanceId, Importance>> = {
  measured: (input) => flow((layer) => input.sizes?.get(input.trace.model.graph.nodes[layer.node]!.inputs[layer.data]!) ?? null)(input),
  activation: (input) => flow((layer) => input.ranges && measuredSize(layer, input.trace, input.ranges))(input),
  flow: flow(() => null),
  'bn-scale': bnScale,
  l2: magnitude(2),
  l1: magnitude(1),
  random: ({ groups, seed }) => {
    const random = createRandom(seed);
    return groups.map(({ channels }) => Float64Array.from({ length: channels }, () => random.next()));
  },
};
