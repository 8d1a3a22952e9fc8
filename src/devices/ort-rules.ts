/** What ONNX Runtime makes of a node where its neighbours decide. */
import type { OpType } from '../onnx';
import { siluOf } from './patterns';
import type { NodeCheck } from './types';

const checkMul: NodeCheck = (node, view) =>
  siluOf(node, view) && {
    state: 'runs differently',
    reason:
      'There is no quantized SiLU: quantized as one layer with its convolution, both compute in float between the pairs; unfused, they are three integer kernels.',
    advice: 'Accuracy is better fused, speed is better unfused ("fuseActivations").',
  };

const checkConv: NodeCheck = (node, view) => {
  if (view.constantDims(node.inputs[1] ?? '')) return null;
  return { state: 'runs differently', reason: 'Its weights are computed, so it stays in float.', advice: 'Fold constants first.' };
};

export const ORT_CHECKS: Readonly<Partial<Record<OpType, NodeCheck>>> = { Mul: checkMul, Conv: checkConv };
