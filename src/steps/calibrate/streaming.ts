/** Statistics over any number of images in memory that doesn't grow with them. */
import { BINS, type Grid, gridFor, histogramCpu, type Moments, regrid } from '../../kernels';
import type { TensorStats } from '../types';
import type { MeasuredTensor } from './tensors';

/** What one image adds for one tensor. */
export interface Contribution {
  /** Per channel; infinite or NaN where the values are. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Values that min and max saw. */
  readonly elements: number;
  /** A sample, or counts and moments of all values. */
  readonly values: { readonly sample: Float32Array } | { readonly counts: Uint32Array; readonly grid: Grid; readonly moments: Moments };
}

export interface Running {
  readonly tensor: MeasuredTensor;
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** What the histogram has to cover. */
  low: number;
  high: number;
  count: number;
  sampled: number;
  sum: number;
  sumSquares: number;
  counts: Uint32Array;
  grid: Grid | null;
}

export function startRunning(tensor: MeasuredTensor, channels: number): Running {
  return {
    tensor,
    min: new Float32Array(channels).fill(Number.POSITIVE_INFINITY),
    max: new Float32Array(channels).fill(Number.NEGATIVE_INFINITY),
    low: Number.POSITIVE_INFINITY,
    high: Number.NEGATIVE_INFINITY,
    count: 0,
    sampled: 0,
    sum: 0,
    sumSquares: 0,
    counts: new Uint32Array(BINS),
    grid: null,
  };
}

/** Adds one image; infinite and NaN values are left out of everything. */
export function addImage(state: Running, image: Contribution): void {
  const { values } = image;
  const sample = 'sample' in values ? summarize(values.sample) : null;
  for (let c = 0; c < state.min.length; c++) {
    const lo = image.min[c]!;
    const hi = image.max[c]!;
    if (lo < state.min[c]! && lo > Number.NEGATIVE_INFINITY) state.min[c] = lo;
    if (hi > state.max[c]! && hi < Number.POSITIVE_INFINITY) state.max[c] = hi;
    if (state.min[c]! < state.low) state.low = state.min[c]!;
    if (state.max[c]! > state.high) state.high = state.max[c]!;
  }
  state.count += image.elements;
  if (sample) {
    // Derived extremes may be an ulp off, and non-finite ones say nothing: what was sampled is covered in any case.
    if (sample.min < state.low) state.low = sample.min;
    if (sample.max > state.high) state.high = sample.max;
  }
  if (!(state.low <= state.high)) return;
  const grid = gridFor(state.low, state.high);
  if (state.grid && (grid.exponent !== state.grid.exponent || grid.first !== state.grid.first))
    state.counts = regrid(state.counts, state.grid, grid);
  state.grid = grid;
  if (sample) histogramCpu(sample.finite, grid, state.counts);
  else if ('counts' in values) regrid(values.counts, values.grid, grid, state.counts);
  const moments = 'moments' in values ? values.moments : sample!;
  state.sampled += sample ? sample.finite.length : image.elements;
  state.sum += moments.sum;
  state.sumSquares += moments.sumSquares;
}

/** Finite values of a sample, their extremes and moments, in one loop. */
function summarize(sample: Float32Array) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let sumSquares = 0;
  for (let i = 0; i < sample.length; i++) {
    const v = sample[i]!;
    if (v - v !== 0) return summarize(sample.filter((x) => x - x === 0));
    if (v < min) min = v;
    if (v > max) max = v;
    sum += v;
    sumSquares += v * v;
  }
  return { finite: sample, min, max, sum, sumSquares };
}

/** @returns null when no finite value was seen */
export function finish(state: Running): TensorStats | null {
  const { tensor, grid } = state;
  if (!grid || state.sampled === 0) return null;
  const width = 2 ** grid.exponent;
  const bins = state.counts.findLastIndex((count) => count > 0) + 1;
  const mean = state.sum / state.sampled;
  const low = grid.first * width;
  const high = (grid.first + bins) * width;
  return {
    name: tensor.name,
    min: state.low,
    max: state.high,
    mean,
    variance: Math.max(0, state.sumSquares / state.sampled - mean * mean),
    count: state.count,
    histogramCount: state.sampled,
    histogram: state.counts.slice(0, bins),
    histogramMin: low,
    histogramMax: high,
    ...(tensor.dims.length >= 2 ? { channelMin: state.min, channelMax: state.max } : {}),
  };
}
