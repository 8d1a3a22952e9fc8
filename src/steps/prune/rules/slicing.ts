/** Coupling rules of the operators that cut, stack and pick along an axis: channels keep their identity at an offset. */
import { attrInt, attrInts } from '../../../onnx';
import type { Labels } from '../space';
import {
  axisOf,
  constantInts,
  count,
  fix,
  fixInputs,
  fresh,
  inputLayout,
  join,
  nodeText,
  outputDims,
  type RuleContext,
  setOutput,
  slice,
} from '../trace';

function concatLabels(parts: readonly Labels[]): Labels {
  const whole = new Int32Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Concat: one after the other on its axis, united on the others. Constants take part with channels of their own. */
export function concat(cx: RuleContext): void {
  const { node } = cx;
  const operands = node.inputs.map((_, input) => ({ input, tensor: cx.constant(input), layout: inputLayout(cx, input) }));
  const rank = operands.find(({ layout }) => layout)?.layout?.dims.length;
  if (rank === undefined || operands.some(({ layout }) => layout?.dims.length !== rank)) {
    fixInputs(cx, `${nodeText(node)} meets a tensor of unknown rank`);
    return;
  }
  const along = axisOf(attrInt(node, 'axis', 1), rank);
  const reason = `${nodeText(node)} combines them with fixed channels`;
  const labels: (Labels | null)[] = [];
  for (let axis = 0; axis < rank; axis++) {
    if (axis === along) {
      labels.push(stack(cx, operands, axis));
      continue;
    }
    const computed = operands.filter(({ tensor }) => !tensor);
    const joined = computed
      .map(({ layout }) => layout!.labels[axis]!)
      .reduce<Labels | null | undefined>((a, b) => (a === undefined ? b : join(cx, a, b, reason)), undefined);
    for (const { input, tensor } of operands) if (tensor) slice(cx, input, axis, joined ?? null);
    labels.push(joined ?? null);
  }
  const dims = labels.map((own, axis) => own?.length ?? (axis === along ? null : operands[0]!.layout!.dims[axis]!));
  setOutput(cx, 0, outputDims(cx, 0, dims), labels);
}

interface Operand {
  readonly input: number;
  readonly tensor: ReturnType<RuleContext['constant']>;
  readonly layout: ReturnType<typeof inputLayout>;
}

function stack(cx: RuleContext, operands: readonly Operand[], axis: number): Labels | null {
  if (operands.every(({ layout }) => !layout!.labels[axis])) return null;
  const parts: Labels[] = [];
  for (const { input, tensor, layout } of operands) {
    const own = layout!.labels[axis];
    const length = layout!.dims[axis]!;
    if (own) parts.push(own);
    else if (length === null) {
      fixInputs(cx, `${nodeText(cx.node)} meets a tensor of unknown size`);
      return null;
    } else {
      const part = fresh(cx, length);
      if (tensor) slice(cx, input, axis, part);
      else fix(cx, part, 'they come straight from the input');
      parts.push(part);
    }
  }
  return concatLabels(parts);
}

/** Split: each output carries its stretch of the channels; the sizes follow. */
export function split(cx: RuleContext): void {
  const { node } = cx;
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const axis = axisOf(attrInt(node, 'axis', 0), layout.dims.length);
  const own = layout.labels[axis] ?? null;
  const written = node.inputs[1] ? constantInts(cx, 1) : attrInts(node, 'split');
  const length = own?.length ?? layout.dims[axis];
  if (own && node.inputs[1] && !written) fix(cx, own, `${nodeText(node)} has sizes that are computed in the graph`);
  const chunk = length === null || length === undefined ? 0 : Math.ceil(length / node.outputs.length);
  const parts: Labels[] = [];
  let offset = 0;
  node.outputs.forEach((_, output) => {
    const taken = written ? written[output]! : Math.min(chunk, (length ?? 0) - offset);
    const part = own && (written || !node.inputs[1]) ? own.subarray(offset, offset + taken) : null;
    if (part) parts.push(part);
    offset += taken;
    const labels = layout.labels.map((other, at) => (at === axis ? part : other));
    setOutput(
      cx,
      output,
      outputDims(
        cx,
        output,
        layout.dims.map((dim, at) => (at === axis ? taken : dim)),
      ),
      labels,
    );
  });
  if (own && parts.length === node.outputs.length) cx.trace.edits.push({ kind: 'split', node: cx.index, parts });
}

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function ranges(cx: RuleContext, rank: number): Range[] | null {
  const inputs = cx.opset >= 10;
  const starts = inputs ? constantInts(cx, 1) : attrInts(cx.node, 'starts');
  const ends = inputs ? constantInts(cx, 2) : attrInts(cx.node, 'ends');
  const axes = (inputs ? (cx.node.inputs[3] ? constantInts(cx, 3) : undefined) : attrInts(cx.node, 'axes')) ?? null;
  const steps = inputs && cx.node.inputs[4] ? constantInts(cx, 4) : undefined;
  if (!starts || !ends || (inputs && cx.node.inputs[3] && !axes) || (inputs && cx.node.inputs[4] && !steps)) return null;
  return starts.map((start, i) => ({ axis: axisOf(axes?.[i] ?? i, rank), start, end: ends[i]!, step: steps?.[i] ?? 1 }));
}

/** Slice: the picked stretch of channels; its start and end are counted anew. Strides over channels keep them whole. */
export function sliceRule(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const found = ranges(cx, layout.dims.length);
  if (!found) {
    fixInputs(cx, `${nodeText(cx.node)} has limits that are computed in the graph`);
    setOutput(
      cx,
      0,
      outputDims(
        cx,
        0,
        layout.dims.map(() => null),
      ),
      layout.dims.map(() => null),
    );
    return;
  }
  const at = (input: number, attribute: string): { input: number } | { attribute: string } => (cx.opset >= 10 ? { input } : { attribute });
  const labels = [...layout.labels];
  found.forEach(({ axis, start, end, step }, entry) => {
    const own = labels[axis];
    if (!own) return;
    const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + own.length : value, 0), own.length);
    if (step !== 1) {
      fix(cx, own, `${nodeText(cx.node)} strides over the channels`);
      labels[axis] = null;
      return;
    }
    labels[axis] = own.subarray(clamp(start), Math.max(clamp(start), clamp(end)));
    count(cx, at(1, 'starts'), entry, own.subarray(0, clamp(start)));
    count(cx, at(2, 'ends'), entry, own.subarray(0, Math.max(clamp(start), clamp(end))));
  });
  setOutput(
    cx,
    0,
    outputDims(
      cx,
      0,
      labels.map((own, axis) => own?.length ?? layout.dims[axis]!),
    ),
    labels,
  );
}

