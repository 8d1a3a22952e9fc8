/** Coupling rules of the operators that mix channels through a weight: new channels come out, old ones go in. */
import { attrInt } from '../../../onnx';
import { type Labels, unite } from '../space';
import { count, fix, fixInputs, fresh, inputLayout, join, nodeText, outputDims, type RuleContext, setOutput, slice } from '../trace';

const COMPUTED = 'takes a weight that is computed in the graph';

function product(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total * (value ?? 1), 1);
}

/** Positions j, j + n/g, j + 2n/g… of a grouped axis go together, so that every group keeps the same number. */
function tieGroups(cx: RuleContext, labels: Labels, groups: number): Labels {
  const size = labels.length / groups;
  for (let i = size; i < labels.length; i++) unite(cx.trace.space, labels[i]!, labels[i % size]!);
  return labels.subarray(0, size);
}

interface WeightAxes {
  readonly dataAxis: number;
  readonly outAxis: number;
  readonly out: Labels | null;
  readonly inAxis: number | null;
  readonly in: Labels | null;
}

/** Records a layer; uses of one weight by several layers are united, so that it stays shared. */
function addLayer(cx: RuleContext, data: number, weight: number, unit: number, axes: WeightAxes): void {
  const { trace, node } = cx;
  const name = node.inputs[weight]!;
  const dims = cx.constant(weight)!.dims;
  const other = trace.layers.find((layer) => trace.model.graph.nodes[layer.node]!.inputs[layer.weight] === name);
  if (other) {
    const reason = `the weight of ${nodeText(node)} is shared with a layer whose channels are fixed`;
    if (other.outAxis === axes.outAxis && other.inAxis === axes.inAxis) {
      join(cx, other.out, axes.out, reason);
      join(cx, other.in, axes.in, reason);
    } else for (const labels of [other.out, other.in, axes.out, axes.in]) fix(cx, labels, reason);
  }
  slice(cx, weight, axes.outAxis, axes.out);
  if (axes.inAxis !== null) slice(cx, weight, axes.inAxis, axes.in);
  trace.layers.push({
    node: cx.index,
    data,
    weight,
    unit,
    ...axes,
    outSize: dims[axes.outAxis]!,
    inSize: axes.inAxis === null ? 1 : dims[axes.inAxis]!,
  });
}

/** A bias vector: constant → sliced; computed → its producer is tied to the outputs. */
function bias(cx: RuleContext, input: number, axis: number, out: Labels | null): void {
  if (!cx.node.inputs[input]) return;
  const tensor = cx.constant(input);
  if (tensor) {
    if (tensor.dims[axis] !== 1 || out?.length === 1) slice(cx, input, axis, out);
    return;
  }
  const layout = inputLayout(cx, input);
  if (layout && layout.dims[axis] === 1) return;
  join(cx, out, layout?.labels[axis] ?? null, `${nodeText(cx.node)} adds a computed bias`);
}

function fixOtherAxes(cx: RuleContext, input: number, except: readonly number[]): void {
  inputLayout(cx, input)?.labels.forEach((labels, axis) => {
    if (!except.includes(axis)) fix(cx, labels, `${nodeText(cx.node)} needs this axis whole`);
  });
}

/** Conv: out and in channels free of each other; grouped: equal numbers per group; depthwise: out follows in. */
export function conv(cx: RuleContext): void {
  const weight = cx.constant(1);
  if (!weight) {
    fixInputs(cx, `${nodeText(cx.node)} ${COMPUTED}`);
    return;
  }
  fixOtherAxes(cx, 0, [1]);
  const [outSize, perGroup, ...kernel] = weight.dims as [number, number, ...number[]];
  const groups = attrInt(cx.node, 'group', 1);
  const input = inputLayout(cx, 0)?.labels[1] ?? null;
  const dims = outputDims(cx, 0, [null, outSize, ...kernel.map(() => null)]);
  const sizes = cx.sizes(cx.node.outputs[0]!);
  const unit = product(kernel) * product([sizes[0] ?? 1, ...sizes.slice(2)]);
  let out: Labels | null;
  if (groups > 1 && perGroup === 1) {
    const multiplier = outSize / groups;
    out = input && Int32Array.from({ length: outSize }, (_, o) => input[Math.floor(o / multiplier)]!);
    count(cx, { attribute: 'group' }, 0, input);
    addLayer(cx, 0, 1, unit, { dataAxis: 1, outAxis: 0, out, inAxis: null, in: null });
  } else {
    out = fresh(cx, outSize);
    if (groups > 1) tieGroups(cx, out, groups);
    const inner = input && (groups > 1 ? tieGroups(cx, input, groups) : input);
    addLayer(cx, 0, 1, unit, { dataAxis: 1, outAxis: 0, out, inAxis: 1, in: inner });
  }
  bias(cx, 2, 0, out);
  setOutput(cx, 0, dims, [null, out, ...kernel.map(() => null)]);
}

