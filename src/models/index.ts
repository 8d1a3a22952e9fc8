/** Detector families, preprocessing, decoding, NMS. May import onnx and numerics. */
export type * from './types';
