/**
 * The known-good envelope: what public logs show to compile. Outside it nothing is known, so the checks warn and never
 * forbid. Seen: Focus, Conv 1×1, 3×3, 5×5 with stride 1 or 2, depthwise 3×3 and 5×5, MaxPool 5, 9, 13, nearest ×2.
 */
import { attrInts, attrString, type Node, type OpType } from '../onnx';
import { focusOf, siluOf } from './patterns';
import type { Finding, NodeCheck, NodeView } from './types';

const ASK = 'It may still compile: try the parser early.';

function outside(what: string): Finding {
  return { state: 'runs', reason: `${what}, which no public log shows on this device.`, advice: ASK };
}

function kernelOf(node: Node, view: NodeView): readonly number[] | null {
  return attrInts(node, 'kernel_shape') ?? view.constantDims(node.inputs[1] ?? '')?.slice(2) ?? null;
}

const checkConv: NodeCheck = (node, view) => {
  const weight = view.constantDims(node.inputs[1] ?? '');
  if (!weight)
    return {
      state: 'unsupported',
      reason: 'Its weights are not constant.',
      advice: 'Fold constants, or give the float model if this one is quantized.',
    };
  const kernel = kernelOf(node, view)!;
  if (kernel.length !== 2)
    return {
      state: 'unsupported',
      reason: `A ${kernel.length}-D convolution; 1-D ones timed out in a public test.`,
      advice: 'Make it 2-D.',
    };
  const strides = attrInts(node, 'strides', [1, 1]);
  const dilations = attrInts(node, 'dilations', [1, 1]);
  if (kernel[0] !== kernel[1] || ![1, 3, 5].includes(kernel[0]!)) return outside(`Kernel ${kernel.join('×')}`);
  if (strides[0] !== strides[1] || strides[0]! > 2) return outside(`Stride ${strides.join('×')}`);
  if (dilations.some((d) => d !== 1)) return outside(`Dilation ${dilations.join('×')}`);
  return null;
};

const checkMaxPool: NodeCheck = (node) => {
  const kernel = attrInts(node, 'kernel_shape', []);
  return kernel.every((k) => [2, 3, 5, 9, 13].includes(k)) ? null : outside(`Pooling over ${kernel.join('×')}`);
};

const checkResize: NodeCheck = (node) => {
  const mode = attrString(node, 'mode', 'nearest');
  return mode === 'nearest' || mode === 'linear' ? null : outside(`Resize by "${mode}"`);
};

/** x · sigmoid(x) is one activation; a product with anything else is a layer of its own. */
const checkMul: NodeCheck = (node, view) =>
  siluOf(node, view) && {
    state: 'runs differently',
    reason: 'SiLU is an attribute of the convolution before it, so only its result is quantized.',
    advice: 'It may cost accuracy in 8 bits; the vendor retrained its own YOLOX with LeakyReLU.',
  };

/** Every second pixel, twice: the four Slices of YOLOX's Focus become one space_to_depth. */
const checkSlice: NodeCheck = (node, view) =>
  focusOf(node, view) && {
    state: 'runs differently',
    reason: 'The four Slices and the Concat of Focus become one space_to_depth.',
    advice: '',
  };

export const HAILO_CHECKS: Readonly<Partial<Record<OpType, NodeCheck>>> = {
  Conv: checkConv,
  MaxPool: checkMaxPool,
  Resize: checkResize,
  Mul: checkMul,
  Slice: checkSlice,
};
