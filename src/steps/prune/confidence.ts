/** Where on an image the network sees something, as weights of pixels: errors there move detections, errors on background don't. */
import type { DetectorSpec } from '../../models';
import { type Model, serializeModel, valueInfo } from '../../onnx';
import type { Engine, RunTensor } from '../../runtime';
import { cutTo, GraphWriter, type Head, planHeads, readPart } from '../../training';

/** Confidence by cell, on the finest grid of the detector's levels. */
interface Map2d {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** What background counts, where certain detections count 1. */
const FLOOR = 0.01;

function confidence(w: GraphWriter, { gate, classes, present, logits }: Head): string {
  const squash = (value: string) => (logits ? w.add('Sigmoid', [value]) : value);
  const best = w.max(squash(readPart(w, present ?? classes)), classes.axis);
  return gate ? w.add('Mul', [best, squash(readPart(w, gate))]) : best;
}

/** Cells of all levels in a row → the largest confidence over each place of the finest grid. */
function onFinest(spec: DetectorSpec, cells: Float32Array): Map2d | null {
  const { levels } = spec;
  const total = levels.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const finest = levels.reduce((a, b) => (b.rows * b.cols > a.rows * a.cols ? b : a));
  if (cells.length !== total) return null;
  const data = new Float32Array(finest.rows * finest.cols);
  let from = 0;
  for (const { rows, cols } of levels) {
    for (let y = 0; y < finest.rows; y++)
      for (let x = 0; x < finest.cols; x++) {
        const cell = Math.floor((y * rows) / finest.rows) * cols + Math.floor((x * cols) / finest.cols);
        const at = y * finest.cols + x;
        data[at] = Math.max(data[at]!, cells[from + cell]!);
      }
    from += rows * cols;
  }
  return { rows: finest.rows, columns: finest.cols, data };
}

/** The map at another size: the largest value under each pixel; with the floor, and a mean of 1. */
function weightsAt({ rows, columns, data }: Map2d, height: number, width: number): Float32Array {
  const out = new Float32Array(height * width).fill(FLOOR);
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * rows) / height);
    const bottom = Math.max(top + 1, Math.ceil(((y + 1) * rows) / height));
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * columns) / width);
      const right = Math.max(left + 1, Math.ceil(((x + 1) * columns) / width));
      let most = 0;
      for (let r = top; r < bottom; r++) for (let c = left; c < right; c++) most = Math.max(most, data[r * columns + c]!);
      out[y * width + x] = most + FLOOR;
    }
  }
  const mean = out.reduce((a, b) => a + b, 0) / out.length;
  return out.map((value) => value / mean);
}

/**
 * Weights of the pixels of any layer of an image.
 * @param model opset 13 or later, all sizes fixed
 * @returns null where the network has no known scores on one grid a level
 */
export async function confidenceWeights(
  model: Model,
  spec: DetectorSpec | null,
  inputs: readonly RunTensor[],
  engine: Engine,
): Promise<((image: number, rows: number, columns: number) => Float32Array) | null> {
  const plan = planHeads(spec, model);
  if (!plan || !spec || spec.levels.length === 0) return null;
  const w = new GraphWriter(cutTo(model, plan.values), 'confidence');
  const outputs = plan.heads(w).map((head, i) => w.as(confidence(w, head), `confidence/${i}`));
  const maps: Map2d[] = [];
  const session = await engine.create(serializeModel(w.done(outputs.map((name) => valueInfo(name, 'float32', null)))));
  try {
    for (const image of inputs) {
      const results = await session.run({ [model.graph.inputs[0]!.name]: image });
      const map = onFinest(spec, Float32Array.from(outputs.flatMap((name) => [...(results[name]!.data as Float32Array)])));
      if (!map) return null;
      maps.push(map);
    }
  } finally {
    await session.release();
  }
  const known = new Map<string, Float32Array>();
  return (image, rows, columns) => {
    const key = `${image} ${rows} ${columns}`;
    const found = known.get(key) ?? weightsAt(maps[image]!, rows, columns);
    known.set(key, found);
    return found;
  };
}