/** Gather by constant indices picks and reorders channels (and renumbers them); other axes pass. */
export function gather(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const axis = axisOf(attrInt(cx.node, 'axis', 0), layout.dims.length);
  const own = layout.labels[axis] ?? null;
  const indices = cx.constant(1);
  const picked = constantInts(cx, 1);
  const rank = indices?.dims.length ?? inputLayout(cx, 1)?.dims.length;
  if (rank === undefined) {
    fixInputs(cx, `${nodeText(cx.node)} picks by numbers of unknown shape`);
    return;
  }
  let middle: (Labels | null)[] = Array.from({ length: rank }, () => null);
  if (own && picked && rank === 1) {
    const labels = Int32Array.from(picked, (value) => own[axisOf(value, own.length)]!);
    middle = [labels];
    cx.trace.edits.push({ kind: 'indices', node: cx.index, input: 1, labels: own });
  } else fix(cx, own, `${nodeText(cx.node)} picks single channels`);
  const labels = [...layout.labels.slice(0, axis), ...middle, ...layout.labels.slice(axis + 1)];
  setOutput(
    cx,
    0,
    outputDims(
      cx,
      0,
      labels.map((each) => each?.length ?? null),
    ),
    labels,
  );
}

/** Pad: padded channels are channels of their own, and the amounts follow; reflections over channels keep them whole. */
export function pad(cx: RuleContext): void {
  const layout = inputLayout(cx, 0);
  if (!layout) return;
  const inputs = cx.opset >= 11;
  const amounts = inputs ? constantInts(cx, 1) : attrInts(cx.node, 'pads');
  if (!amounts || (inputs && cx.node.inputs[3])) {
    fixInputs(cx, `${nodeText(cx.node)} pads by numbers that are computed in the graph`);
    return;
  }
  const rank = layout.dims.length;
  const mode = cx.node.attributes.mode;
  const constantMode = mode?.type !== 'string' || mode.value === 'constant';
  const at = inputs ? { input: 1 } : { attribute: 'pads' };
  const labels = layout.labels.map((own, axis) => {
    const [before, after] = [amounts[axis]!, amounts[axis + rank]!];
    if (!own || (before === 0 && after === 0)) return own;
    if (!constantMode || before < 0 || after < 0) {
      fix(cx, own, `${nodeText(cx.node)} pads this axis`);
      return null;
    }
    const parts = [fresh(cx, before), own, fresh(cx, after)] as const;
    count(cx, at, axis, parts[0]);
    count(cx, at, axis + rank, parts[2]);
    return concatLabels(parts);
  });
  setOutput(
    cx,
    0,
    outputDims(
      cx,
      0,
      labels.map((own, axis) => own?.length ?? layout.dims[axis]!),
    ),
    labels,
  );
}
