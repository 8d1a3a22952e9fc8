/** Reading head outputs and gathering candidates: what the family decoders share. */
import { StudioError } from '../numerics';
import type { Candidates, DecodeInput } from './types';

/** Part of an output: value of channel c at cell i is data[offset + i · cellStep + c · channelStep]. */
export interface Columns {
  readonly data: ArrayLike<number>;
  readonly offset: number;
  readonly cellStep: number;
  readonly channelStep: number;
}

/** How scores are read: which raw values can reach the threshold at all, and raw value → probability. */
export interface Scoring {
  readonly threshold: number;
  /** Raw values below this stay under the threshold whatever they are multiplied with. */
  readonly floor: number;
  probability(raw: number): number;
}

export function scoring(sigmoidApplied: boolean, threshold: number): Scoring {
  if (sigmoidApplied) return { threshold, floor: threshold, probability: (x) => x };
  return { threshold, floor: -Math.log(1 / threshold - 1) - 1e-6, probability: sigmoid };
}

export interface Collector {
  /**
   * Adds cell `i`'s box once for each class whose probability times `factor` reaches the threshold: COCO evaluation counts
   * every class of a box, not only the best (one class a box costs YOLOX-Nano about 0.9 mAP).
   * @param x left edge, `y` top edge; network pixels
   */
  add(x: number, y: number, width: number, height: number, factor: number, classes: Columns, i: number): void;
  done(): Candidates;
}

export function collector(numClasses: number, { threshold, floor, probability }: Scoring): Collector {
  let capacity = 256;
  let count = 0;
  let boxes = new Float32Array(capacity * 4);
  let scores = new Float32Array(capacity);
  let indices = new Int32Array(capacity);
  const grow = () => {
    capacity *= 4;
    const old = { boxes, scores, indices };
    boxes = new Float32Array(capacity * 4);
    scores = new Float32Array(capacity);
    indices = new Int32Array(capacity);
    boxes.set(old.boxes);
    scores.set(old.scores);
    indices.set(old.indices);
  };
  return {
    add(x, y, width, height, factor, { data, offset, cellStep, channelStep }, i) {
      let at = offset + i * cellStep;
      for (let c = 0; c < numClasses; c++, at += channelStep) {
        const raw = data[at]!;
        if (!(raw >= floor)) continue;
        const score = factor * probability(raw);
        if (!(score >= threshold)) continue;
        if (count === capacity) grow();
        boxes[count * 4] = x;
        boxes[count * 4 + 1] = y;
        boxes[count * 4 + 2] = width;
        boxes[count * 4 + 3] = height;
        scores[count] = score;
        indices[count++] = c;
      }
    },
    done: () => ({ boxes: boxes.slice(0, count * 4), scores: scores.slice(0, count), classes: indices.slice(0, count) }),
  };
}

/**
 * The named output's values.
 * @throws StudioError 'runtime' when it is missing or has another number of values than `length`
 */
export function outputData(outputs: DecodeInput, name: string, length: number): ArrayLike<number> {
  const output = outputs[name];
  if (!output) throw new StudioError('runtime', `The network gave no output "${name}".`, `It gave: ${Object.keys(outputs).join(', ')}.`);
  if (output.data instanceof BigInt64Array || output.data instanceof BigUint64Array)
    throw new StudioError('runtime', `Output "${name}" holds 64-bit integers, not detections.`, 'Open it as a generic network.');
  if (output.data.length !== length)
    throw new StudioError(
      'runtime',
      `Output "${name}" has ${output.data.length} values (${output.dims.join('×')}), ${length} were expected.`,
      'Run it with one image of the size that its preprocessing says.',
    );
  return output.data;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** exp for box sizes: a collapsed network's huge logits stay finite. */
export function sizeExp(x: number): number {
  return Math.exp(Math.min(x, 20));
}

/** Largest raw class value of cell `i`. */
export function topClass({ data, offset, cellStep, channelStep }: Columns, i: number, count: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0, at = offset + i * cellStep; c < count; c++, at += channelStep) if (data[at]! > top) top = data[at]!;
  return top;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Smallest and largest value of channels `from` … `to` − 1 over `cells` cells. */
export function rangeOf(columns: Columns, cells: number, from: number, to: number): Range {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < cells; i++)
    for (let c = from; c < to; c++) {
      const v = columns.data[columns.offset + i * columns.cellStep + c * columns.channelStep]!;
      if (v < min) min = v;
      if (v > max) max = v;
    }
  return { min, max };
}

/** Whether measured scores are probabilities. Logits of thousands of cells never all lie in 0…1. */
export function looksLikeProbability({ min, max }: Range): boolean {
  return min >= -1e-3 && max <= 1 + 1e-3;
}
