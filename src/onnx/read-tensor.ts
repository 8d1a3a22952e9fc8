/** TensorProto → Tensor: raw, typed and external data, checked against type and dimensions before anything is allocated. */
import { type DType, StudioError } from '../numerics';
import { arrayType, isAmbiguous, storageOf } from './dtypes';
import type { ExternalData } from './external';
import type { TensorProto } from './gen/onnx_pb';
import type { Tensor } from './graph';

/** Far above any detector and small enough that element × size stays exact. */
const MAX_ELEMENTS = 2 ** 40;

function bad(name: string, problem: string): StudioError {
  return new StudioError('bad-model', `Tensor "${name}" ${problem}.`, 'The file is damaged: export or download it again.');
}

function readDims(name: string, raw: readonly bigint[]): number[] {
  let elements = 1;
  return raw.map((value) => {
    if (value < 0n) throw bad(name, `has the negative dimension ${value}`);
    elements *= Number(value);
    if (value > BigInt(MAX_ELEMENTS) || elements > MAX_ELEMENTS) throw bad(name, `has the impossible shape [${raw.join(', ')}]`);
    return Number(value);
  });
}

/** The typed field that holds data when raw_data doesn't, and how many of its entries make one element. */
function typedField(proto: TensorProto, dtype: DType, bits: number): { values: readonly (number | bigint)[]; perElement: number } {
  switch (dtype) {
    case 'float32':
      return { values: proto.floatData, perElement: 1 };
    case 'float64':
      return { values: proto.doubleData, perElement: 1 };
    case 'complex':
      return { values: bits === 64 ? proto.floatData : proto.doubleData, perElement: 2 };
    case 'int64':
      return { values: proto.int64Data, perElement: 1 };
    case 'uint64':
    case 'uint32':
      return { values: proto.uint64Data, perElement: 1 };
    default:
      return { values: proto.int32Data, perElement: bits < 8 ? bits / 8 : 1 };
  }
}

function fromTyped(values: readonly (number | bigint)[], dtype: DType, bits: number): Tensor['data'] {
  if (dtype === 'complex') return new Uint8Array((bits === 64 ? Float32Array : Float64Array).from(values as number[]).buffer);
  const Data = arrayType(dtype);
  const data = new Data(values.length);
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < values.length; i++) data[i] = big ? values[i]! : Number(values[i]!);
  return data;
}

/** A copy in its own, aligned buffer: raw_data is a view at any offset into the file. */
function fromRaw(bytes: Uint8Array, dtype: DType): Tensor['data'] {
  return new (arrayType(dtype))(bytes.slice().buffer);
}

function readStrings(name: string, proto: TensorProto, elements: number): string[] {
  if (proto.stringData.length !== elements) throw bad(name, `holds ${proto.stringData.length} strings, its shape needs ${elements}`);
  const decoder = new TextDecoder();
  return proto.stringData.map((bytes) => decoder.decode(bytes));
}

/**
 * @param fallbackName stands in messages where the tensor has no name
 * @throws StudioError 'bad-model' when data, type and shape contradict each other; 'missing-data' for an absent file
 */
export function readTensor(proto: TensorProto, fallbackName: string, external: ExternalData): Tensor {
  const name = proto.name || fallbackName;
  const storage = storageOf(proto.dataType);
  if (!storage)
    throw new StudioError(
      'unsupported',
      `Tensor "${name}" has the unknown element type ${proto.dataType}.`,
      'Export the model again with float32 weights.',
    );
  const { dtype, bits } = storage;
  const dims = readDims(name, proto.dims);
  const elements = dims.reduce((a, b) => a * b, 1);
  const head = { name: proto.name, dtype, dims, ...(isAmbiguous(proto.dataType) ? { onnxType: proto.dataType } : {}) };
  if (dtype === 'string') return { ...head, data: readStrings(name, proto, elements) };
  const bytes = Math.ceil((elements * bits) / 8);
  if (proto.dataLocation === 1) return { ...head, data: fromRaw(external.read(name, proto.externalData, bytes), dtype) };
  const { values, perElement } = typedField(proto, dtype, bits);
  if (proto.rawData.length > 0 || values.length === 0) {
    if (proto.rawData.length !== bytes)
      throw bad(name, `holds ${proto.rawData.length} bytes, its shape [${dims.join(', ')}] of ${dtype} needs ${bytes}`);
    return { ...head, data: fromRaw(proto.rawData, dtype) };
  }
  const needed = Math.ceil(elements * perElement);
  if (values.length !== needed) throw bad(name, `holds ${values.length} values, its shape [${dims.join(', ')}] needs ${needed}`);
  return { ...head, data: fromTyped(values, dtype, bits) };
}