/** ConvTranspose: as Conv with the weight's first two axes exchanged. */
export function convTranspose(cx: RuleContext): void {
  const weight = cx.constant(1);
  if (!weight) {
    fixInputs(cx, `${nodeText(cx.node)} ${COMPUTED}`);
    return;
  }
  fixOtherAxes(cx, 0, [1]);
  const [inSize, perGroup, ...kernel] = weight.dims as [number, number, ...number[]];
  const groups = attrInt(cx.node, 'group', 1);
  const layout = inputLayout(cx, 0);
  const input = layout?.labels[1] ?? null;
  const dims = outputDims(cx, 0, [null, perGroup * groups, ...kernel.map(() => null)]);
  const sizes = cx.sizes(cx.node.inputs[0]!);
  const unit = product(kernel) * product([sizes[0] ?? 1, ...sizes.slice(2)]);
  let out: Labels | null;
  if (groups > 1 && groups === inSize) {
    out = input && Int32Array.from({ length: perGroup * groups }, (_, o) => input[Math.floor(o / perGroup)]!);
    count(cx, { attribute: 'group' }, 0, input);
    addLayer(cx, 0, 1, unit * perGroup, { dataAxis: 1, outAxis: 0, out: input, inAxis: null, in: null });
  } else {
    out = fresh(cx, perGroup * groups);
    const perGroupOut = groups > 1 ? tieGroups(cx, out, groups) : out;
    if (groups > 1 && input) tieGroups(cx, input, groups);
    addLayer(cx, 0, 1, unit, { dataAxis: 1, outAxis: 1, out: perGroupOut, inAxis: 0, in: input });
  }
  bias(cx, 2, 0, out);
  setOutput(cx, 0, dims, [null, out, ...kernel.map(() => null)]);
}

export function gemm(cx: RuleContext): void {
  const weight = cx.constant(1);
  const layout = inputLayout(cx, 0);
  if (!weight || !layout || cx.constant(0)) {
    fixInputs(cx, `${nodeText(cx.node)} ${COMPUTED}`);
    return;
  }
  const transA = attrInt(cx.node, 'transA', 0) !== 0;
  const [outAxis, inAxis] = attrInt(cx.node, 'transB', 0) !== 0 ? [0, 1] : [1, 0];
  const rows = layout.labels[transA ? 1 : 0] ?? null;
  const out = fresh(cx, weight.dims[outAxis]!);
  const batch = layout.dims[transA ? 1 : 0] ?? null;
  addLayer(cx, 0, 1, cx.sizes(cx.node.inputs[0]!)[transA ? 1 : 0] ?? 1, {
    dataAxis: transA ? 0 : 1,
    outAxis,
    out,
    inAxis,
    in: layout.labels[transA ? 0 : 1] ?? null,
  });
  fix(cx, rows, `${nodeText(cx.node)} needs this axis whole`);
  const biasRank = cx.constant(2)?.dims.length ?? inputLayout(cx, 2)?.dims.length ?? 0;
  if (biasRank > 0) bias(cx, 2, biasRank - 1, out);
  setOutput(cx, 0, outputDims(cx, 0, [batch, out.length]), [null, out]);
}

/** MatMul with one constant side contracts like a dense layer; with two computed sides channels can't be told apart. */
export function matMul(cx: RuleContext): void {
  const left = cx.constant(0);
  const weight = cx.constant(1) ?? left;
  const data = left ? 1 : 0;
  const layout = inputLayout(cx, data);
  if (!weight || !layout || weight.dims.length !== 2 || layout.dims.length < 2 || (left && cx.constant(1))) {
    fixInputs(cx, `${nodeText(cx.node)} multiplies two computed tensors`);
    return;
  }
  const rank = layout.dims.length;
  const contracted = left ? rank - 2 : rank - 1;
  const [outAxis, inAxis] = left ? [0, 1] : [1, 0];
  const out = fresh(cx, weight.dims[outAxis]!);
  const unit = product(cx.sizes(cx.node.inputs[data]!).filter((_, axis) => axis !== contracted));
  addLayer(cx, data, left ? 0 : 1, unit, { dataAxis: contracted, outAxis, out, inAxis, in: layout.labels[contracted] ?? null });
  const dims = layout.dims.map((dim, axis) => (axis === contracted ? out.length : dim));
  setOutput(
    cx,
    0,
    outputDims(cx, 0, dims),
    layout.labels.map((labels, axis) => (axis === contracted ? out : labels)),
  );
}
