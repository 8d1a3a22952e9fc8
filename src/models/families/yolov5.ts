/**
 * YOLOv5 and v7 exports: [1, N, 5+C] with three anchors per cell, decoded in the graph: centre, size (pixels, or 0…1 in
 * the 'normalized' variant), objectness, classes. Further outputs (the undecoded maps) are ignored.
 */
import type { Model } from '../../onnx';
import { type Columns, collector, looksLikeProbability, outputData, rangeOf, scoring } from '../collect';
import { dimsOf, lastConvs, viewGraph } from '../graph-walk';
import { cellCount, solveLevels } from '../levels';
import { classNamesFor } from '../names';
import type { DecodeInput, DetectorSpec, Family, Preprocess } from '../types';
import { yoloxPreprocess } from './yolox';

/** Ultralytics' convention: RGB 0–1, centred in a grey border. */
export function ultralyticsPreprocess(model: Model): Preprocess | null {
  const p = yoloxPreprocess(model);
  return p && { ...p, channels: 'rgb', resize: 'letterbox-center', std: [255, 255, 255] };
}

const ANCHORS = 3;

function columns(s: DetectorSpec, outputs: DecodeInput): { all: Columns; cells: number } {
  const k = 5 + s.numClasses;
  const cells = cellCount(s.levels) * ANCHORS;
  return { all: { data: outputData(outputs, s.outputs[0]!, cells * k), offset: 0, cellStep: k, channelStep: 1 }, cells };
}

export const yolov5: Family = {
  id: 'yolov5',
  label: 'YOLOv5/v7',

  match(model) {
    const p = ultralyticsPreprocess(model);
    if (!p) return null;
    const view = viewGraph(model);
    for (const { name } of model.graph.outputs) {
      const dims = dimsOf(view, name);
      const [n, k] = [dims?.[1], dims?.[2]];
      const levels = dims?.length === 3 && n && k && k >= 6 ? solveLevels(n, ANCHORS, p.width, p.height) : null;
      if (!levels || !k) continue;
      const convs = lastConvs(view, [name]);
      if (!convs.every((conv) => conv.channels === ANCHORS * k)) continue;
      return {
        family: 'yolov5',
        variant: 'decoded',
        input: model.graph.inputs[0]!.name,
        outputs: [name],
        preprocess: p,
        numClasses: k - 5,
        classNames: classNamesFor(model, k - 5),
        levels,
        sigmoidApplied: true,
        endNodes: [],
        protectedNodes: convs.map((conv) => conv.node.name),
      };
    }
    return null;
  },

  decode(s, outputs, scoreThreshold) {
    const { all, cells } = columns(s, outputs);
    const classes = { ...all, offset: 5 };
    const [sx, sy] = s.variant === 'normalized' ? [s.preprocess.width, s.preprocess.height] : [1, 1];
    const scores = scoring(s.sigmoidApplied, scoreThreshold);
    const found = collector(s.numClasses, scores);
    for (let i = 0, o = 0; i < cells; i++, o += all.cellStep) {
      const objectness = all.data[o + 4]!;
      if (!(objectness >= scores.floor)) continue;
      const w = all.data[o + 2]! * sx;
      const h = all.data[o + 3]! * sy;
      found.add(all.data[o]! * sx - w / 2, all.data[o + 1]! * sy - h / 2, w, h, scores.probability(objectness), classes, i);
    }
    return found.done();
  },

  refine(s, outputs) {
    const { all, cells } = columns(s, outputs);
    const sigmoidApplied = looksLikeProbability(rangeOf(all, cells, 4, 5 + s.numClasses));
    const variant = rangeOf(all, cells, 0, 2).max <= 2 ? 'normalized' : 'decoded';
    return { ...s, sigmoidApplied, variant };
  },
};
