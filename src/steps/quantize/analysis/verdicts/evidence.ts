/** What verdicts show: grids, histograms and channel ranges, small enough to draw. */
import { fakeQuant, type QParams } from '../../../../numerics';
import { type Node, type Tensor, toFloat32 } from '../../../../onnx';
import type { TensorStats } from '../../../types';
import { weightLayout } from '../../constants';
import { sqnrDb } from '../../error';
import type { ConstantQuant } from '../../plan-types';
import type { Evidence, GridLines, Histogram } from '../types';
import type { Scene } from './types';

const BINS = 128;

export function gridLines(params: QParams, slice = 0): GridLines {
  const scale = params.scale[slice]!;
  const zeroPoint = params.zeroPoint[slice]!;
  const { qmin, qmax } = params;
  return { scale, zeroPoint, qmin, qmax, lo: (qmin - zeroPoint) * scale, hi: (qmax - zeroPoint) * scale };
}

/** Fewer, wider bins over the same range. */
export function coarser(stats: TensorStats): Histogram {
  const { histogram, histogramMin: from, histogramMax: to } = stats;
  const counts = new Array<number>(Math.min(BINS, histogram.length)).fill(0);
  histogram.forEach((count, i) => {
    counts[Math.floor((i * counts.length) / histogram.length)]! += count;
  });
  return { counts, from, to };
}

export function histogramOf(values: ArrayLike<number>): Histogram {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) [from, to] = [Math.min(from, values[i]!), Math.max(to, values[i]!)];
  const counts = new Array<number>(BINS).fill(0);
  const width = (to - from) / BINS || 1;
  for (let i = 0; i < values.length; i++) counts[Math.min(BINS - 1, Math.floor((values[i]! - from) / width))]!++;
  return { counts, from, to };
}

/** A layer's weight with its plan, channel by channel. */
export interface WeightView {
  readonly tensor: Tensor;
  readonly values: Float32Array;
  readonly constant: ConstantQuant;
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** max |w| of each output channel. */
  readonly bounds: readonly number[];
}

/** Along the axis of a layer's output channels (of grouped ConvTranspose: within a group). */
export function weightView(scene: Scene, node: Node | null): WeightView | null {
  const constant = scene.plan.constants.find((c) => c.node === node?.name && c.role === 'weight');
  const tensor = constant && scene.float.graph.initializers.get(constant.tensor);
  if (!node || !constant || !tensor) return null;
  const { axis } = weightLayout(node, tensor);
  const values = toFloat32(tensor);
  const size = tensor.dims[axis]!;
  const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const low = new Array<number>(size).fill(Number.POSITIVE_INFINITY);
  const high = new Array<number>(size).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < values.length; i++) {
    const c = Math.floor(i / inner) % size;
    if (values[i]! < low[c]!) low[c] = values[i]!;
    if (values[i]! > high[c]!) high[c] = values[i]!;
  }
  const bounds = low.map((l, c) => Math.max(-l, high[c]!, 0));
  return { tensor, values, constant, low, high, bounds };
}

/** SQNR in dB of rounded weights, every output channel counting alike: what small channels lose isn't drowned by large ones. */
export function weightDb(scene: Scene, node: Node | null): number {
  const view = weightView(scene, node);
  if (!view || !node) return sqnrDb(1, 0);
  const { tensor, values, constant } = view;
  const rounded = fakeQuant({ dims: tensor.dims, data: values }, constant.params);
  const inner = tensor.dims.slice(weightLayout(node, tensor).axis + 1).reduce((a, b) => a * b, 1);
  const signal = new Float64Array(view.bounds.length);
  const noise = new Float64Array(view.bounds.length);
  for (let i = 0; i < values.length; i++) {
    const c = Math.floor(i / inner) % signal.length;
    signal[c]! += values[i]! ** 2;
    noise[c]! += (values[i]! - rounded[i]!) ** 2;
  }
  const ratios = [...noise].flatMap((n, c) => (signal[c]! > 0 ? [n / signal[c]!] : []));
  return sqnrDb(
    ratios.length,
    ratios.reduce((a, b) => a + b, 0),
  );
}

export function weightEvidence({ tensor, values, constant, low, high }: WeightView, figures: Evidence['figures']): Evidence {
  const { params } = constant;
  const coarsest = params.scale.indexOf(Math.max(...params.scale));
  return {
    tensor: tensor.name,
    role: 'weight',
    grid: gridLines(params, coarsest),
    histogram: histogramOf(values),
    channels: { low, high },
    figures,
  };
}

export function activationEvidence(scene: Scene, value: string, figures: Evidence['figures']): Evidence {
  const stats = scene.ranges.tensors.get(value);
  const planned = scene.plan.activations.get(value);
  return {
    tensor: value,
    role: 'activation',
    grid: planned ? gridLines(planned.params) : null,
    histogram: stats ? coarser(stats) : null,
    channels: stats?.channelMin && stats.channelMax ? { low: [...stats.channelMin], high: [...stats.channelMax] } : null,
    figures,
  };
}

/** Three significant digits, without exponents for everyday sizes. */
export function figure(x: number): string {
  const size = Math.abs(x);
  return size === 0 || (size >= 0.001 && size < 1e6) ? String(Number(x.toPrecision(3))) : x.toExponential(1);
}

/** A ratio as people say it: 3.4×, 28×; from 100 on 1, 3, 10… times a power of ten, since nobody compares 847 with 912. */
export function times(ratio: number): string {
  if (ratio < 10) return `${Number(ratio.toPrecision(2))}×`;
  if (ratio < 100) return `${Math.round(ratio)}×`;
  const power = 10 ** Math.floor(Math.log10(ratio));
  const lead = ratio / power;
  return `${(lead < Math.sqrt(3) ? 1 : lead < Math.sqrt(30) ? 3 : 10) * power}×`;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
