import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/numerics';
import { type AttributeValue, type Model, makeModel, node, parseModel, type Tensor, upgradeOpset, valueInfo } from '../../src/onnx';
import { f } from './operators';
import { f32, maxDifference, randomFeeds, runBytes, runModel } from './ort';
import { HAS_DATA, modelNames, realModel, smallSize } from './real';

interface Old {
  readonly op: string;
  readonly opset: number;
  readonly x: Tensor;
  readonly constants?: readonly Tensor[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  /** Ends of the chain that the operator becomes; itself by default. */
  readonly becomes?: readonly string[];
  /** Declares the input without its shape. */
  readonly open?: boolean;
  readonly target?: number;
}

function build({ op, opset, x, constants = [], attributes, outputs = 1, open }: Old): Model {
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const weights = constants.map((t, i) => ({ ...t, name: `c${i}` }));
  return makeModel({
    inputs: [valueInfo('x', x.dtype, open ? x.dims.map(() => null) : x.dims)],
    outputs: names.map((name) => valueInfo(name, null, null)),
    nodes: [node(op, ['x', ...weights.map((t) => t.name)], names, attributes, 'main')],
    initializers: weights,
    opset,
  });
}

const floats = (...value: number[]): AttributeValue => ({ type: 'floats', value });
const float = (value: number): AttributeValue => ({ type: 'float', value });

const OLD: readonly Old[] = [
  { op: 'Softmax', opset: 11, x: f([1, 2, 3]), attributes: { axis: 1 }, becomes: ['Flatten', 'Softmax', 'Reshape'] },
  { op: 'Softmax', opset: 11, x: f([2, 3, 4]), becomes: ['Flatten', 'Softmax', 'Reshape'] },
  { op: 'Softmax', opset: 11, x: f([2, 3, 4]), open: true, becomes: ['Flatten', 'Softmax', 'Shape', 'Reshape'] },
  { op: 'LogSoftmax', opset: 11, x: f([2, 3, 4]), attributes: { axis: 0 }, becomes: ['Flatten', 'LogSoftmax', 'Reshape'] },
  { op: 'Softmax', opset: 11, x: f([2, 3, 4]), attributes: { axis: -1 } },
  { op: 'Softmax', opset: 11, x: f([2, 3, 1, 1]) },
  { op: 'Clip', opset: 9, x: f([2, 3]), attributes: { min: float(-0.5), max: float(0.5) } },
  { op: 'Clip', opset: 7, x: f([2, 3]), attributes: { max: float(0.5) } },
  { op: 'Pad', opset: 9, x: f([2, 3]), attributes: { pads: [1, 0, 0, 2], value: float(0.5) } },
  { op: 'Slice', opset: 9, x: f([5, 6]), attributes: { starts: [1, -3], ends: [9, -1] } },
  { op: 'TopK', opset: 9, x: f([2, 5]), attributes: { k: 2, axis: 1 }, outputs: 2 },
  { op: 'Dropout', opset: 9, x: f([2, 3]), attributes: { ratio: float(0.4) } },
  {
    op: 'BatchNormalization',
    opset: 7,
    x: f([1, 2, 3, 3]),
    constants: [f([2]), f([2]), f([2]), f([2], [1, 2])],
    attributes: { spatial: 1 },
  },
  { op: 'Upsample', opset: 7, x: f([1, 1, 3, 5]), attributes: { scales: floats(1, 1, 2, 3) }, becomes: ['Resize'] },
  { op: 'Upsample', opset: 9, x: f([1, 1, 3, 5]), constants: [f([4], [1, 1, 2, 1.6])], becomes: ['Resize'] },
  { op: 'Upsample', opset: 9, x: f([1, 1, 3, 5]), constants: [f([4], [1, 1, 2, 3])], attributes: { mode: 'linear' }, becomes: ['Resize'] },
  { op: 'Resize', opset: 10, x: f([1, 1, 3, 5]), constants: [f([4], [1, 1, 2, 1.6])] },
  { op: 'Resize', opset: 10, x: f([1, 1, 6, 7]), constants: [f([4], [1, 1, 0.5, 0.6])] },
  { op: 'Resize', opset: 10, x: f([1, 1, 3, 5]), constants: [f([4], [1, 1, 2, 1.6])], attributes: { mode: 'linear' } },
  { op: 'Split', opset: 11, x: f([2, 6]), attributes: { axis: 1, split: [1, 3, 2] }, outputs: 3 },
  { op: 'Split', opset: 11, x: f([2, 6]), attributes: { axis: 1 }, outputs: 3, target: 18 },
  { op: 'Squeeze', opset: 11, x: f([1, 3, 1]), attributes: { axes: [2] } },
  { op: 'Squeeze', opset: 11, x: f([1, 3, 1]) },
  { op: 'Unsqueeze', opset: 11, x: f([2, 3]), attributes: { axes: [0, 2] } },
  { op: 'ReduceSum', opset: 11, x: f([2, 3, 4]), attributes: { axes: [1], keepdims: 0 } },
  { op: 'ReduceMean', opset: 11, x: f([2, 3, 4]), attributes: { axes: [1, 2] }, target: 21 },
  { op: 'ReduceMax', opset: 13, x: f([2, 3, 4]), target: 18 },
  { op: 'ReduceL2', opset: 11, x: f([2, 3, 4]), attributes: { axes: [-1], keepdims: 0 }, target: 18 },
];

describe('upgraded operators', () => {
  it.each(OLD.map((c, i) => [`${c.op} of opset ${c.opset} (${i})`, c] as const))('%s computes the same', async (_name, c) => {
    const old = build(c);
    const model = upgradeOpset(old, c.target ?? 13);
    expect(model.opsets).toEqual({ '': c.target ?? 13 });
    expect(model.graph.nodes.map((n) => n.op)).toEqual(c.becomes ?? [c.op]);
    const feeds = { x: new OrtTensor('float32', c.x.data as Float32Array, c.x.dims) };
    const before = await runModel(old, feeds);
    expect(maxDifference(before, await runModel(model, feeds))).toBeLessThanOrEqual(1e-6);
  });

  it('keeps the first row of case Q15: softmax over everything from axis 1', async () => {
    const model = upgradeOpset(build({ op: 'Softmax', opset: 11, x: f([1, 2, 3]), attributes: { axis: 1 } }));
    const { y0 } = await runModel(model, { x: f32([1, 2, 3], [0, 1, 2, 3, 4, 5]) });
    const right = [0.00427, 0.0116, 0.03155, 0.08576, 0.23312, 0.6337];
    for (const [i, v] of Array.from(y0!.data, Number).entries()) expect(Math.abs(v - right[i]!)).toBeLessThan(1e-4);
  });

  it('converts inside subgraphs, with names that are free in the whole model', () => {
    const inner = build({ op: 'Squeeze', opset: 11, x: f([1, 3]), attributes: { axes: [0] } }).graph;
    const branch = { type: 'graph', value: { ...inner, inputs: [] } } as const;
    const outer = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 3]), valueInfo('c', 'bool', [])],
      outputs: [valueInfo('z', 'float32', [3])],
      nodes: [node('If', ['c'], ['z'], { then_branch: branch, else_branch: branch })],
      opset: 11,
    });
    const upgraded = upgradeOpset(outer).graph.nodes[0]!;
    const names = Object.values(upgraded.attributes).flatMap((a) => (a.type === 'graph' ? [...a.value.initializers.keys()] : []));
    expect(names).toEqual(['main_axes', 'main_axes_2']);
  });

  it('leaves newer models alone and refuses what the newer set cannot say', () => {
    const model = build({ op: 'Relu', opset: 15, x: f([2]) });
    expect(upgradeOpset(model)).toBe(model);
    const mixed = build({ op: 'Resize', opset: 10, x: f([1, 1, 4, 4]), constants: [f([4], [1, 1, 2, 0.5])] });
    expect(() => upgradeOpset(mixed)).toThrow("main (Resize) grows one axis and shrinks another, which opset 11 can't say.");
    const training = build({ op: 'Dropout', opset: 7, x: f([2]), outputs: 2 });
    expect(() => upgradeOpset(training)).toThrow(StudioError);
    expect(() => upgradeOpset(build({ op: 'Relu', opset: 11, x: f([2]) }), 22)).toThrow('opset 21 at most, not 22');
  });

  it('reads INT64_MAX as "to the end"', async () => {
    const model = build({ op: 'Slice', opset: 9, x: f([5]), attributes: { starts: [2], ends: [2 ** 53] } });
    const far = upgradeOpset({
      ...model,
      graph: {
        ...model.graph,
        nodes: model.graph.nodes.map((n) => ({ ...n, attributes: { ...n.attributes, ends: { type: 'ints', value: [2 ** 63] } } })),
      },
    });
    expect(far.graph.initializers.get('main_ends')!.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
    expect((await runModel(far, { x: f32([5], [1, 2, 3, 4, 5]) })).y0!.data).toEqual(Float32Array.of(3, 4, 5));
  });
});

describe.skipIf(!HAS_DATA)('upgraded real models', () => {
  it.each(modelNames())('%s computes the same at 13 and at 21', async (name) => {
    const bytes = realModel(name);
    const model = parseModel(bytes);
    const feeds = randomFeeds(model, smallSize);
    const before = await runBytes(bytes, feeds);
    for (const target of [13, 21]) {
      const upgraded = upgradeOpset(model, target);
      expect(upgraded.opsets['']).toBe(Math.max(target, model.opsets['']!));
      expect(maxDifference(before, await runModel(upgraded, feeds))).toBeLessThanOrEqual(1e-4);
    }
  });
});
