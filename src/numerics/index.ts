/** Numbers: dtypes, shapes, rounding, quantization parameters, seeded random, errors. May import nothing. */
export type { DType, TensorData } from './dtype';
export { leastDivergenceRange } from './entropy';
export { cancelled, describeError, type ErrorCode, REPORT_IT, readableText, StudioError } from './errors';
export {
  type HistogramLike,
  histogramError,
  histogramQuantile,
  leastErrorRange,
  percentileRange,
} from './histogram';
export type { RgbImage } from './image';
export { type Affine, cholesky, type Gram, ridge, rowErrors, solveCholesky } from './least-squares';
export {
  absMax,
  dequantize,
  fakeQuant,
  integerLimits,
  MIN_SCALE,
  type NumericTensor,
  type QParams,
  type QuantDType,
  qparamsFromRange,
  quantize,
  quantizeValue,
  type RangeScheme,
  weightQParams,
} from './qparams';
export { createRandom, type Random, type RandomState } from './random';
export { resizeBilinear } from './resize';
export { roundHalfEven } from './rounding';
