/**
 * The YOLOX loss (Ge et al. 2021) as an ONNX graph. With the cells that SimOTA gives a box as positives, over the batch:
 *
 *   iou        = w · Σ positives (1 − IoU²)                      of the decoded box with the label's
 *   objectness = w · Σ cells BCE(objectness, is positive)
 *   class      = w · Σ positives Σ classes BCE(class, IoU where it is the label's class, else 0)
 *   l1         = w · Σ positives |raw box − raw label|
 *
 * all divided by the number of positives. The assignment follows the network's own answers, so it is made anew from a
 * forward pass before each step; in the graph it is an input.
 */
import type { GroundTruth } from '../../data';
import type { DetectorSpec, HeadLevel } from '../../models';
import { REPORT_IT, StudioError } from '../../numerics';
import { inferShapes, type Model, serializeModel, valueInfo } from '../../onnx';
import type { Engine, Tensors } from '../../runtime';
import type { TargetSource } from '../objective';
import type { Values } from '../trainer';
import { type Answers, assignCells, LARGEST_LOG, type LabelBox } from './assign';
import { planHeads } from './heads';
import { crossEntropy } from './scores';
import { cutTo, GraphWriter } from './writer';

export type LabelPart = 'iou' | 'objectness' | 'class' | 'l1';

export type LabelWeights = Readonly<Record<LabelPart, number>>;

/** YOLOX's own; it adds l1 = 1 in the last epochs, without mosaic. */
export const LABEL_WEIGHTS: LabelWeights = { iou: 5, objectness: 1, class: 1, l1: 0 };

export interface LabelOptions {
  /** Category id of each class index, null where the labels know no such class (see models' `categoryMap`). */
  readonly categoryIds: readonly (number | null)[];
  readonly weights?: LabelWeights;
}

export interface LabelLoss {
  /** Inputs of the student that {@link source} feeds. */
  readonly targets: readonly string[];
  /** Values of the student's float network that the loss reads. */
  readonly values: readonly string[];
  /** The student with the loss; all values of one element. `model` may have any batch size, but a fixed one. */
  student(model: Model): { readonly model: Model; readonly loss: string; readonly parts: Readonly<Partial<Record<LabelPart, string>>> };
  /**
   * Targets of labelled batches by the answers of the student as it is.
   * @param model the student with its variables as inputs, the same that {@link student} is given
   * @param feeds these inputs from the variables
   */
  source(engine: Engine, model: Model, feeds: (values: Values) => Tensors): Promise<TargetSource>;
}

const POSITIVE = 'labels/positive';
const CLASSES = 'labels/classes';
const BOXES = 'labels/boxes';
/** Positives of a batch, at least 1. */
const COUNT = 'labels/count';
const ANSWERS = 'labels/answers';

/** Keeps the division of two empty areas finite. */
const TINY = 1e-7;

interface Shape {
  readonly batch: number;
  readonly channels: number;
  readonly cells: number;
}

function shapeOf(model: Model, value: string): Shape {
  const shape = inferShapes(model).get(value)?.shape;
  if (shape?.length !== 3 || !shape.every((d) => typeof d === 'number'))
    throw new StudioError('unsupported', 'The shape of the detector’s output is not known.', 'Fix the input size.');
  const [batch, channels, cells] = shape as [number, number, number];
  return { batch, channels, cells };
}

const cellsOf = (levels: readonly HeadLevel[]): number => levels.reduce((sum, { rows, cols }) => sum + rows * cols, 0);

/** Column, row and stride of every cell. */
function grid(levels: readonly HeadLevel[]): { columns: Float32Array; rows: Float32Array; strides: Float32Array } {
  const all = levels.flatMap(({ stride, rows, cols }) =>
    Array.from({ length: rows * cols }, (_, i) => [i % cols, Math.floor(i / cols), stride] as const),
  );
  const pick = (k: 0 | 1 | 2) => Float32Array.from(all, (cell) => cell[k]);
  return { columns: pick(0), rows: pick(1), strides: pick(2) };
}

