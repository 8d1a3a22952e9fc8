/**
 * YOLOX (Ge et al. 2021): one anchor per cell, box as xy = (raw + cell) · stride, wh = exp(raw) · stride, score =
 * objectness · class. Variants: 'raw' [1, N, 5+C] undecoded, 'decoded' [1, N, 5+C] in pixels, 'levels' one [1, 5+C, h, w]
 * map per stride, 'cut' three maps per stride (box, objectness, classes).
 */
import type { Model } from '../../onnx';
import { type Columns, collector, looksLikeProbability, outputData, rangeOf, scoring, sizeExp } from '../collect';
import { dimsOf, type GraphView, type HeadConv, lastConvs, tailHas, viewGraph } from '../graph-walk';
import { cellCount, levelOfMap, solveLevels } from '../levels';
import { classNamesFor, metadataNames } from '../names';
import { imageInput } from '../presets';
import type { DecodeInput, DetectorSpec, EndNodes, Family, HeadLevel, Preprocess } from '../types';

/** Official exports: BGR 0–255, image at the top left, grey border. */
export function yoloxPreprocess(model: Model): Preprocess | null {
  const input = imageInput(model);
  if (input?.channels !== 3 || input.width === null || input.height === null) return null;
  return {
    width: input.width,
    height: input.height,
    layout: input.layout,
    channels: 'bgr',
    resize: 'letterbox-corner',
    pad: 114,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    dtype: input.value.dtype === 'uint8' ? 'uint8' : 'float32',
  };
}

interface Branches {
  readonly level: HeadLevel;
  readonly reg: HeadConv;
  readonly obj: HeadConv;
  readonly cls: HeadConv;
}

/** Box and objectness hang on one feature map, the classes on another; the box has 4 channels and no sigmoid. */
function assign(group: readonly HeadConv[], level: HeadLevel): Branches | null {
  let best: { score: number; branches: Branches } | null = null;
  for (const reg of group)
    for (const obj of group)
      for (const cls of group) {
        if (reg === obj || obj === cls || reg === cls || reg.channels !== 4 || obj.channels !== 1) continue;
        const score =
          (reg.source === obj.source ? 2 : 0) +
          (cls.source !== reg.source ? 2 : 0) +
          (reg.sigmoid === null ? 1 : 0) +
          ((obj.sigmoid === null) === (cls.sigmoid === null) ? 1 : 0);
        if (!best || score > best.score) best = { score, branches: { level, reg, obj, cls } };
      }
  return best?.branches ?? null;
}

/** The three branches of each level, null unless the last convolutions are exactly that. */
function branchesOf(convs: readonly HeadConv[], p: Preprocess): readonly Branches[] | null {
  const groups = new Map<number, { level: HeadLevel; convs: HeadConv[] }>();
  for (const conv of convs) {
    const level = conv.rows && conv.cols ? levelOfMap(conv.rows, conv.cols, p.width, p.height) : null;
    if (!level) return null;
    const group = groups.get(level.stride);
    if (group) group.convs.push(conv);
    else groups.set(level.stride, { level, convs: [conv] });
  }
  const branches = [...groups.values()].map((group) => (group.convs.length === 3 ? assign(group.convs, group.level) : null));
  const complete = branches.filter((b) => b !== null);
  const classes = new Set(complete.map((b) => b.cls.channels));
  return complete.length === branches.length && classes.size === 1 ? complete : null;
}

function endNodesOf(branches: readonly Branches[]): readonly EndNodes[] {
  return branches.map(({ level, reg, obj, cls }) => ({
    stride: level.stride,
    reg: reg.node.name,
    obj: obj.sigmoid ?? obj.node.name,
    cls: cls.sigmoid ?? cls.node.name,
  }));
}

const DECODING = new Set(['Exp']);
const SIGMOID = new Set(['Sigmoid', 'QLinearSigmoid']);

