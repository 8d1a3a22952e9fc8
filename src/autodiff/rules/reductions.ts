/** Gradients of reductions, softmax and normalizations over axes. */
import { attrFloat, attrInt, attrInts } from '../../onnx';
import { type Dims, product } from '../emitter';
import type { GradientContext, GradientRule } from '../types';
import { positive } from './moves';

/** Axes of a reduction: attribute or input; none = all, unless noop_with_empty_axes. */
function axesOf(c: GradientContext): readonly number[] {
  const rank = c.dims(0).length;
  const given = attrInts(c.node, 'axes') ?? (c.has(1) ? c.fixed(1) : []);
  if (given.length > 0) return given.map((axis) => positive(axis, rank)).sort((a, b) => a - b);
  return attrInt(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : c.dims(0).map((_, i) => i);
}

const kept = (dims: Dims, axes: readonly number[]): Dims => dims.map((size, i) => (axes.includes(i) ? 1 : size));

/** `value` (the output or its gradient) with the reduced axes as ones. */
function open(c: GradientContext, value: string, axes: readonly number[]): string {
  const dims = kept(c.dims(0), axes);
  return dims.join() === c.outDims(0).join() ? value : c.e.reshape(value, dims);
}

export const reduceSum: GradientRule = (c) => [c.e.expand(open(c, c.g, axesOf(c)), c.dims(0))];

export const reduceMean: GradientRule = (c) => {
  const axes = axesOf(c);
  const count = axes.reduce((n, axis) => n * c.dims(0)[axis]!, 1);
  return [c.e.expand(open(c, c.e.times(c.g, 1 / count), axes), c.dims(0))];
};

/** ReduceMax and ReduceMin: elements that tie share. */
export const reduceExtremum: GradientRule = (c) => {
  const { e } = c;
  const axes = axesOf(c);
  const hit = e.indicator('Equal', c.x(0), open(c, c.y(0), axes));
  return [e.mul(hit, e.div(open(c, c.g, axes), e.reduceSum(hit, axes, true)))];
};

export const reduceL2: GradientRule = (c) => {
  const { e } = c;
  const axes = axesOf(c);
  return [e.mul(c.x(0), open(c, e.div(c.g, c.y(0)), axes))];
};

const softAxis = (c: GradientContext): number => positive(attrInt(c.node, 'axis', -1), c.dims(0).length);

/** y·(g − Σ g·y). */
export const softmax: GradientRule = (c) => {
  const { e } = c;
  const weighted = e.mul(c.g, c.y(0));
  return [e.sub(weighted, e.mul(c.y(0), e.reduceSum(weighted, [softAxis(c)], true)))];
};

/** g − eʸ·Σ g. */
export const logSoftmax: GradientRule = (c) => {
  const { e } = c;
  return [e.sub(c.g, e.mul(e.emit('Exp', [c.y(0)]), e.reduceSum(c.g, [softAxis(c)], true)))];
};

/** What normalizing over `axes` does: x̂ = (x − mean)/√(var + ε), and the gradient of x from that of x̂. */
function normalized(c: GradientContext, axes: readonly number[], epsilon: number): { hat: string; back(g: string): string } {
  const { e } = c;
  const centred = e.sub(c.x(0), e.reduce('ReduceMean', c.x(0), axes, true));
  const variance = e.reduce('ReduceMean', e.mul(centred, centred), axes, true);
  const deviation = e.emit('Sqrt', [e.add(variance, e.scalar(epsilon))]);
  const hat = e.div(centred, deviation);
  const average = (v: string) => e.reduce('ReduceMean', v, axes, true);
  return { hat, back: (g) => e.div(e.sub(e.sub(g, average(g)), e.mul(hat, average(e.mul(g, hat)))), deviation) };
}

const EPSILON = Math.fround(1e-5);

/** Scale and shift are per channel (axis 1). */
const perChannel = (c: GradientContext): Dims => c.dims(0).map((size, i) => (i === 1 ? size : 1));
const butChannel = (c: GradientContext): readonly number[] => c.dims(0).flatMap((_, i) => (i === 1 ? [] : [i]));

/** The batch's own mean and variance, per channel: at momentum 0 they are the node's further outputs. */
function batchStatistics(c: GradientContext, axes: readonly number[]): readonly [mean: string, variance: string] {
  const { e, node } = c;
  if (attrFloat(node, 'momentum', 0.9) === 0 && node.outputs[1] && node.outputs[2]) return [node.outputs[1], node.outputs[2]];
  const mean = e.reduce('ReduceMean', c.x(0), axes, true);
  const centred = e.sub(c.x(0), mean);
  const flat = (v: string) => e.reshape(v, [c.dims(0)[1]!]);
  return [flat(mean), flat(e.reduce('ReduceMean', e.mul(centred, centred), axes, true))];
}

/**
 * dx = γ/σ · (g − mean g − x̂ · mean(g·x̂)). BatchNormalization itself computes x̂ and the affine part, for it reads a large
 * value once where arithmetic with broadcasting needs three operators.
 */
function trainingNormalization(c: GradientContext, shift: string, axes: readonly number[], channel: Dims, epsilon: number) {
  const { e, g } = c;
  const width = c.dims(0)[1]!;
  const each = (v: number) => e.floats([width], new Float32Array(width).fill(v));
  const [mean, variance] = batchStatistics(c, axes);
  const affine = (scale: string, bias: string) => e.emit('BatchNormalization', [c.x(0), scale, bias, mean, variance], { epsilon });
  const scale = e.reduceSum(e.mul(g, affine(each(1), each(0))), axes, false);
  const factor = e.div(c.x(1), e.emit('Sqrt', [e.add(variance, e.scalar(epsilon))]));
  const share = e.times(factor, -width / product(c.dims(0)));
  const back = () => e.add(e.mul(g, e.reshape(factor, channel)), affine(e.mul(share, scale), e.mul(share, shift)));
  return [c.wants(0) ? back() : null, scale, shift, null, null];
}

export const batchNormalization: GradientRule = (c) => {
  const { e, g } = c;
  const epsilon = attrFloat(c.node, 'epsilon', EPSILON);
  const [channel, axes] = [perChannel(c), butChannel(c)];
  const spread = (i: number) => e.reshape(c.x(i), channel);
  const shift = e.reduceSum(g, axes, false);
  if (attrInt(c.node, 'training_mode', 0) === 1) return trainingNormalization(c, shift, axes, channel, epsilon);
  const deviation = e.emit('Sqrt', [e.add(c.x(4), e.scalar(epsilon))]);
  const factor = e.div(c.x(1), deviation);
  const scale = () => e.div(e.reduceSum(e.mul(g, e.sub(c.x(0), spread(3))), axes, false), deviation);
  const wanted = c.wants(1) || c.wants(4) ? scale() : null;
  return [
    e.mul(g, e.reshape(factor, channel)),
    wanted,
    shift,
    c.wants(3) ? e.neg(e.mul(shift, factor)) : null,
    c.wants(4) ? e.times(e.div(e.mul(wanted!, factor), deviation), -0.5) : null,
  ];
};

export const instanceNormalization: GradientRule = (c) => {
  const { e, g } = c;
  const rank = c.dims(0).length;
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  const { hat, back } = normalized(c, axes, attrFloat(c.node, 'epsilon', EPSILON));
  const all = butChannel(c);
  return [back(e.mul(g, e.reshape(c.x(1), perChannel(c)))), e.reduceSum(e.mul(g, hat), all, false), e.reduceSum(g, all, false)];
};

export const layerNormalization: GradientRule = (c) => {
  const { e, g } = c;
  const dims = c.dims(0);
  const first = positive(attrInt(c.node, 'axis', -1), dims.length);
  const axes = dims.flatMap((_, i) => (i >= first ? [i] : []));
  const { hat, back } = normalized(c, axes, attrFloat(c.node, 'epsilon', EPSILON));
  const parameter = (i: number, value: () => string) => (c.wants(i) ? e.reduceTo(value(), dims, c.dims(i)) : null);
  return [back(e.mul(g, c.x(1))), parameter(1, () => e.mul(g, hat)), parameter(2, () => g)];
};
