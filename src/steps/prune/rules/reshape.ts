/** Coupling through a change of shape: row-major elements keep their order, so channels can be followed through it. */
import { type Labels, unite } from '../space';
import { constantInts, count, fix, fixInputs, inputLayout, type Layout, nodeText, type RuleContext, setOutput } from '../trace';

interface Segment {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
}

/** Shortest runs of axes whose sizes multiply to the same number on both sides; null when sizes are unknown. */
function segments(from: readonly (number | null)[], to: readonly (number | null)[]): Segment[] | null {
  const result: Segment[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const ins: number[] = [];
    const outs: number[] = [];
    if (i < from.length && j < to.length && from[i] === null && to[j] === null) {
      result.push({ ins: [i++], outs: [j++] });
      continue;
    }
    let a = 1;
    let b = 1;
    if (i < from.length) {
      a *= from[i] ?? Number.NaN;
      ins.push(i++);
    }
    if (j < to.length) {
      b *= to[j] ?? Number.NaN;
      outs.push(j++);
    }
    while (a !== b) {
      if (Number.isNaN(a) || Number.isNaN(b)) return null;
      if (a < b && i < from.length) {
        a *= from[i] ?? Number.NaN;
        ins.push(i++);
      } else if (b < a && j < to.length) {
        b *= to[j] ?? Number.NaN;
        outs.push(j++);
      } else return null;
    }
    result.push({ ins, outs });
  }
  return result;
}

const size = (dims: readonly (number | null)[], axes: readonly number[]): number => axes.reduce((total, axis) => total * dims[axis]!, 1);

/**
 * Labels of the result when elements are regrouped. Where one labelled axis splits into several, the largest new axis
 * carries the channels and those that share an index on it are united (ShuffleNet: 116 → 2 × 58 ties i and i + 58).
 */
export function reshapeLabels(cx: RuleContext, layout: Layout, to: readonly (number | null)[]): (Labels | null)[] {
  const labels: (Labels | null)[] = to.map(() => null);
  const reason = `${nodeText(cx.node)} mixes them into another shape`;
  const parts = segments(layout.dims, to);
  if (!parts) {
    for (const own of layout.labels) fix(cx, own, reason);
    return labels;
  }
  for (const { ins, outs } of parts) {
    const labelled = ins.filter((axis) => layout.labels[axis]);
    const [axis] = labelled;
    if (axis === undefined) continue;
    const own = layout.labels[axis]!;
    const solid = outs.filter((out) => to[out] !== 1);
    if (labelled.length > 1 || solid.length === 0) {
      for (const other of labelled) fix(cx, layout.labels[other], reason);
      continue;
    }
    const carrier = solid.reduce((best, out) => (to[out]! >= to[best]! ? out : best));
    const inner = size(layout.dims, ins.slice(ins.indexOf(axis) + 1));
    const outInner = size(to, outs.slice(outs.indexOf(carrier) + 1));
    const carried = new Int32Array(to[carrier]!).fill(-1);
    const elements = size(layout.dims, ins);
    for (let e = 0; e < elements; e++) {
      const atom = own[Math.floor(e / inner) % own.length]!;
      const at = Math.floor(e / outInner) % carried.length;
      if (carried[at] === -1) carried[at] = atom;
      else unite(cx.trace.space, carried[at]!, atom);
    }
    labels[carrier] = carried;
  }
  return labels;
}

/** Reshape: a constant target is rewritten where it names a channel count; a computed one keeps the channels. */
export function reshape(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const to = cx.dims(cx.node.outputs[0]!);
  const attribute = cx.node.attributes.shape;
  const target = cx.node.inputs[1] ? constantInts(cx, 1) : attribute?.type === 'ints' ? [...attribute.value] : undefined;
  if (!layout || !to || !target) {
    fixInputs(cx, `${nodeText(cx.node)} has a target shape that is computed in the graph`);
    if (to)
      setOutput(
        cx,
        0,
        to,
        to.map(() => null),
      );
    return;
  }
  const labels = reshapeLabels(cx, layout, to);
  const at = cx.node.inputs[1] ? { input: 1 } : { attribute: 'shape' };
  target.forEach((entry, axis) => {
    if (labels[axis]) {
      if (entry !== -1) count(cx, at, axis, labels[axis]!);
    } else if (entry === 0) fix(cx, layout.labels[axis], `${nodeText(cx.node)} copies this size`);
  });
  setOutput(cx, 0, to, labels);
}

/** Flatten, Squeeze, Unsqueeze: the shape follows from the input by itself. */
export function regroup(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const to = cx.dims(cx.node.outputs[0]!);
  if (!layout || !to) {
    fixInputs(cx, `${nodeText(cx.node)} has a shape that is unknown`);
    return;
  }
  setOutput(cx, 0, to, reshapeLabels(cx, layout, to));
}