interface Found {
  readonly variant: string;
  readonly outputs: readonly string[];
  readonly numClasses: number;
  readonly levels: readonly HeadLevel[];
  readonly sigmoidApplied: boolean;
}

function spec(model: Model, p: Preprocess, convs: readonly HeadConv[], branches: readonly Branches[] | null, found: Found): DetectorSpec {
  return {
    family: 'yolox',
    ...found,
    input: model.graph.inputs[0]!.name,
    preprocess: p,
    classNames: classNamesFor(model, found.numClasses),
    endNodes: branches ? endNodesOf(branches) : [],
    protectedNodes: convs.map((conv) => conv.node.name),
  };
}

function matchJoined(model: Model, view: GraphView, p: Preprocess): DetectorSpec | null {
  const name = model.graph.outputs[0]!.name;
  const dims = dimsOf(view, name);
  const [n, k] = [dims?.[1], dims?.[2]];
  if (model.graph.outputs.length !== 1 || dims?.length !== 3 || !n || !k || k < 6) return null;
  const solved = solveLevels(n, 1, p.width, p.height);
  if (!solved) return null;
  const convs = lastConvs(view, [name]);
  const branches = branchesOf(convs, p);
  const separate = branches?.[0]?.cls.channels === k - 5;
  // Without the three branches it may be another anchor-free head: joined NanoDet-Plus, or YOLOv8 in rows.
  const joint = convs.length === solved.length && convs.every((conv) => conv.channels === k) && solved.length === 3;
  if (!separate && (!joint || metadataNames(model)?.length === k - 4)) return null;
  return spec(model, p, convs, separate ? branches : null, {
    variant: tailHas(view, name, DECODING) ? 'decoded' : 'raw',
    outputs: [name],
    numClasses: k - 5,
    levels: separate && cellCount(branches!.map((b) => b.level)) === n ? branches!.map((b) => b.level) : solved,
    sigmoidApplied: tailHas(view, name, SIGMOID),
  });
}

function matchMaps(model: Model, view: GraphView, p: Preprocess): DetectorSpec | null {
  const maps = model.graph.outputs.map(({ name }) => {
    const dims = dimsOf(view, name);
    const level = dims?.length === 4 && dims[2] && dims[3] ? levelOfMap(dims[2], dims[3], p.width, p.height) : null;
    return level && dims?.[1] ? { name, channels: dims[1], level } : null;
  });
  if (maps.some((map) => map === null)) return null;
  const outputs = maps.filter((map) => map !== null).sort((a, b) => a.level.stride - b.level.stride);
  const names = outputs.map((output) => output.name);
  const convs = lastConvs(view, names);
  const found = branchesOf(convs, p);
  if (!found) return null;
  const branches = [...found].sort((a, b) => a.level.stride - b.level.stride);
  const numClasses = branches[0]!.cls.channels;
  const levels = branches.map((b) => b.level);
  const common = { numClasses, levels, sigmoidApplied: branches[0]!.obj.sigmoid !== null };
  if (
    outputs.length === branches.length &&
    outputs.every((output, i) => output.channels === 5 + numClasses && output.level.stride === levels[i]!.stride)
  )
    return spec(model, p, convs, branches, { ...common, variant: 'levels', outputs: names });
  if (outputs.length !== branches.length * 3) return null;
  const behind = new Map(names.map((name) => [lastConvs(view, [name])[0]?.node.name, name]));
  const cut = branches.flatMap(({ reg, obj, cls }) => [reg, obj, cls].map((conv) => behind.get(conv.node.name)));
  if (cut.some((name) => name === undefined)) return null;
  // A cut before the Sigmoid leaves it out of the graph, so `sigmoid` is null then.
  return spec(model, p, convs, branches, { ...common, variant: 'cut', outputs: cut.filter((name) => name !== undefined) });
}

interface LevelView {
  readonly level: HeadLevel;
  readonly reg: Columns;
  readonly obj: Columns;
  readonly cls: Columns;
}

