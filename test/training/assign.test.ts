import { describe, expect, it } from 'vitest';
import type { HeadLevel } from '../../src/models';
import { createRandom } from '../../src/numerics';
import { assignCells, type LabelBox } from '../../src/training';

/** Logits [5 + classes, cells] from a list of cells' [x, y, log w, log h, objectness, ...classes]. */
function answers(cells: readonly (readonly number[])[]) {
  const channels = cells[0]!.length;
  const data = Float32Array.from({ length: channels * cells.length }, (_, i) => cells[i % cells.length]![Math.floor(i / cells.length)]!);
  return { data, offset: 0, cells: cells.length, classes: channels - 5 };
}

const FOUR: readonly HeadLevel[] = [{ stride: 8, rows: 2, cols: 2 }];
const LARGE: LabelBox = { x1: 0, y1: 0, x2: 16, y2: 16, classIndex: 0 };
/** The cell at (column, row) answers a square of `side` pixels about (8, 8). */
const square = (column: number, row: number, side: number, ...scores: number[]) => [
  1 - column,
  1 - row,
  Math.log(side / 8),
  Math.log(side / 8),
  ...scores,
];

describe('assignment', () => {
  it('gives a box as many cells as its IoUs sum to', () => {
    // IoU 1, ¼, ¼ and 0.0625: 1.5625 → one cell.
    const one = answers([square(0, 0, 16, 0, 0), square(1, 0, 8, 0, 0), square(0, 1, 8, 0, 0), square(1, 1, 4, 0, 0)]);
    expect(assignCells(one, FOUR, [LARGE])).toEqual([{ cell: 0, box: 0, iou: expect.closeTo(1, 6) }]);
    // 1 + 1 + ¼ + ¼ = 2.5 → two.
    const two = answers([square(0, 0, 16, 0, 0), square(1, 0, 8, 0, 0), square(0, 1, 8, 0, 0), square(1, 1, 16, 0, 0)]);
    expect(assignCells(two, FOUR, [LARGE]).map(({ cell }) => cell)).toEqual([0, 3]);
  });

  it('gives every box one cell, however bad the answers', () => {
    const bad = answers(Array.from({ length: 4 }, () => [50, 50, 0, 0, -3, -3]));
    expect(assignCells(bad, FOUR, [LARGE])).toHaveLength(1);
  });

  it('prefers the cell that names the class', () => {
    // All four answer half of the box; IoU ¼ each sums to 1. Only cell 2 is sure of class 1.
    const scores = [
      [0, 0, 0],
      [0, 4, -4],
      [4, -4, 4],
      [0, 0, 0],
    ];
    const four = answers(scores.map((s, i) => square(i % 2, i >> 1, 8, ...s)));
    expect(assignCells(four, FOUR, [{ ...LARGE, classIndex: 1 }]).map(({ cell }) => cell)).toEqual([2]);
    expect(assignCells(four, FOUR, [LARGE]).map(({ cell }) => cell)).toEqual([1]);
  });

  it('gives a cell that two boxes want to the one it suits better', () => {
    const single: readonly HeadLevel[] = [{ stride: 8, rows: 1, cols: 1 }];
    const cell = answers([[0.5, 0.5, 0, 0, 1, 1]]);
    const exact: LabelBox = { x1: 0, y1: 0, x2: 8, y2: 8, classIndex: 0 };
    const loose: LabelBox = { x1: 0, y1: 0, x2: 8, y2: 4.5, classIndex: 0 };
    expect(assignCells(cell, single, [loose, exact])).toEqual([{ cell: 0, box: 1, iou: 1 }]);
    expect(assignCells(cell, single, [exact, loose])).toEqual([{ cell: 0, box: 0, iou: 1 }]);
  });

  it('is what every cell against every box gives', () => {
    const levels: readonly HeadLevel[] = [
      { stride: 8, rows: 6, cols: 8 },
      { stride: 16, rows: 3, cols: 4 },
      { stride: 32, rows: 2, cols: 2 },
    ];
    for (let seed = 0; seed < 30; seed++) {
      const random = createRandom(seed);
      const cells = Array.from({ length: 64 }, () => [
        random.next(),
        random.next(),
        0.7 * random.normal() + 0.5,
        0.7 * random.normal() + 0.5,
        ...Array.from({ length: 4 }, () => 2 * random.normal()),
      ]);
      const boxes = Array.from({ length: 1 + random.int(6) }, (): LabelBox => {
        const [x1, y1] = [50 * random.next(), 35 * random.next()];
        return { x1, y1, x2: x1 + 3 + 20 * random.next(), y2: y1 + 3 + 20 * random.next(), classIndex: random.int(3) };
      });
      const rounded = cells.map((cell) => cell.map(Math.fround));
      const found = assignCells(answers(cells), levels, boxes);
      expect(found.map(({ cell, box }) => [cell, box])).toEqual(everyPair(rounded, levels, boxes));
    }
  });
});

/** The same rule over the whole matrix of boxes and cells, as the paper writes it. */
function everyPair(cells: readonly (readonly number[])[], levels: readonly HeadLevel[], boxes: readonly LabelBox[]): number[][] {
  const places = levels.flatMap(({ stride, rows, cols }) =>
    Array.from({ length: rows }, (_, row) => Array.from({ length: cols }, (_, col) => ({ stride, row, col }))).flat(),
  );
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  const matrix = boxes.map((box) =>
    places.map(({ stride, row, col }, i) => {
      const [x, y, w, h, objectness, ...classes] = cells[i]! as [number, number, number, number, number, ...number[]];
      const a = { x1: (col + x) * stride - (Math.exp(w) * stride) / 2, y1: (row + y) * stride - (Math.exp(h) * stride) / 2 };
      const b = { x2: a.x1 + Math.exp(w) * stride, y2: a.y1 + Math.exp(h) * stride };
      const overlap =
        Math.max(0, Math.min(b.x2, box.x2) - Math.max(a.x1, box.x1)) * Math.max(0, Math.min(b.y2, box.y2) - Math.max(a.y1, box.y1));
      const iou = overlap / (Math.exp(w + h) * stride ** 2 + (box.x2 - box.x1) * (box.y2 - box.y1) - overlap);
      const near =
        Math.abs((col + 0.5) * stride - (box.x1 + box.x2) / 2) < 1.5 * stride &&
        Math.abs((row + 0.5) * stride - (box.y1 + box.y2) / 2) < 1.5 * stride;
      const entropy = classes.reduce((sum, z, c) => {
        const p = Math.sqrt(sigmoid(objectness) * sigmoid(z));
        return sum - (c === box.classIndex ? Math.log(p) : Math.log(1 - p));
      }, 0);
      return { near, iou, cost: entropy - 3 * Math.log(iou + 1e-8) };
    }),
  );
  const chosen = matrix.map((row) => {
    const near = row.map((pair, i) => ({ ...pair, i })).filter((pair) => pair.near);
    const best = near.map(({ iou }) => iou).sort((a, b) => b - a);
    const count = Math.max(1, Math.floor(best.slice(0, 10).reduce((a, b) => a + b, 0)));
    return new Set(
      near
        .sort((a, b) => a.cost - b.cost)
        .slice(0, count)
        .map(({ i }) => i),
    );
  });
  return places.flatMap((_, i) => {
    const owners = boxes.map((_, g) => g).filter((g) => chosen[g]!.has(i));
    if (owners.length === 0) return [];
    return [[i, owners.reduce((a, b) => (matrix[b]![i]!.cost < matrix[a]![i]!.cost ? b : a))]];
  });
}
