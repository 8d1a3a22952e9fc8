/** Hand-made graphs for the device rules. */
import { type AttributeValue, type Dim, type Model, makeModel, type Node, node, type Tensor, tensor, valueInfo } from '../../src/onnx';

export interface Parts {
  readonly nodes: readonly Node[];
  readonly outputs: readonly string[];
  readonly initializers?: readonly Tensor[];
  readonly input?: readonly Dim[];
}

/** A model with the input "x" (8 channels, 16×16). */
export function graph({ nodes, outputs, initializers = [], input = [1, 8, 16, 16] }: Parts): Model {
  return makeModel({
    inputs: [valueInfo('x', 'float32', input)],
    outputs: outputs.map((name) => valueInfo(name, 'float32', null)),
    nodes: [...nodes],
    initializers: [...initializers],
  });
}

export const weight = (name: string, dims: readonly number[], value = 0.5): Tensor =>
  tensor(name, 'float32', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value));

export const ints = (name: string, values: readonly number[]): Tensor =>
  tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));

/** A 1×1 convolution named as its output, with its weight. */
export function conv(from: string, to: string, out = 8, attributes: Readonly<Record<string, AttributeValue>> = {}) {
  return {
    node: node('Conv', [from, `${to}_w`], [to], { kernel_shape: [1, 1], ...attributes }, to),
    weight: weight(`${to}_w`, [out, 8, 1, 1]),
  };
}

/** Conv → Sigmoid · → Mul: SiLU behind a convolution. */
export function siluNet(): Model {
  const c = conv('x', 'c');
  return graph({
    nodes: [c.node, node('Sigmoid', ['c'], ['s'], {}, 'sigmoid'), node('Mul', ['c', 's'], ['y'], {}, 'mul')],
    outputs: ['y'],
    initializers: [c.weight],
  });
}

/** Two branches of one backbone, joined: boxes (times 640 where decoded) beside scores. */
export function boxesAndScores(decoded: boolean): Model {
  const [b, r, s] = [conv('x', 'b'), conv('b', 'reg', 4), conv('b', 'cls', 3)];
  const box = decoded ? [node('Mul', ['reg', 'k'], ['box'], {}, 'decode')] : [];
  return graph({
    nodes: [
      ...[b.node, r.node, ...box, s.node],
      node('Sigmoid', ['cls'], ['score'], {}, 'sigmoid'),
      node('Concat', [decoded ? 'box' : 'reg', 'score'], ['y'], { axis: 1 }, 'join'),
    ],
    outputs: ['y'],
    initializers: [b.weight, r.weight, s.weight, weight('k', [], 640)],
  });
}

/** Two convolutions joined in the body: a third reads the Concat. */
export function bodyConcat(): Model {
  const [a, b] = [conv('x', 'a'), conv('x', 'b')];
  return graph({
    nodes: [
      ...[a.node, b.node],
      node('Concat', ['a', 'b'], ['j'], { axis: 1 }, 'join'),
      node('Conv', ['j', 'o_w'], ['o'], { kernel_shape: [1, 1] }, 'o'),
    ],
    outputs: ['o'],
    initializers: [a.weight, b.weight, weight('o_w', [8, 16, 1, 1])],
  });
}
