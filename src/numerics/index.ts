/** Numbers: dtypes, shapes, rounding, quantization parameters, seeded random, errors. May import nothing. */
export type { DType, TensorData } from './dtype';
export { cancelled, describeError, type ErrorCode, StudioError } from './errors';
export type { RgbImage } from './image';
