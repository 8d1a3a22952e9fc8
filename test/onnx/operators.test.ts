import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { analyze, foldConstants, inferShapes, type Model, makeModel, node, OP_TYPES, opType, type Tensor } from '../../src/onnx';
import { OPERATORS, type OperatorCase } from './operators';
import { maxDifference, runModel } from './ort';

const MICROSOFT = OP_TYPES.slice(OP_TYPES.indexOf('QLinearAdd'));

interface Built {
  readonly model: Model;
  readonly feeds: Record<string, OrtTensor>;
}

/** The case's node, its outputs behind Identity so that the node itself may be folded. */
function build(op: string, c: OperatorCase, constantFeeds: boolean): Built {
  const named = (t: Tensor, name: string): Tensor => ({ ...t, name });
  const feeds = c.feeds.map((t, i) => named(t, `x${i}`));
  const constants = (c.constants ?? []).map((t, i) => t && named(t, `c${i}`));
  const outputs = Array.from({ length: c.outputs ?? 1 }, (_, i) => `y${i}`);
  const domain = MICROSOFT.some((name) => name === op) ? 'com.microsoft' : '';
  const main = {
    ...node(op, [...feeds.map((t) => t.name), ...constants.map((t) => t?.name ?? '')], outputs, c.attributes, 'main'),
    domain,
  };
  const model = makeModel({
    inputs: constantFeeds ? [] : feeds.map(({ name, dtype, dims }) => ({ name, dtype, shape: dims })),
    outputs: outputs.map((name) => ({ name: `${name}_out`, dtype: null, shape: null })),
    nodes: [main, ...outputs.map((name) => node('Identity', [name], [`${name}_out`]))],
    initializers: [...(constantFeeds ? feeds : []), ...constants.filter((t) => t !== null)],
    opset: c.opset ?? 13,
  });
  const given = feeds.map((t) => [t.name, new OrtTensor(t.dtype as 'float32', t.data as Float32Array, t.dims)]);
  return {
    model: domain ? { ...model, opsets: { ...model.opsets, [domain]: 1 } } : model,
    feeds: constantFeeds ? {} : Object.fromEntries(given),
  };
}

/** Sizes that only the values decide. */
const OPEN = new Set(['NonMaxSuppression', 'NonZero']);
/** Kernels of the constant folder whose last bit may differ from ONNX Runtime's. */
const ULP = 1e-6;
const FOLDED = new Set(
  'Identity Reshape Flatten Squeeze Unsqueeze Transpose Slice Expand Split Concat Gather GatherElements ScatterND Tile Constant ConstantOfShape Range ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL2 Add Sub Mul Div Mod Pow Min Max Sum Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Where Cast Clip Neg Abs Sqrt Exp Log Floor Ceil Round Reciprocal Sign Sin Cos Relu Sigmoid Tanh Shape Size NonZero'.split(
    ' ',
  ),
);

const cases = OP_TYPES.flatMap((op) => OPERATORS[op].map((c, i) => [`${op} ${i}`, op, c] as const));

describe('every operator', () => {
  it.each(cases)('%s: type and shape are ONNX Runtime’s, folding gives its values', async (_name, op, c) => {
    const { model, feeds } = build(op, c, false);
    const real = await runModel(model, feeds);
    const shapes = inferShapes(model);
    for (const [name, { type, dims }] of Object.entries(real)) {
      const found = shapes.get(name)!;
      expect(found.dtype, name).toBe(type);
      if (OPEN.has(op)) expect(found.shape!.map((d, i) => d ?? dims[i])).toEqual(dims);
      else expect(found.shape, name).toEqual(dims);
    }
    const constant = build(op, c, true);
    const folded = foldConstants(constant.model);
    const worst = maxDifference(await runModel(constant.model, {}), await runModel(folded, {}));
    expect(worst).toBeLessThanOrEqual(ULP);
    const gone = !folded.graph.nodes.some((n) => n.op === op && n.name === 'main');
    if (FOLDED.has(op) && op !== 'Identity') expect(gone, 'folded').toBe(true);
  });

  it('is known in its own domain only', () => {
    expect(opType(node('Conv', ['x', 'w'], ['y']))).toBe('Conv');
    expect(opType({ ...node('Conv', ['x', 'w'], ['y']), domain: 'my.ops' })).toBeNull();
    expect(opType(node('QLinearAdd', ['x'], ['y']))).toBeNull();
    expect(opType({ ...node('QLinearAdd', ['x'], ['y']), domain: 'com.microsoft' })).toBe('QLinearAdd');
    expect(opType(node('constructor', ['x'], ['y']))).toBeNull();
  });
});

describe('cost', () => {
  /** By hand: output elements × inputs per output. */
  it.each([
    ['Conv', 0, 6 * 5 * 6 * (2 * 9), 6 * 2 * 9 + 6],
    ['ConvTranspose', 0, 4 * 5 * 6 * (3 * 3 * 2), 4 * 3 * 6 + 6],
    ['Gemm', 0, 2 * 4 * 3, 12 + 4],
    ['Gemm', 1, 2 * 4 * 3, 12],
    ['MatMul', 0, 2 * 5 * 3 * 2 * 4, 0],
    ['QLinearConv', 0, 3 * 2 * 2 * 18, 54 + 3],
    ['QLinearMatMul', 0, 2 * 4 * 3, 12],
    ['BatchNormalization', 0, 0, 12],
    ['PRelu', 0, 0, 3],
    ['Relu', 0, 0, 0],
  ] as const)('%s %i', (op, at, macs, parameters) => {
    const { layers } = analyze(build(op, OPERATORS[op][at]!, false).model);
    expect([layers[0]!.macs, layers[0]!.parameters]).toEqual([macs, parameters]);
  });
});
