/**
 * YOLOv8, v9 and 11 exports: one output [1, 4+C, N] (or its transpose, variant 'rows'): centre and size in pixels (0…1 in
 * the '…-normalized' variants), class scores, no objectness.
 */
import { type Columns, collector, looksLikeProbability, outputData, rangeOf, scoring, topClass } from '../collect';
import { dimsOf, type GraphView, type HeadConv, lastConvs, tailHas, viewGraph } from '../graph-walk';
import { cellCount, levelOfMap, solveLevels } from '../levels';
import { classNamesFor } from '../names';
import type { DecodeInput, DetectorSpec, EndNodes, Family, Preprocess } from '../types';
import { ultralyticsPreprocess } from './yolov5';

const SIGMOID = new Set(['Sigmoid', 'QLinearSigmoid']);
const BOX_CHANNELS = 64;

/** Per level the box distribution (64 channels) and the class convolution; empty when the head isn't built so. */
function endNodesOf(convs: readonly HeadConv[], numClasses: number, p: Preprocess): readonly EndNodes[] {
  const levels = new Map<number, { reg?: string; cls?: string }>();
  for (const conv of convs) {
    const level = conv.rows && conv.cols ? levelOfMap(conv.rows, conv.cols, p.width, p.height) : null;
    if (!level) return [];
    const pair = levels.get(level.stride) ?? {};
    // With 64 classes both convolutions look alike: the graph joins the box first.
    if (conv.channels === BOX_CHANNELS && pair.reg === undefined) pair.reg = conv.node.name;
    else if (conv.channels === numClasses && pair.cls === undefined) pair.cls = conv.node.name;
    else return [];
    levels.set(level.stride, pair);
  }
  const complete = [...levels].flatMap(([stride, { reg, cls }]) => (reg && cls ? [{ stride, reg, obj: null, cls }] : []));
  return complete.length === levels.size ? complete.sort((a, b) => a.stride - b.stride) : [];
}

/** How N and 4+C lie in the output; null when it isn't this family's. */
function layoutOf(view: GraphView, name: string, p: Preprocess): { n: number; k: number; variant: string } | null {
  const dims = dimsOf(view, name);
  if (dims?.length !== 3 || !dims[1] || !dims[2]) return null;
  if (dims[1] >= 5 && solveLevels(dims[2], 1, p.width, p.height)) return { n: dims[2], k: dims[1], variant: 'columns' };
  if (dims[2] >= 5 && solveLevels(dims[1], 1, p.width, p.height)) return { n: dims[1], k: dims[2], variant: 'rows' };
  return null;
}

function columns(s: DetectorSpec, outputs: DecodeInput): { all: Columns; cells: number } {
  const k = 4 + s.numClasses;
  const cells = cellCount(s.levels);
  const data = outputData(outputs, s.outputs[0]!, cells * k);
  const rows = s.variant.startsWith('rows');
  return { all: { data, offset: 0, cellStep: rows ? k : 1, channelStep: rows ? 1 : cells }, cells };
}

export const yolov8: Family = {
  id: 'yolov8',
  label: 'YOLOv8/11',

  match(model) {
    const p = ultralyticsPreprocess(model);
    if (!p || model.graph.outputs.length !== 1) return null;
    const name = model.graph.outputs[0]!.name;
    const view = viewGraph(model);
    const layout = layoutOf(view, name, p);
    if (!layout) return null;
    const numClasses = layout.k - 4;
    const convs = lastConvs(view, [name]);
    const endNodes = endNodesOf(convs, numClasses, p);
    // A transposed output has the form of YOLOX: only the head's convolutions tell it apart.
    if (layout.variant === 'rows' && endNodes.length === 0) return null;
    return {
      family: 'yolov8',
      variant: layout.variant,
      input: model.graph.inputs[0]!.name,
      outputs: [name],
      preprocess: p,
      numClasses,
      classNames: classNamesFor(model, numClasses),
      levels: solveLevels(layout.n, 1, p.width, p.height)!,
      sigmoidApplied: tailHas(view, name, SIGMOID),
      endNodes,
      protectedNodes: convs.map((conv) => conv.node.name),
    };
  },

  decode(s, outputs, scoreThreshold) {
    const { all, cells } = columns(s, outputs);
    const classes = { ...all, offset: 4 * all.channelStep };
    const [sx, sy] = s.variant.endsWith('normalized') ? [s.preprocess.width, s.preprocess.height] : [1, 1];
    const scores = scoring(s.sigmoidApplied, scoreThreshold);
    const found = collector(s.numClasses, scores);
    for (let i = 0; i < cells; i++) {
      if (!(topClass(classes, i, s.numClasses) >= scores.floor)) continue;
      const at = (c: number) => all.data[i * all.cellStep + c * all.channelStep]!;
      const w = at(2) * sx;
      const h = at(3) * sy;
      found.add(at(0) * sx - w / 2, at(1) * sy - h / 2, w, h, 1, classes, i);
    }
    return found.done();
  },

  refine(s, outputs) {
    const { all, cells } = columns(s, outputs);
    const sigmoidApplied = looksLikeProbability(rangeOf(all, cells, 4, 4 + s.numClasses));
    const layout = s.variant.split('-')[0]!;
    return { ...s, sigmoidApplied, variant: rangeOf(all, cells, 0, 2).max <= 2 ? `${layout}-normalized` : layout };
  },
};