const from = (columns: Columns, channel: number): Columns => ({ ...columns, offset: columns.offset + channel * columns.channelStep });

function levelViews(s: DetectorSpec, outputs: DecodeInput): readonly LevelView[] {
  const k = 5 + s.numClasses;
  const split = (level: HeadLevel, all: Columns) => ({ level, reg: all, obj: from(all, 4), cls: from(all, 5) });
  if (s.variant === 'raw' || s.variant === 'decoded') {
    const data = outputData(outputs, s.outputs[0]!, cellCount(s.levels) * k);
    let offset = 0;
    return s.levels.map((level) => {
      const view = split(level, { data, offset, cellStep: k, channelStep: 1 });
      offset += level.rows * level.cols * k;
      return view;
    });
  }
  return s.levels.map((level, i) => {
    const area = level.rows * level.cols;
    const map = (name: string, channels: number): Columns => ({
      data: outputData(outputs, name, area * channels),
      offset: 0,
      cellStep: 1,
      channelStep: area,
    });
    if (s.variant === 'levels') return split(level, map(s.outputs[i]!, k));
    const [reg, obj, cls] = s.outputs.slice(i * 3, i * 3 + 3) as [string, string, string];
    return { level, reg: map(reg, 4), obj: map(obj, 1), cls: map(cls, s.numClasses) };
  });
}

export const yolox: Family = {
  id: 'yolox',
  label: 'YOLOX',

  match(model) {
    const p = yoloxPreprocess(model);
    if (!p || model.graph.outputs.length === 0) return null;
    const view = viewGraph(model);
    return matchJoined(model, view, p) ?? matchMaps(model, view, p);
  },

  decode(s, outputs, scoreThreshold) {
    const scores = scoring(s.sigmoidApplied, scoreThreshold);
    const found = collector(s.numClasses, scores);
    const decoded = s.variant === 'decoded';
    for (const { level, reg, obj, cls } of levelViews(s, outputs)) {
      const { stride, cols } = level;
      for (let i = 0; i < level.rows * cols; i++) {
        const objectness = obj.data[obj.offset + i * obj.cellStep]!;
        if (!(objectness >= scores.floor)) continue;
        const at = (c: number) => reg.data[reg.offset + i * reg.cellStep + c * reg.channelStep]!;
        const x = decoded ? at(0) : (at(0) + (i % cols)) * stride;
        const y = decoded ? at(1) : (at(1) + Math.floor(i / cols)) * stride;
        const w = decoded ? at(2) : sizeExp(at(2)) * stride;
        const h = decoded ? at(3) : sizeExp(at(3)) * stride;
        found.add(x - w / 2, y - h / 2, w, h, scores.probability(objectness), cls, i);
      }
    }
    return found.done();
  },

  refine(s, outputs) {
    const views = levelViews(s, outputs);
    const cells = (v: LevelView) => v.level.rows * v.level.cols;
    const sigmoidApplied = views.every(
      (v) => looksLikeProbability(rangeOf(v.obj, cells(v), 0, 1)) && looksLikeProbability(rangeOf(v.cls, cells(v), 0, s.numClasses)),
    );
    if (s.variant === 'levels' || s.variant === 'cut') return { ...s, sigmoidApplied };
    // Pixels are never negative and reach across the image; raw log sizes go below zero and stay small.
    const sizes = views.map((v) => rangeOf(v.reg, cells(v), 2, 4));
    const widest = Math.max(...views.map((v) => rangeOf(v.reg, cells(v), 0, 2).max));
    if (sizes.some(({ min }) => min < 0)) return { ...s, sigmoidApplied, variant: 'raw' };
    if (widest > Math.max(s.preprocess.width, s.preprocess.height) / 2) return { ...s, sigmoidApplied, variant: 'decoded' };
    return { ...s, sigmoidApplied };
  },
};
