import { describe, expect, it } from 'vitest';
import { analyze, inferShapes, type Model, parseModel, withGraph } from '../../src/onnx';
import { randomFeeds, runModel } from './ort';
import { caseFile, HAS_DATA, modelNames, realModel, smallSize } from './real';

/** The same model with every node's outputs as graph outputs. */
export function exposeAll(model: Model): Model {
  const { graph } = model;
  const names = graph.nodes.flatMap((n) => n.outputs).filter((name) => name !== '');
  return withGraph(model, { outputs: [...new Set(names)].map((name) => ({ name, dtype: null, shape: null })), valueInfo: new Map() });
}

describe.skipIf(!HAS_DATA)('shapes of real models', () => {
  it.each(modelNames())('%s: every inferred dimension is what ONNX Runtime makes', async (name) => {
    const model = parseModel(realModel(name));
    const fixed = withGraph(model, {
      inputs: model.graph.inputs.map((i) => ({ ...i, shape: i.shape!.map((d, at) => (typeof d === 'number' ? d : smallSize(d, at))) })),
      outputs: model.graph.outputs.map((o) => ({ name: o.name, dtype: null, shape: null })),
      valueInfo: new Map(),
    });
    const shapes = inferShapes(fixed);
    const values = await runModel(exposeAll(fixed), randomFeeds(fixed));
    const found = Object.fromEntries(
      Object.keys(values).map((value) => [value, [shapes.get(value)?.dtype, ...(shapes.get(value)?.shape ?? ['?'])]]),
    );
    const real = Object.fromEntries(Object.entries(values).map(([value, { type, dims }]) => [value, [type, ...dims]]));
    expect(found).toEqual(real);
  });
});

describe.skipIf(!HAS_DATA)('cost of real models', () => {
  /** Counted with onnx and numpy in Python: distinct Conv weight and bias elements, Σ output elements × k² × Cin/group. */
  it.each([
    ['yolox_nano.onnx', 904_463, 522_553_408],
    ['yolox_nano_unsimplified.onnx', 904_463, 522_553_408],
    ['yolox_nano_3cls.onnx', 889_448, 505_063_936],
    ['mnist_opset7.onnx', 5_994, 786_560],
  ])('%s', (name, parameters, macs) => {
    const { parameters: p, macs: m } = analyze(parseModel(realModel(name)));
    expect({ p, m }).toEqual({ p: parameters, m: macs });
  });

  it('counts weights in Constant nodes, and through Transpose and Identity', () => {
    expect(analyze(parseModel(caseFile('Q20_weight_via_constant_identity_transpose.onnx'))).parameters).toBe(72);
  });
});
