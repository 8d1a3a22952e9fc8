/** Grids of a detector: which strides make N predictions on an input of a given size. */
import type { HeadLevel } from './types';

const STRIDE_SETS: readonly (readonly number[])[] = [[8, 16, 32], [8, 16, 32, 64], [4, 8, 16, 32], [16, 32], [8, 16], [8], [16], [32]];

/** The grid of one stride; a size that the stride doesn't divide is rounded up, as padded convolutions do. */
export function gridOf(stride: number, width: number, height: number): HeadLevel {
  return { stride, rows: Math.ceil(height / stride), cols: Math.ceil(width / stride) };
}

/** Levels, finest first, whose cells times `anchors` make `count`; null when no usual set of strides does. */
export function solveLevels(count: number, anchors: number, width: number, height: number): readonly HeadLevel[] | null {
  for (const strides of STRIDE_SETS) {
    const levels = strides.map((stride) => gridOf(stride, width, height));
    if (cellCount(levels) * anchors === count) return levels;
  }
  return null;
}

export function cellCount(levels: readonly HeadLevel[]): number {
  return levels.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
}

/** The level of a rows × cols map: its stride is a power of two that fits both sides; null otherwise. */
export function levelOfMap(rows: number, cols: number, width: number, height: number): HeadLevel | null {
  for (let stride = 2; stride <= 128; stride *= 2) {
    const level = gridOf(stride, width, height);
    if (level.rows === rows && level.cols === cols) return level;
  }
  return null;
}
