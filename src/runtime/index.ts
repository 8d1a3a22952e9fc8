/** Sessions over onnxruntime-web and onnxruntime-node. May import onnx, kernels and numerics. */
export type * from './types';
