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

export interface Collector {
  /** A box by its corners or centre is the caller's matter: x, y = top-left, in network pixels. */
  add(x: number, y: number, width: number, height: number, score: number, classIndex: number): void;
  done(): Candidates;
}

export function collector(): Collector {
  const boxes: number[] = [];
  const scores: number[] = [];
  const classes: number[] = [];
  return {
    add(x, y, width, height, score, classIndex) {
      boxes.push(x, y, width, height);
      scores.push(score);
      classes.push(classIndex);
    },
    done: () => ({ boxes: Float32Array.from(boxes), scores: Float32Array.from(scores), classes: Int32Array.from(classes) }),
  };
}

/**
 * The named output's values.
 * @throws StudioError 'runtime' when it is missing or has another number of values than `length`
 */
export function outputData(outputs: DecodeInput, name: string, length: number): ArrayLike<number> {
  const output = outputs[name];
  if (!output) throw new StudioError('runtime', `The network gave no output "${name}".`, `It gave: ${Object.keys(outputs).join(', ')}.`);
  if (output.data.length !== length)
    throw new StudioError(
      'runtime',
      `Output "${name}" has ${output.data.length} values (${output.dims.join('×')}), ${length} were expected.`,
      'Run it with one image of the size that its preprocessing says.',
    );
  return output.data;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** exp for box sizes: a collapsed network's huge logits stay finite. */
export function sizeExp(x: number): number {
  return Math.exp(Math.min(x, 20));
}

/** Class with the largest value at cell `i`, and that value. */
export function bestClass(columns: Columns, i: number, count: number): { index: number; value: number } {
  let at = columns.offset + i * columns.cellStep;
  let index = 0;
  let value = columns.data[at]!;
  for (let c = 1; c < count; c++) {
    at += columns.channelStep;
    if (columns.data[at]! > value) {
      value = columns.data[at]!;
      index = c;
    }
  }
  return { index, value };
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
