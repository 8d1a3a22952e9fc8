/** RunTensor to ONNX Runtime's tensor and back, and what is wrong with a feed. */
import type { Tensor, TypedTensor } from 'onnxruntime-web';
import { type DType, REPORT_IT, StudioError } from '../numerics';
import type { RunTensor } from './types';

type OrtData = Tensor.DataTypeMap[Exclude<Tensor.Type, 'string'>];

/** The part of ONNX Runtime that both packages share; which package it is stays with the engine's file. */
export type TensorConstructor = new (type: Tensor.Type, data: OrtData, dims: readonly number[]) => Tensor;

const STORAGE = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} satisfies Partial<Record<DType, unknown>>;

/** Copies nothing. Throws 'bad-data' when the storage or the number of values doesn't fit the type and shape. */
export function toOrt(Ctor: TensorConstructor, name: string, tensor: RunTensor): Tensor {
  const storage = (STORAGE as Partial<Record<DType, new (n: number) => RunTensor['data']>>)[tensor.dtype];
  if (!storage)
    throw new StudioError(
      'unsupported',
      `Input "${name}" has type ${tensor.dtype}, which ONNX Runtime can't be fed with.`,
      'Export the model with a float32 or uint8 input.',
    );
  if (!(tensor.data instanceof storage))
    throw new StudioError('bad-data', `Input "${name}" is ${tensor.dtype} but its data is a ${tensor.data.constructor.name}.`, REPORT_IT);
  const elements = tensor.dims.reduce((a, b) => a * b, 1);
  if (elements !== tensor.data.length)
    throw new StudioError(
      'bad-data',
      `Input "${name}" has ${tensor.data.length} values, its shape [${tensor.dims.join(', ')}] needs ${elements}.`,
      'Use the size of image that the network was exported for.',
    );
  return new Ctor(tensor.dtype as Tensor.Type, tensor.data as OrtData, tensor.dims);
}

/** The data is ONNX Runtime's own copy, so it may be kept; float16 comes as its bits. */
export function fromOrt(name: string, tensor: Tensor): RunTensor {
  if (!(tensor.type in STORAGE))
    throw new StudioError(
      'unsupported',
      `Output "${name}" has type ${tensor.type}, which the studio can't read.`,
      'Export the model with float32 outputs.',
    );
  const data = (tensor as TypedTensor<Exclude<Tensor.Type, 'string'>>).data as RunTensor['data'];
  // Where the browser has Float16Array, ONNX Runtime hands that out.
  const bits = tensor.type === 'float16' ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
  return { dtype: tensor.type as DType, dims: [...tensor.dims], data: bits };
}
