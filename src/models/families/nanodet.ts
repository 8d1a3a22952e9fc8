/**
 * NanoDet: per cell the class scores and four distributions over B bins, whose means times the stride are the distances
 * to left, top, right, bottom. Variants: 'pairs' [1, n, C] and [1, n, 4·B] per level (v1), 'joined' [1, N, C + 4·B] (Plus,
 * four levels).
 */
import type { Model } from '../../onnx';
import { type Columns, collector, looksLikeProbability, outputData, rangeOf, scoring, topClass } from '../collect';
import { dimsOf, type GraphView, lastConvs, tailHas, viewGraph } from '../graph-walk';
import { cellCount, gridOf, solveLevels } from '../levels';
import { classNamesFor } from '../names';
import type { DecodeInput, DetectorSpec, Family, HeadLevel, Preprocess } from '../types';
import { yoloxPreprocess } from './yolox';

const SIGMOID = new Set(['Sigmoid', 'QLinearSigmoid']);
const BINS = 8;
const BOX_CHANNELS = 4 * BINS;

/** BGR with ImageNet's mean and std, letterboxed. */
function nanodetPreprocess(model: Model): Preprocess | null {
  const p = yoloxPreprocess(model);
  return p && { ...p, resize: 'letterbox-center', pad: 0, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] };
}

interface Head {
  readonly variant: 'pairs' | 'joined';
  /** classes, boxes per level; or the one output. */
  readonly outputs: readonly string[];
  readonly numClasses: number;
  readonly levels: readonly HeadLevel[];
}

interface Map2 {
  readonly name: string;
  readonly cells: number;
  readonly channels: number;
}

function matchPairs(view: GraphView, maps: readonly Map2[], p: Preprocess): Head | null {
  if (maps.length < 4 || maps.length % 2 !== 0) return null;
  const levels: HeadLevel[] = [];
  const outputs: string[] = [];
  let numClasses = 0;
  for (const stride of [8, 16, 32, 64]) {
    const level = gridOf(stride, p.width, p.height);
    const pair = maps.filter((map) => map.cells === level.rows * level.cols);
    if (pair.length === 0) continue;
    if (pair.length !== 2) return null;
    // The boxes are logits over bins: 32 channels, never a sigmoid.
    const boxes =
      pair.find((map) => map.channels === BOX_CHANNELS && !tailHas(view, map.name, SIGMOID)) ??
      pair.find((map) => map.channels === BOX_CHANNELS);
    const classes = pair.find((map) => map !== boxes)!;
    if (!boxes || (numClasses !== 0 && classes.channels !== numClasses)) return null;
    numClasses = classes.channels;
    levels.push(level);
    outputs.push(classes.name, boxes.name);
  }
  return outputs.length === maps.length ? { variant: 'pairs', outputs, numClasses, levels } : null;
}

function matchJoined(view: GraphView, maps: readonly Map2[], p: Preprocess): Head | null {
  const [map] = maps;
  if (maps.length !== 1 || !map || map.channels <= BOX_CHANNELS) return null;
  const levels = solveLevels(map.cells, 1, p.width, p.height);
  const convs = lastConvs(view, [map.name]);
  if (levels?.length !== 4 || !convs.every((conv) => conv.channels === map.channels)) return null;
  return { variant: 'joined', outputs: [map.name], numClasses: map.channels - BOX_CHANNELS, levels };
}

interface LevelView {
  readonly level: HeadLevel;
  readonly cls: Columns;
  readonly reg: Columns;
}

function levelViews(s: DetectorSpec, outputs: DecodeInput): readonly LevelView[] {
  if (s.variant === 'joined') {
    const k = s.numClasses + BOX_CHANNELS;
    const data = outputData(outputs, s.outputs[0]!, cellCount(s.levels) * k);
    let offset = 0;
    return s.levels.map((level) => {
      const cls = { data, offset, cellStep: k, channelStep: 1 };
      offset += level.rows * level.cols * k;
      return { level, cls, reg: { ...cls, offset: cls.offset + s.numClasses } };
    });
  }
  return s.levels.map((level, i) => {
    const area = level.rows * level.cols;
    const rows = (name: string, channels: number): Columns => ({
      data: outputData(outputs, name, area * channels),
      offset: 0,
      cellStep: channels,
      channelStep: 1,
    });
    return { level, cls: rows(s.outputs[2 * i]!, s.numClasses), reg: rows(s.outputs[2 * i + 1]!, BOX_CHANNELS) };
  });
}

/** Mean of the distribution that `BINS` logits from `at` describe. */
function expectation(data: ArrayLike<number>, at: number): number {
  let top = data[at]!;
  for (let b = 1; b < BINS; b++) top = Math.max(top, data[at + b]!);
  let sum = 0;
  let weighted = 0;
  for (let b = 0; b < BINS; b++) {
    const e = Math.exp(data[at + b]! - top);
    sum += e;
    weighted += b * e;
  }
  return weighted / sum;
}

export const nanodet: Family = {
  id: 'nanodet',
  label: 'NanoDet',

  match(model) {
    const p = nanodetPreprocess(model);
    if (!p) return null;
    const view = viewGraph(model);
    const maps: Map2[] = [];
    for (const { name } of model.graph.outputs) {
      const dims = dimsOf(view, name);
      if (dims?.length !== 3 || !dims[1] || !dims[2]) return null;
      maps.push({ name, cells: dims[1], channels: dims[2] });
    }
    const head = matchPairs(view, maps, p) ?? matchJoined(view, maps, p);
    if (!head) return null;
    return {
      family: 'nanodet',
      ...head,
      input: model.graph.inputs[0]!.name,
      preprocess: p,
      classNames: classNamesFor(model, head.numClasses),
      sigmoidApplied: tailHas(view, head.outputs[0]!, SIGMOID),
      endNodes: [],
      protectedNodes: lastConvs(view, head.outputs).map((conv) => conv.node.name),
    };
  },

  decode(s, outputs, scoreThreshold) {
    const scores = scoring(s.sigmoidApplied, scoreThreshold);
    const found = collector(s.numClasses, scores);
    // NanoDet v1 puts a cell's point at its middle, Plus at its corner.
    const shift = s.variant === 'joined' ? 0 : 0.5;
    for (const { level, cls, reg } of levelViews(s, outputs)) {
      const { stride, cols } = level;
      for (let i = 0; i < level.rows * cols; i++) {
        if (!(topClass(cls, i, s.numClasses) >= scores.floor)) continue;
        const at = reg.offset + i * reg.cellStep;
        const x = ((i % cols) + shift) * stride;
        const y = (Math.floor(i / cols) + shift) * stride;
        const [l, t, r, b] = [0, 1, 2, 3].map((side) => expectation(reg.data, at + side * BINS) * stride) as [
          number,
          number,
          number,
          number,
        ];
        found.add(x - l, y - t, l + r, t + b, 1, cls, i);
      }
    }
    return found.done();
  },

  refine(s, outputs) {
    const views = levelViews(s, outputs);
    const sigmoidApplied = views.every((v) => looksLikeProbability(rangeOf(v.cls, v.level.rows * v.level.cols, 0, s.numClasses)));
    return { ...s, sigmoidApplied };
  },
};
