/**
 * SimOTA (Ge et al. 2021, "YOLOX", §2.1; "OTA", Ge et al. 2021): which cells of a detector shall predict which box. Every
 * cell within 1.5 strides of a box's centre is a candidate at a cost of its own answer's error; each box takes as many of its
 * cheapest candidates as the ten best IoUs among them sum to, and a cell wanted twice goes to the box that it suits better.
 */
import type { HeadLevel } from '../../models';

/** A box to be found: corners in network pixels, and its class index. */
export interface LabelBox {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  readonly classIndex: number;
}

/** What the network answers for one image: [5 + classes, cells] logits, boxes as x, y in cells, log width, log height. */
export interface Answers {
  readonly data: Float32Array;
  /** Where the image begins in `data`. */
  readonly offset: number;
  readonly cells: number;
  readonly classes: number;
}

export interface Assigned {
  readonly cell: number;
  /** Index of its box. */
  readonly box: number;
  /** IoU of the cell's answer with the box. */
  readonly iou: number;
}

/** Reach of a box's centre, in strides. */
const REACH = 1.5;
/** IoUs that are summed to a box's number of cells. */
const BEST = 10;
/** Weight of −log IoU beside the classes' cross entropy. */
const IOU_WEIGHT = 3;
/** Log sizes beyond this are cut, as in the loss. */
export const LARGEST_LOG = 8;

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** IoU of the box that a cell answers with `box`. */
export function answerIou(
  { data, offset, cells }: Answers,
  cell: number,
  column: number,
  row: number,
  stride: number,
  box: LabelBox,
): number {
  const at = offset + cell;
  const x = (data[at]! + column) * stride;
  const y = (data[at + cells]! + row) * stride;
  const w = (Math.exp(Math.min(data[at + 2 * cells]!, LARGEST_LOG)) * stride) / 2;
  const h = (Math.exp(Math.min(data[at + 3 * cells]!, LARGEST_LOG)) * stride) / 2;
  const across = Math.min(x + w, box.x2) - Math.max(x - w, box.x1);
  const down = Math.min(y + h, box.y2) - Math.max(y - h, box.y1);
  if (across <= 0 || down <= 0) return 0;
  const inter = across * down;
  return inter / (4 * w * h + (box.x2 - box.x1) * (box.y2 - box.y1) - inter);
}

/** Σ over classes of the cross entropy of √(objectness · class) with the box's class. */
function classCost({ data, offset, cells, classes }: Answers, cell: number, classIndex: number): number {
  const objectness = sigmoid(data[offset + 4 * cells + cell]!);
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    const p = Math.sqrt(objectness * sigmoid(data[offset + (5 + c) * cells + cell]!));
    // As torch's binary_cross_entropy: logarithms no lower than −100.
    sum -= Math.max(c === classIndex ? Math.log(p) : Math.log1p(-p), -100);
  }
  return sum;
}

interface Candidate {
  readonly cell: number;
  readonly iou: number;
  readonly cost: number;
}

/** Cells near the centre of a box on every level, with what they cost. */
function candidates(answers: Answers, levels: readonly HeadLevel[], box: LabelBox): Candidate[] {
  const [cx, cy] = [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2];
  const found: Candidate[] = [];
  let first = 0;
  for (const { stride, rows, cols } of levels) {
    const [u, v] = [cx / stride - 0.5, cy / stride - 0.5];
    for (let row = Math.max(0, Math.ceil(v - REACH)); row < Math.min(rows, v + REACH); row++)
      for (let column = Math.max(0, Math.ceil(u - REACH)); column < Math.min(cols, u + REACH); column++) {
        // Strictly inside, both ends alike.
        if (Math.abs(column - u) >= REACH || Math.abs(row - v) >= REACH) continue;
        const cell = first + row * cols + column;
        const iou = answerIou(answers, cell, column, row, stride, box);
        found.push({ cell, iou, cost: classCost(answers, cell, box.classIndex) - IOU_WEIGHT * Math.log(iou + 1e-8) });
      }
    first += rows * cols;
  }
  return found;
}

/** @returns each assigned cell once, in ascending order */
export function assignCells(answers: Answers, levels: readonly HeadLevel[], boxes: readonly LabelBox[]): Assigned[] {
  const owner = new Map<number, Assigned & { readonly cost: number }>();
  for (const [index, box] of boxes.entries()) {
    const near = candidates(answers, levels, box);
    const ious = near.map(({ iou }) => iou).sort((a, b) => b - a);
    const wanted = Math.max(1, Math.floor(ious.slice(0, BEST).reduce((sum, iou) => sum + iou, 0)));
    near.sort((a, b) => a.cost - b.cost || a.cell - b.cell);
    for (const { cell, iou, cost } of near.slice(0, wanted)) {
      const before = owner.get(cell);
      if (!before || cost < before.cost) owner.set(cell, { cell, box: index, iou, cost });
    }
  }
  return [...owner.values()].sort((a, b) => a.cell - b.cell).map(({ cell, box, iou }) => ({ cell, box, iou }));
}
