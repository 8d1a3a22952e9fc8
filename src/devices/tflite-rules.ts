/** What TensorFlow Lite makes of a node where its neighbours decide. */
import { attrInts, attrString, type OpType } from '../onnx';
import { focusOf, siluOf } from './patterns';
import type { NodeCheck } from './types';

const checkConv: NodeCheck = (node, view) => {
  const weight = view.constantDims(node.inputs[1] ?? '');
  if (!weight)
    return {
      state: 'falls back',
      reason: 'Its weights are not constant, so no delegate takes it.',
      advice: 'Fold constants, or give the float model if this one is quantized.',
    };
  const [, inner] = weight;
  const group = node.attributes.group;
  const groups = group?.type === 'int' ? Number(group.value) : 1;
  if (groups > 1 && inner !== 1)
    return {
      state: 'falls back',
      reason: `A grouped convolution (${groups} groups of ${inner} channels) is taken apart into slices, or runs on the CPU alone.`,
      advice: 'Use depthwise or dense convolutions.',
    };
  const dilations = attrInts(node, 'dilations', [1, 1]);
  if (dilations.some((d) => d !== dilations[0]))
    return {
      state: 'falls back',
      reason: `Dilation ${dilations.join('×')}; the Edge TPU wants the same one in both directions.`,
      advice: 'Use one dilation.',
    };
  return null;
};

/** x · sigmoid(x) is LOGISTIC and MUL, each quantized. */
const checkMul: NodeCheck = (node, view) =>
  siluOf(node, view) && {
    state: 'runs differently',
    reason:
      'SiLU is LOGISTIC and MUL here: the convolution, the sigmoid and the product are quantized one by one, with up to 1/256 lost at the sigmoid.',
    advice: 'Train with ReLU or ReLU6 instead, or switch "fuseActivations" off so that the figures show it.',
  };

const checkSlice: NodeCheck = (node, view) =>
  focusOf(node, view) && {
    state: 'runs differently',
    reason: 'The Focus is four STRIDED_SLICE and a CONCATENATION, which delegates may refuse.',
    advice: 'Replace Focus by the equal 6×6 convolution with stride 2.',
  };

const checkResize: NodeCheck = (node) => {
  const mode = attrString(node, 'mode', 'nearest');
  return mode === 'nearest' || mode === 'linear'
    ? null
    : { state: 'falls back', reason: `Resize by "${mode}" has no operator here.`, advice: 'Use nearest or linear resizing.' };
};

export const TFLITE_CHECKS: Readonly<Partial<Record<OpType, NodeCheck>>> = {
  Conv: checkConv,
  Mul: checkMul,
  Slice: checkSlice,
  Resize: checkResize,
};
