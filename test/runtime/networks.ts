/** Small networks for the runtime's tests, the same in Node and the browser. */
import { type Model, makeModel, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import type { RunTensor } from '../../src/runtime';

/** y = relu(x · 2 + [1, −4, 0.5]), over x [1, 3, 2, 2]; "twice" and "sum" lie between. */
export function smallModel(): Model {
  return makeModel({
    opset: 13,
    inputs: [valueInfo('x', 'float32', [1, 3, 2, 2])],
    outputs: [valueInfo('y', 'float32', [1, 3, 2, 2])],
    nodes: [node('Mul', ['x', 'two'], ['twice']), node('Add', ['twice', 'shift'], ['sum']), node('Relu', ['sum'], ['y'])],
    initializers: [
      tensor('two', 'float32', [], new Float32Array([2])),
      tensor('shift', 'float32', [1, 3, 1, 1], new Float32Array([1, -4, 0.5])),
    ],
  });
}
export const smallBytes = (): Uint8Array => serializeModel(smallModel());

export const smallInput: RunTensor = {
  dtype: 'float32',
  dims: [1, 3, 2, 2],
  data: new Float32Array([0, 1, -1, 3, 0, 1, 2, 3, -1, -0.25, 0, 4]),
};
export const smallSum = [1, 3, -1, 7, -4, -2, 0, 2, -1.5, 0, 0.5, 8.5];
export const smallOutput = smallSum.map((v) => Math.max(0, v));
