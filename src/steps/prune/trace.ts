/**
 * What the coupling rules write down while they walk the graph: the channel labels of every value's axes, the edits
 * that removing channels will need at every node, and the layers whose MACs depend on channel counts.
 */
import { StudioError } from '../../numerics';
import { type Model, type Node, type Tensor, toNumbers } from '../../onnx';
import { type ChannelSpace, fixLabels, freshLabels, type Labels, uniteLabels } from './space';

/** Labels of one value, one entry per axis; null = this axis is not prunable. */
export interface Layout {
  readonly dims: readonly (number | null)[];
  readonly labels: readonly (Labels | null)[];
}

/** One change that a node needs when classes are removed. `node` indexes graph.nodes. */
export type Edit =
  /** The constant at inputs[input] loses the removed indices of `axis`. */
  | { readonly kind: 'slice'; readonly node: number; readonly input: number; readonly axis: number; readonly labels: Labels }
  /** Integer `entry` of a constant input or of an attribute becomes the number of labels kept. */
  | {
      readonly kind: 'count';
      readonly node: number;
      readonly at: { readonly input: number } | { readonly attribute: string };
      readonly entry: number;
      readonly labels: Labels;
    }
  /** A Split's sizes, whether written down so far or not. */
  | { readonly kind: 'split'; readonly node: number; readonly parts: readonly Labels[] }
  /** A Gather's constant indices into an axis with these labels. */
  | { readonly kind: 'indices'; readonly node: number; readonly input: number; readonly labels: Labels };

/** A layer that contracts over channels: MACs = unit · kept(outputs) · kept(inputs). */
export interface Layer {
  readonly node: number;
  /** Input index of the data and of the weight. */
  readonly data: number;
  /** Axis of the data that is contracted. */
  readonly dataAxis: number;
  readonly weight: number;
  readonly unit: number;
  /** Axes of the weight, and their labels or null where fixed. Depthwise layers have inAxis null. */
  readonly outAxis: number;
  readonly out: Labels | null;
  readonly outSize: number;
  readonly inAxis: number | null;
  readonly in: Labels | null;
  readonly inSize: number;
}

export interface Trace {
  readonly model: Model;
  readonly space: ChannelSpace;
  readonly layouts: Map<string, Layout>;
  readonly edits: Edit[];
  readonly layers: Layer[];
}

/** What a rule sees of one node. */
export interface RuleContext {
  readonly node: Node;
  readonly index: number;
  readonly opset: number;
  readonly trace: Trace;
  /** The constant behind a value name, if it is one. */
  constant(input: number): Tensor | undefined;
  /** Sizes of a value; null = unknown. */
  dims(value: string): readonly (number | null)[] | null;
  /** The same with open sizes assumed, to weigh layers against each other. */
  sizes(value: string): readonly (number | null)[];
}

/** Labels of an input; constants and unknown values have none. */
export function inputLayout(cx: RuleContext, input: number): Layout | null {
  const name = cx.node.inputs[input];
  if (!name) return null;
  const known = cx.trace.layouts.get(name);
  if (known) return known;
  const dims = cx.dims(name);
  return dims && { dims, labels: dims.map(() => null) };
}

export function setOutput(cx: RuleContext, output: number, dims: readonly (number | null)[], labels: readonly (Labels | null)[]): void {
  const name = cx.node.outputs[output];
  if (name) cx.trace.layouts.set(name, { dims, labels });
}

/** Every output alike; sizes are the inferred ones where known, else these. */
export function setOutputs(cx: RuleContext, dims: readonly (number | null)[], labels: readonly (Labels | null)[]): void {
  for (let i = 0; i < cx.node.outputs.length; i++) setOutput(cx, i, outputDims(cx, i, dims), labels);
}

/** Inferred sizes of an output, else those of `like`. */
export function outputDims(cx: RuleContext, output: number, like: readonly (number | null)[]): readonly (number | null)[] {
  return cx.dims(cx.node.outputs[output] ?? '') ?? like;
}

export function fresh(cx: RuleContext, count: number): Labels {
  return freshLabels(cx.trace.space, count);
}

/** Joins two labellings of the same axis; a fixed (null) one fixes the other. Returns the labels both now carry. */
export function join(cx: RuleContext, a: Labels | null, b: Labels | null, reason: string): Labels | null {
  if (a && b) {
    if (a.length !== b.length)
      throw new StudioError(
        'bad-model',
        `${cx.node.name} (${cx.node.op}) meets ${a.length} and ${b.length} channels on one axis.`,
        'Export the model again.',
      );
    uniteLabels(cx.trace.space, a, b);
    return a;
  }
  if (a) fixLabels(cx.trace.space, a, reason);
  if (b) fixLabels(cx.trace.space, b, reason);
  return null;
}

export function fix(cx: RuleContext, labels: Labels | null | undefined, reason: string): void {
  if (labels) fixLabels(cx.trace.space, labels, reason);
}

/** Fixes every labelled axis of every input: nothing is known about what the node does to channels. */
export function fixInputs(cx: RuleContext, reason: string): void {
  for (let i = 0; i < cx.node.inputs.length; i++) for (const labels of inputLayout(cx, i)?.labels ?? []) fix(cx, labels, reason);
}

export function slice(cx: RuleContext, input: number, axis: number, labels: Labels | null): void {
  if (labels) cx.trace.edits.push({ kind: 'slice', node: cx.index, input, axis, labels });
}

export function count(cx: RuleContext, at: { input: number } | { attribute: string }, entry: number, labels: Labels | null): void {
  if (labels) cx.trace.edits.push({ kind: 'count', node: cx.index, at, entry, labels });
}

/** "Softmax_12 (Softmax)". */
export function nodeText(node: Node): string {
  return `${node.name} (${node.op})`;
}

/** An axis of a tensor of this rank, negative ones from the end. */
export function axisOf(value: number, rank: number): number {
  return value < 0 ? value + rank : value;
}

/** A constant's integers; undefined when the input is absent or not constant. */
export function constantInts(cx: RuleContext, input: number): number[] | undefined {
  const tensor = cx.constant(input);
  return tensor && toNumbers(tensor);
}
