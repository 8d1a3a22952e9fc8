/**
 * "Why is everything a banana?": one image, one layer after the other from float to quantized, in graph order. Each
 * step's change of a box's logit belongs to the layer that was added, so that all of them add up to the whole change.
 */
import { type Detection, type DetectorSpec, detect, FAMILIES, type Family, type Placement, PREVIEW_OPTIONS } from '../../../models';
import { StudioError } from '../../../numerics';
import type { Model } from '../../../onnx';
import type { RunTensor, Tensors } from '../../../runtime';
import { timer } from '../../common';
import { outputError } from '../../output-error';
import { type QuantizeOptions, quantizeMeta } from '../meta';
import type { QuantState } from '../repairs/types';
import type { AnalysisContext } from './analyze';
import { openBoard } from './board';
import { floats } from './distance';
import { findRows, frameStops, NOTHING } from './rows';
import type { LostBox, Story, StoryFrame } from './types';

export interface StoryInput {
  /** As `quantizableModel` gives it. */
  readonly float: Model;
  readonly spec: DetectorSpec;
  readonly options: QuantizeOptions;
  /** What is told: float weights and plan as they are quantized in the end. */
  readonly end: QuantState;
  readonly image: { readonly index: number; readonly fileName: string };
  readonly feeds: Tensors;
  readonly placement: Placement;
}

/** Lost boxes that are followed, best first, and the layers named for each. */
const BOXES = 5;
const LAYERS = 5;
/** Boxes of one class that overlap this much are the same thing. */
const SAME_IOU = 0.5;
/** Scores below are not told apart. */
const LEAST_SCORE = 1e-5;

type Outputs = Record<string, RunTensor>;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function iou(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.width * a.height + b.width * b.height - w * h);
}

const logit = (score: number): number => Math.log(score / (1 - score));
const clamped = (score: number): number => Math.min(Math.max(score, LEAST_SCORE), 1 - LEAST_SCORE);

/** Best score of each detection's class among the candidates over its place, before NMS. */
function scoresAt(spec: DetectorSpec, outputs: Outputs, placement: Placement, wanted: readonly Detection[]): number[] {
  const family: Family = FAMILIES[spec.family];
  const { boxes, scores, classes } = family.decode(spec, outputs, LEAST_SCORE);
  const places = wanted.map((d): Box => {
    const { scaleX, scaleY, offsetX, offsetY } = placement;
    return { x: d.x * scaleX + offsetX, y: d.y * scaleY + offsetY, width: d.width * scaleX, height: d.height * scaleY };
  });
  const best = wanted.map(() => LEAST_SCORE);
  for (let i = 0; i < scores.length; i++)
    wanted.forEach(({ classIndex }, j) => {
      if (classes[i] !== classIndex || scores[i]! <= best[j]!) return;
      const box = { x: boxes[i * 4]!, y: boxes[i * 4 + 1]!, width: boxes[i * 4 + 2]!, height: boxes[i * 4 + 3]! };
      if (iou(box, places[j]!) >= SAME_IOU) best[j] = scores[i]!;
    });
  return best.map(clamped);
}

function histogram(detections: readonly Detection[], names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { classIndex } of detections) {
    const name = names[classIndex] ?? `class ${classIndex}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

/**
 * Tells the story of one image.
 * @throws StudioError 'cancelled', or 'unsupported' for a plan that quantizes nothing
 */
export async function tellStory({ float, spec, options, end, image, feeds, placement }: StoryInput, ctx: AnalysisContext): Promise<Story> {
  const rows = findRows(end.float, end.plan, options, spec);
  const count = rows.rows.length;
  if (count === 0)
    throw new StudioError(
      'unsupported',
      'No layer of this network is quantized, so there is nothing to tell.',
      'Change the quantize step, or open a float network.',
    );
  const board = await openBoard(end.float, [end.plan], [], ctx.engine, { exact: float });
  try {
    const exact = await board.run(feeds, { float, plan: { ...end.plan, ...NOTHING } });
    const error = outputError(spec, floats(exact));
    const see = (outputs: Outputs): Detection[] => detect(spec, outputs, placement, PREVIEW_OPTIONS);
    const followed = see(exact);
    const frames: StoryFrame[] = [];
    const frame = (layersQuantized: number, node: string | null, outputs: Outputs): void => {
      const detections = see(outputs);
      const classHistogram = histogram(detections, spec.classNames);
      frames.push({ layersQuantized, node, detections, classHistogram, outputError: error(floats(outputs)) });
    };
    frame(0, null, exact);
    // Every layer is run, few are shown.
    const shown = frameStops(count);
    const start = scoresAt(spec, exact, placement, followed);
    const logits = [start.map(logit)];
    const left = timer(count);
    for (let i = 0; i < count; i++) {
      ctx.cancel.throwIfAborted();
      const outputs = await board.run(feeds, { float: end.float, plan: rows.prefix(end.plan, i) });
      logits.push(scoresAt(spec, outputs, placement, followed).map(logit));
      if (shown.has(i + 1)) frame(i + 1, rows.rows[i]!.node, outputs);
      ctx.progress({ step: quantizeMeta.id, label: 'Quantizing layer by layer', done: i + 1, total: count, secondsLeft: left(i + 1) });
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const after = frames.at(-1)!.detections;
    const survives = (d: Detection): boolean => after.some((other) => other.classIndex === d.classIndex && iou(other, d) >= SAME_IOU);
    const lost = followed.flatMap((detection, j): LostBox[] => {
      if (survives(detection)) return [];
      const deltas = rows.rows.map(({ node }, i) => ({ node, deltaLogit: logits[i + 1]![j]! - logits[i]![j]! }));
      const layers = deltas.sort((a, b) => Math.abs(b.deltaLogit) - Math.abs(a.deltaLogit)).slice(0, LAYERS);
      const quantized = 1 / (1 + Math.exp(-logits.at(-1)![j]!));
      const className = spec.classNames[detection.classIndex] ?? `class ${detection.classIndex}`;
      return [{ detection, className, score: { float: start[j]!, quantized }, layers }];
    });
    return {
      image,
      layers: count,
      classNames: spec.classNames,
      frames,
      lost: lost.slice(0, BOXES),
      scoreThreshold: PREVIEW_OPTIONS.scoreThreshold,
    };
  } finally {
    await board.release();
  }
}
