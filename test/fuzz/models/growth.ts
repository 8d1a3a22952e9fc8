/** Networks made huge: long lines, diamonds, thousands of inputs, constants that fold into gigabytes. */
import { create } from '@bufbuild/protobuf';
import { type GraphProto, NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from '../../../src/onnx/gen/onnx_pb';
import type { GrowthForm } from './mutations';

const node = (op: string, input: string[], output: string[], attribute: object[] = []) =>
  create(NodeProtoSchema, { opType: op, input, output, attribute: attribute as never });

/** Operators with one data input; the others get the value in every place. */
const inputsOf = (op: string, value: string, other: string): string[] =>
  ['Add', 'Mul', 'Sub', 'Reshape', 'Expand', 'QuantizeLinear', 'DequantizeLinear'].includes(op) ? [value, other] : [value];

/**
 * `count` nodes (or inputs, weights…) behind the graph's first output, whose place the last of them takes.
 * - line: each reads the one before; diamonds: each reads the two before; wide: one node with `count` inputs
 * - folds: constants of 16 million elements; alike: names that differ only in characters that a script can't have
 * - shared: convolutions that share one weight, each behind a BatchNormalization
 */
export function grow(graph: GraphProto, form: GrowthForm, op: string, count: number): void {
  const output = graph.output[0];
  if (!output) return;
  const start = output.name;
  let end = start;
  const many = <T>(each: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => each(i));
  if (form === 'line' || form === 'diamonds') {
    let before = start;
    for (let i = 0; i < count; i++) {
      graph.node.push(node(op, inputsOf(op, end, form === 'diamonds' ? before : end), [`grown_${i}`]));
      before = end;
      end = `grown_${i}`;
    }
  } else if (form === 'wide') {
    graph.node.push(
      node(
        op,
        many(() => start),
        ['grown'],
      ),
    );
    end = 'grown';
  } else if (form === 'inputs') graph.input.push(...many((i) => create(ValueInfoProtoSchema, { name: `grown_${i}` })).slice(0, count));
  else if (form === 'outputs') {
    graph.node.push(
      node(
        'Split',
        [start],
        many((i) => `grown_${i}`),
      ),
    );
    for (let i = 0; i < count; i++) graph.output.push(create(ValueInfoProtoSchema, { name: `grown_${i}` }));
  } else if (form === 'weights') {
    for (let i = 0; i < count; i++)
      graph.initializer.push(create(TensorProtoSchema, { name: `grown_${i}`, dims: [1n], dataType: 1, rawData: new Uint8Array(4) }));
  } else if (form === 'folds') {
    const dims = new BigInt64Array([4096n, 4095n]);
    graph.initializer.push(
      create(TensorProtoSchema, { name: 'grown_dims', dims: [2n], dataType: 7, rawData: new Uint8Array(dims.buffer) }),
    );
    for (let i = 0; i < Math.min(count, 64); i++) {
      graph.node.push(
        node('ConstantOfShape', ['grown_dims'], [`grown_${i}`]),
        node(op, inputsOf(op, `grown_${i}`, `grown_${i}`), [`grown_${i}_b`]),
      );
      graph.output.push(create(ValueInfoProtoSchema, { name: `grown_${i}_out` }));
      graph.node.push(node('Mul', [`grown_${i}_b`, start], [`grown_${i}_out`]));
    }
  } else if (form === 'alike') {
    for (let i = 0; i < count; i++) {
      const name = String.fromCodePoint(0x4e00 + (i % 20_000)).repeat(1 + Math.floor(i / 20_000));
      graph.node.push(create(NodeProtoSchema, { opType: op, name, input: inputsOf(op, end, end), output: [`grown_${i}`] }));
      end = `grown_${i}`;
    }
  } else if (form === 'shared') {
    const ones = new Uint8Array(Float32Array.of(1).buffer);
    graph.initializer.push(create(TensorProtoSchema, { name: 'grown_w', dims: [1n, 1n, 1n, 1n], dataType: 1, rawData: ones }));
    graph.initializer.push(create(TensorProtoSchema, { name: 'grown_bn', dims: [1n], dataType: 1, rawData: ones }));
    graph.input.push(
      create(ValueInfoProtoSchema, {
        name: 'grown',
        type: { tensorType: { elemType: 1, shape: { dim: [1n, 1n, 4n, 4n].map((dimValue) => ({ dimValue })) } } },
      }),
    );
    end = 'grown';
    for (let i = 0; i < count; i++) {
      graph.node.push(
        node('Conv', [end, 'grown_w'], [`grown_c${i}`]),
        node('BatchNormalization', [`grown_c${i}`, 'grown_bn', 'grown_bn', 'grown_bn', 'grown_bn'], [`grown_${i}`]),
      );
      end = `grown_${i}`;
    }
  }
  if (end !== start) output.name = end;
}
