/** Coupling rules of the operators that keep every channel apart: what goes in at a channel comes out at that channel. */
import { attrInt, attrInts } from '../../../onnx';
import type { Labels } from '../space';
import {
  axisOf,
  constantInts,
  fix,
  fixInputs,
  inputLayout,
  join,
  nodeText,
  outputDims,
  type RuleContext,
  setOutput,
  setOutputs,
  slice,
} from '../trace';

/** Same shape, same channels: activations, casts, clips (bounds are scalars), dropout. */
export function same(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (layout) setOutputs(cx, layout.dims, layout.labels);
}

/** Nothing that carries channels comes in or goes out. */
export function source(): void {}

/** Reads or mixes its inputs in a way that depends on every channel. */
export function barrier(cx: RuleContext): void {
  fixInputs(cx, `${nodeText(cx.node)} needs every channel`);
}

/** Multidirectional broadcasting: channels that meet on an axis are united; constants are sliced along. */
export function broadcast(cx: RuleContext): void {
  const operands = cx.node.inputs.map((name, input) => ({
    input,
    tensor: name ? cx.constant(input) : undefined,
    layout: inputLayout(cx, input),
  }));
  const computed = operands.filter(({ tensor, layout }) => !tensor && layout);
  if (operands.some(({ input, tensor, layout }) => cx.node.inputs[input] && !tensor && !layout)) {
    fixInputs(cx, `${nodeText(cx.node)} meets a tensor of unknown rank`);
    return;
  }
  const ranks = operands.map(({ tensor, layout }) => tensor?.dims.length ?? layout?.dims.length ?? 0);
  const rank = Math.max(0, ...ranks);
  const reason = `${nodeText(cx.node)} combines them with fixed channels`;
  const dims: (number | null)[] = [];
  const labels: (Labels | null)[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let joined: Labels | null | undefined;
    let size: number | null = 1;
    for (const { layout } of computed) {
      const at = axis - rank + layout!.dims.length;
      const own = at < 0 ? 1 : layout!.dims[at]!;
      if (own === 1) continue;
      size = own ?? size;
      joined = joined === undefined ? layout!.labels[at]! : join(cx, joined, layout!.labels[at]!, reason);
    }
    for (const { input, tensor } of operands) {
      const at = axis - rank + (tensor?.dims.length ?? 0);
      if (!tensor || at < 0 || tensor.dims[at] === 1) continue;
      size = tensor.dims[at]!;
      slice(cx, input, at, joined ?? null);
    }
    dims.push(size);
    labels.push(joined ?? null);
  }
  setOutput(cx, 0, outputDims(cx, 0, dims), labels);
}

/** Vectors of one number per channel (axis 1) beside the data: BatchNormalization, InstanceNormalization. */
export function perChannel(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const labels = layout.labels[1] ?? null;
  for (let input = 1; input < cx.node.inputs.length; input++) {
    if (!cx.node.inputs[input]) continue;
    if (cx.constant(input)) slice(cx, input, 0, labels);
    else fix(cx, labels, `${nodeText(cx.node)} takes parameters that are computed in the graph`);
  }
  setOutput(cx, 0, layout.dims, layout.labels);
}

/** QuantizeLinear and DequantizeLinear: a scale and a zero point, whole or one per index of `axis`. */
export function scaled(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const labels = layout.labels[axisOf(attrInt(cx.node, 'axis', 1), layout.dims.length)] ?? null;
  for (const input of [1, 2]) {
    const tensor = cx.constant(input);
    if (tensor && tensor.dims.length === 1 && tensor.dims[0] !== 1) slice(cx, input, 0, labels);
    else if (!tensor && cx.node.inputs[input]) fix(cx, labels, `${nodeText(cx.node)} takes a scale that is computed in the graph`);
  }
  setOutput(cx, 0, layout.dims, layout.labels);
}

/** Works inside each channel of axis 1: pooling, global pooling. Labels on spatial axes would break it. */
export function spatial(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const labels = layout.labels.map((own, axis) => {
    if (axis < 2) return own;
    fix(cx, own, `${nodeText(cx.node)} runs over this axis`);
    return null;
  });
  const dims = layout.dims.map((dim, axis) => (axis < 2 ? dim : null));
  setOutputs(cx, dims, labels);
}

/** Same shape, but the result depends on the whole of some axes: those stay as they are. */
function wholeAxes(cx: RuleContext, whole: (axis: number, rank: number) => boolean): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const labels = layout.labels.map((own, axis) => {
    if (!whole(axis, layout.dims.length)) return own;
    fix(cx, own, `${nodeText(cx.node)} runs over all channels`);
    return null;
  });
  setOutputs(cx, layout.dims, labels);
}

/** Softmax family: before opset 13 over every axis from `axis` on, since then over `axis` alone. */
export function softmax(cx: RuleContext): void {
  const flat = cx.opset < 13;
  wholeAxes(cx, (axis, rank) => {
    const first = axisOf(attrInt(cx.node, 'axis', flat ? 1 : -1), rank);
    return flat ? axis >= first : axis === first;
  });
}

/** LayerNormalization and kin: every axis from `axis` on. */
export function trailing(cx: RuleContext): void {
  wholeAxes(cx, (axis, rank) => axis >= axisOf(attrInt(cx.node, 'axis', -1), rank));
}

/** Statistics across channels (LRN, GroupNormalization). */
export function acrossChannels(cx: RuleContext): void {
  wholeAxes(cx, (axis) => axis === 1);
}

/** One axis is ordered or normalised as a whole, its shape may change: TopK, LpNormalization. */
export function wholeAxis(cx: RuleContext): void {
  wholeAxes(cx, (axis, rank) => axis === axisOf(attrInt(cx.node, 'axis', -1), rank));
}

/** Some axes vanish or shrink to 1: Reduce*, ArgMax, ArgMin. A reduced channel axis stays as it is. */
export function reduce(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const rank = layout.dims.length;
  const single = cx.node.attributes.axis;
  const given = cx.node.inputs[1]
    ? constantInts(cx, 1)
    : (attrInts(cx.node, 'axes') ?? (single?.type === 'int' ? [single.value] : cx.node.op.startsWith('Arg') ? [0] : []));
  if (!given) {
    fixInputs(cx, `${nodeText(cx.node)} reduces axes that are computed in the graph`);
    return;
  }
  const nothing = given.length === 0 && attrInt(cx.node, 'noop_with_empty_axes', 0) !== 0;
  const all = given.length === 0 && !nothing;
  const axes = new Set(given.map((axis) => axisOf(axis, rank)));
  const keep = attrInt(cx.node, 'keepdims', 1) !== 0;
  const dims: (number | null)[] = [];
  const labels: (Labels | null)[] = [];
  layout.dims.forEach((dim, axis) => {
    if (!all && !axes.has(axis)) {
      dims.push(dim);
      labels.push(layout.labels[axis]!);
      return;
    }
    fix(cx, layout.labels[axis], `${nodeText(cx.node)} reduces over all channels`);
    if (!keep) return;
    dims.push(1);
    labels.push(null);
  });
  setOutput(cx, 0, outputDims(cx, 0, dims), labels);
}

/** The shape itself becomes a value. */
export function readsShape(cx: RuleContext): void {
  fixInputs(cx, `${nodeText(cx.node)} reads the shape`);
}