/** Labels of the network's classes, corners in network pixels; crowds and empty boxes are none. */
export function labelBoxes(truths: readonly GroundTruth[], categoryIds: readonly (number | null)[]): LabelBox[] {
  return truths.flatMap(({ bbox: [x, y, w, h], categoryId, crowd }) => {
    const classIndex = categoryIds.indexOf(categoryId);
    return classIndex < 0 || crowd || !(w > 0 && h > 0) ? [] : [{ x1: x, y1: y, x2: x + w, y2: y + h, classIndex }];
  });
}

/** Edges of decoded boxes in pixels: left, top, right, bottom, and their area; each [batch, 1, cells]. */
function decoded(w: GraphWriter, boxes: string, cells: { grid: string; strides: string }) {
  const part = (from: number) => w.slice(boxes, 1, from, from + 2);
  const centre = w.add('Mul', [w.add('Add', [part(0), cells.grid]), cells.strides]);
  const size = w.add('Mul', [w.add('Exp', [w.add('Min', [part(2), w.scalar(LARGEST_LOG)])]), cells.strides]);
  const half = w.add('Mul', [size, w.scalar(0.5)]);
  const area = w.add('Mul', [w.slice(size, 1, 0, 1), w.slice(size, 1, 1, 2)]);
  return { low: w.add('Sub', [centre, half]), high: w.add('Add', [centre, half]), area };
}

function iouOf(w: GraphWriter, a: ReturnType<typeof decoded>, b: ReturnType<typeof decoded>): string {
  const sides = w.add('Relu', [w.add('Sub', [w.add('Min', [a.high, b.high]), w.add('Max', [a.low, b.low])])]);
  const inter = w.add('Mul', [w.slice(sides, 1, 0, 1), w.slice(sides, 1, 1, 2)]);
  const union = w.add('Sub', [w.add('Add', [a.area, b.area]), inter]);
  return w.add('Div', [inter, w.add('Add', [union, w.scalar(TINY)])]);
}

/** Targets of one batch, from the answers to it. */
function makeTargets(
  answers: Float32Array,
  { batch, channels, cells }: Shape,
  levels: readonly HeadLevel[],
  boxes: readonly (readonly LabelBox[])[],
  places: ReturnType<typeof grid>,
): { feeds: Tensors; mass: number } {
  const classes = channels - 5;
  const positive = new Float32Array(batch * cells);
  const classTargets = new Float32Array(batch * classes * cells);
  const boxTargets = new Float32Array(batch * 4 * cells);
  let count = 0;
  for (let n = 0; n < batch; n++) {
    const own: Answers = { data: answers, offset: n * channels * cells, cells, classes };
    for (const { cell, box, iou } of assignCells(own, levels, boxes[n]!)) {
      const { x1, y1, x2, y2, classIndex } = boxes[n]![box]!;
      const stride = places.strides[cell]!;
      count++;
      positive[n * cells + cell] = 1;
      classTargets[(n * classes + classIndex) * cells + cell] = iou;
      const raw = [
        (x1 + x2) / 2 / stride - places.columns[cell]!,
        (y1 + y2) / 2 / stride - places.rows[cell]!,
        Math.log((x2 - x1) / stride),
        Math.log((y2 - y1) / stride),
      ];
      raw.forEach((value, k) => {
        boxTargets[(n * 4 + k) * cells + cell] = value;
      });
    }
  }
  const mass = Math.max(1, count);
  const feed = (dims: readonly number[], data: Float32Array) => ({ dtype: 'float32' as const, dims, data });
  const feeds = {
    [POSITIVE]: feed([batch, 1, cells], positive),
    [CLASSES]: feed([batch, classes, cells], classTargets),
    [BOXES]: feed([batch, 4, cells], boxTargets),
    [COUNT]: feed([], Float32Array.of(mass)),
  };
  return { feeds, mass };
}

/**
 * Plans the loss on labels of a YOLOX-like detector.
 * @throws StudioError 'unsupported' for other families, and where the logits of the scores can't be found
 */