/** DepthToSpace (DCR: blocks outside; CRD: blocks inside) and SpaceToDepth, as Reshape–Transpose–Reshape would. */
export function blocks(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const to = cx.dims(cx.node.outputs[0]!);
  const block = cx.node.attributes.blocksize;
  if (!layout || !to || block?.type !== 'int') {
    fixInputs(cx, `${nodeText(cx.node)} has a shape that is unknown`);
    return;
  }
  const own = layout.labels[1] ?? null;
  const area = block.value ** 2;
  for (const axis of [0, 2, 3]) fix(cx, layout.labels[axis], `${nodeText(cx.node)} needs this axis whole`);
  let out: Labels | null = null;
  if (own && cx.node.op === 'SpaceToDepth') out = Int32Array.from({ length: own.length * area }, (_, i) => own[i % own.length]!);
  else if (own) {
    const mode = cx.node.attributes.mode;
    const channels = own.length / area;
    const crd = mode?.type === 'string' && mode.value === 'CRD';
    const at = (channel: number, k: number): number => own[crd ? channel * area + k : k * channels + channel]!;
    out = Int32Array.from({ length: channels }, (_, channel) => at(channel, 0));
    for (let channel = 0; channel < channels; channel++)
      for (let k = 1; k < area; k++) unite(cx.trace.space, at(channel, 0), at(channel, k));
  }
  setOutput(cx, 0, to, [null, out, null, null]);
}

/** Expand: axes that keep their size keep their channels; the target shape names their new count. */
export function expand(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const target = constantInts(cx, 1);
  const to = cx.dims(cx.node.outputs[0]!);
  if (!layout || !target || !to) {
    fixInputs(cx, `${nodeText(cx.node)} has a target shape that is computed in the graph`);
    return;
  }
  const labels = to.map((dim, axis) => {
    const at = axis - to.length + layout.dims.length;
    const own = at < 0 ? null : (layout.labels[at] ?? null);
    if (!own || (own.length === 1 && dim !== 1)) return null;
    const entry = axis - to.length + target.length;
    if (entry >= 0 && target[entry] !== 1) count(cx, { input: 1 }, entry, own);
    return own;
  });
  setOutput(cx, 0, to, labels);
}

/** Tile: a repeated channel axis repeats its channels. */
export function tile(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const repeats = constantInts(cx, 1);
  if (!layout || !repeats) {
    fixInputs(cx, `${nodeText(cx.node)} repeats by numbers that are computed in the graph`);
    return;
  }
  const labels = layout.labels.map(
    (own, axis) => own && Int32Array.from({ length: own.length * repeats[axis]! }, (_, i) => own[i % own.length]!),
  );
  setOutput(
    cx,
    0,
    layout.dims.map((dim, axis) => dim && dim * repeats[axis]!),
    labels,
  );
}

export function transpose(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const attribute = cx.node.attributes.perm;
  const perm = attribute?.type === 'ints' ? attribute.value : layout.dims.map((_, axis) => layout.dims.length - 1 - axis);
  setOutput(
    cx,
    0,
    perm.map((axis) => layout.dims[axis]!),
    perm.map((axis) => layout.labels[axis]!),
  );
}

/** Resize and Upsample: channels pass when their axis isn't scaled; a constant target size names their count. */
export function resize(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  const to = cx.dims(cx.node.outputs[0]!);
  if (!layout) return;
  const sizes = cx.node.op === 'Resize' ? 3 : -1;
  const hasSizes = sizes > 0 && Boolean(cx.node.inputs[sizes]);
  const target = hasSizes ? constantInts(cx, sizes) : undefined;
  const axesAttribute = cx.node.attributes.axes;
  const axes = axesAttribute?.type === 'ints' ? axesAttribute.value : layout.dims.map((_, axis) => axis);
  const labels = layout.labels.map((own, axis) => {
    if (!own) return null;
    const entry = axes.indexOf(axis);
    const known = to?.[axis] ?? null;
    const unscaled = entry < 0 || (target ? target[entry] === own.length : !hasSizes && (axis < 2 || known === own.length));
    if (!unscaled || (known !== null && known !== own.length) || axis >= 2) {
      fix(cx, own, `${nodeText(cx.node)} scales this axis`);
      return null;
    }
    if (target && entry >= 0) count(cx, { input: sizes }, entry, own);
    return own;
  });
  setOutput(cx, 0, to ?? layout.dims.map((dim, axis) => (axis < 2 ? dim : null)), labels);
}