export function planLabels(model: Model, spec: DetectorSpec | null, options: LabelOptions): LabelLoss {
  const weights = options.weights ?? LABEL_WEIGHTS;
  const plan = spec?.family === 'yolox' ? planHeads(spec, model) : null;
  if (!spec || !plan)
    throw new StudioError(
      'unsupported',
      `Labels can train detectors of the YOLOX family only; this one is ${spec ? spec.family : 'no known detector'}.`,
      'Train it by distillation from the original instead.',
    );
  const { levels } = spec;
  const cells = cellsOf(levels);
  const places = grid(levels);

  /** The heads' logits, [batch, 5 + classes, cells]. */
  const answersOf = (w: GraphWriter): string => {
    const [head] = plan.heads(w);
    if (!head?.logits || !head.rawBoxes || head.classes.axis !== 1)
      throw new StudioError('unsupported', 'The scores of this YOLOX cannot be read before their sigmoid.', 'Export it with raw heads.');
    return head.classes.value;
  };
  const withAnswers = (source: Model): { answers: Model; shape: Shape } => {
    const w = new GraphWriter(cutTo(source, plan.values), 'labels');
    const answers = w.as(answersOf(w), ANSWERS);
    const made = w.done([valueInfo(answers, 'float32', null)]);
    const shape = shapeOf(made, ANSWERS);
    if (shape.cells !== cells)
      throw new StudioError(
        'unsupported',
        `The detector has ${shape.cells} cells; its levels have ${cells}.`,
        'Export it again with a fixed input size.',
      );
    return { answers: made, shape };
  };

  const student: LabelLoss['student'] = (source) => {
    const { answers, shape } = withAnswers(source);
    const { batch, channels } = shape;
    const w = new GraphWriter(answers, 'labels');
    w.input(POSITIVE, [batch, 1, cells]);
    w.input(CLASSES, [batch, channels - 5, cells]);
    w.input(BOXES, [batch, 4, cells]);
    w.input(COUNT, []);
    const all = (from: number, to: number) => w.slice(ANSWERS, 1, from, to);
    const boxes = all(0, 4);
    const sums: Partial<Record<LabelPart, string>> = {};
    if (weights.iou > 0) {
      const at = {
        grid: w.floats('grid', [1, 2, cells], [...places.columns, ...places.rows]),
        strides: w.floats('strides', [1, 1, cells], places.strides),
      };
      const iou = iouOf(w, decoded(w, boxes, at), decoded(w, BOXES, at));
      const miss = w.add('Sub', [w.scalar(1), w.add('Mul', [iou, iou])]);
      sums.iou = w.sum(w.add('Mul', [miss, POSITIVE]));
    }
    if (weights.objectness > 0) sums.objectness = crossEntropy(w, all(4, 5), true, POSITIVE, null);
    if (weights.class > 0) sums.class = crossEntropy(w, all(5, channels), true, CLASSES, POSITIVE);
    if (weights.l1 > 0) sums.l1 = w.sum(w.add('Mul', [w.add('Abs', [w.add('Sub', [boxes, BOXES])]), POSITIVE]));
    const parts: Partial<Record<LabelPart, string>> = {};
    for (const [part, sum] of Object.entries(sums) as [LabelPart, string][])
      parts[part] = w.as(w.add('Div', [w.add('Mul', [sum, w.scalar(weights[part])]), COUNT]), `loss/${part}`);
    const loss = w.as(w.total(Object.values(parts)), 'labels/loss');
    return { model: w.done([valueInfo(loss, 'float32', [])]), loss, parts };
  };

  const source: LabelLoss['source'] = async (engine, own, feeds) => {
    const { answers, shape } = withAnswers(own);
    const session = await engine.create(serializeModel(answers));
    return {
      moving: true,
      async targets({ images, truths }, values) {
        if (truths?.length !== shape.batch)
          throw new StudioError('bad-data', `A batch of ${shape.batch} images came with labels of ${truths?.length ?? 0}.`, REPORT_IT);
        const boxes = truths.map((list) => labelBoxes(list, options.categoryIds));
        const outputs = await session.run({ ...images, ...feeds(values) }, [ANSWERS]);
        return makeTargets(outputs[ANSWERS]!.data as Float32Array, shape, levels, boxes, places);
      },
      release: () => session.release(),
    };
  };
  // What can't be trained is said before anything runs.
  withAnswers(model);
  return { targets: [POSITIVE, CLASSES, BOXES, COUNT], values: plan.values, student, source };
}
