import { describe, expect, it } from 'vitest';
import { matchFamily } from '../../../src/models';
import { type Model, makeModel, node, serializeModel, tensor, valueInfo, withGraph } from '../../../src/onnx';
import { bundleNetwork } from '../../../src/steps/export/network';
import { lowerOpset } from '../../../src/steps/export/opset';
import { openModel } from '../../../src/steps/open';
import { TINY_YOLOX_ENDS, tinyYolox } from '../../fixtures/tiny-yolox';
import { maxDifference, randomFeeds, runBytes, runModel } from '../../onnx/ort';
import { HAS_DATA, realModel } from '../../onnx/real';
import { artifact } from './bundle';

/** The model with the values behind the named nodes as its outputs. */
function tapped(model: Model, nodes: readonly string[]): Model {
  const names = nodes.map((name) => model.graph.nodes.find((n) => n.name === name)!.outputs[0]!);
  return withGraph(model, { outputs: names.map((name) => valueInfo(name, 'float32', null)) });
}

const coarsestFirst = [2, 1, 0].flatMap((level) => TINY_YOLOX_ENDS.slice(level * 3, level * 3 + 3));

describe('bundleNetwork', () => {
  it('cuts at the nine head nodes and computes what the original computes there', async () => {
    const model = tinyYolox();
    const network = bundleNetwork(artifact(model));
    expect(network.endNodes).toEqual(coarsestFirst);
    expect(network.heads.map((h) => h.stride)).toEqual([32, 16, 8]);
    expect(network.model.graph.nodes.some((n) => n.op === 'Transpose' || n.op === 'Reshape')).toBe(false);
    expect(network.model.graph.outputs.map((o) => o.shape)).toEqual([2, 4, 8].flatMap((n) => [4, 1, 3].map((c) => [1, c, n, n])));
    const feeds = randomFeeds(model);
    const cut = await runBytes(serializeModel(network.model), feeds);
    expect(maxDifference(cut, await runModel(tapped(model, coarsestFirst), feeds))).toBe(0);
  });

  it('is read again as YOLOX with the same classes', () => {
    const again = matchFamily(bundleNetwork(artifact(tinyYolox())).model);
    expect(again).toMatchObject({ family: 'yolox', variant: 'cut', numClasses: 3, sigmoidApplied: true });
  });

  it('adds the Sigmoid that the runtime expects where the original ends at logits', async () => {
    const model = tinyYolox({ logits: true });
    const network = bundleNetwork(artifact(model));
    expect(network.endNodes.slice(0, 3)).toEqual([
      '/head/reg_preds.2/Conv',
      '/head/obj_preds.2/Conv/Sigmoid',
      '/head/cls_preds.2/Conv/Sigmoid',
    ]);
    expect(network.notes).toEqual([
      'The original ends at logits; the bundle’s network has Sigmoid nodes added behind objectness and classes.',
    ]);
    const feeds = randomFeeds(model);
    const cut = Object.values(await runModel(network.model, feeds));
    const raw = Object.values(await runModel(tapped(model, ['/head/reg_preds.2/Conv', '/head/obj_preds.2/Conv']), feeds));
    expect(cut[0]!.data).toEqual(raw[0]!.data);
    Array.from(raw[1]!.data, (x, i) => expect(Number(cut[1]!.data[i])).toBeCloseTo(1 / (1 + Math.exp(-Number(x))), 6));
  });

  it('gives every node a unique plain name, whatever the file calls it, and keeps the heads', () => {
    const model = tinyYolox();
    const hostile = withGraph(model, {
      nodes: model.graph.nodes.map((n, i) => ({ ...n, name: i % 2 ? `{{x}}"); import os #${i}` : `$(rm -rf ~)\n${i}` })),
    });
    const { model: named, endNodes } = bundleNetwork(artifact(hostile));
    const names = named.graph.nodes.map((n) => n.name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_./]+$/);
    expect(endNodes).toHaveLength(9);
    expect(names).toEqual(expect.arrayContaining([...endNodes]));
  });

  it('renames a hostile input', async () => {
    const model = tinyYolox();
    const evil = 'images"; drop';
    const rename = (name: string) => (name === 'images' ? evil : name);
    const hostile = withGraph(model, {
      inputs: [{ ...model.graph.inputs[0]!, name: evil }],
      nodes: model.graph.nodes.map((n) => ({ ...n, inputs: n.inputs.map(rename) })),
    });
    const { input, model: named } = bundleNetwork(artifact(hostile));
    expect(input).toMatchObject({ name: 'images___drop', shape: [1, 3, 64, 64] });
    await expect(runModel(named, randomFeeds(named))).resolves.toBeDefined();
  });

  it('writes kernel_shape on every Conv', () => {
    const { model } = bundleNetwork(artifact(tinyYolox({ kernelShape: false })));
    const convs = model.graph.nodes.filter((n) => n.op === 'Conv');
    for (const conv of convs)
      expect(conv.attributes.kernel_shape).toEqual({ type: 'ints', value: model.graph.initializers.get(conv.inputs[1]!)!.dims.slice(2) });
  });

  it('keeps opset 11 to 13 and IR 6 to 8', () => {
    const at = (opset: number, irVersion: number) => bundleNetwork(artifact({ ...tinyYolox({ opset }), irVersion })).model;
    expect([at(11, 3).opsets[''], at(11, 3).irVersion]).toEqual([11, 6]);
    expect([at(17, 10).opsets[''], at(17, 10).irVersion]).toEqual([13, 8]);
  });

  it('fixes open sizes as the preprocessing says', () => {
    const model = tinyYolox();
    const open = withGraph(model, { inputs: [{ ...model.graph.inputs[0]!, shape: ['batch', 3, 'height', 'width'] }] });
    const network = bundleNetwork({ ...artifact(model), model: open });
    expect(network.input.shape).toEqual([1, 3, 64, 64]);
  });

  it('refuses what a compiler for images cannot take, with one sentence', () => {
    const model = tinyYolox();
    const [input] = model.graph.inputs;
    const withInputs = (inputs: Model['graph']['inputs']) => ({ ...artifact(model), model: withGraph(model, { inputs }) });
    expect(() => bundleNetwork(withInputs([input!, { ...input!, name: 'more' }]))).toThrow(
      'The network has 2 inputs; the bundle takes one image input.',
    );
    expect(() => bundleNetwork(withInputs([{ ...input!, shape: [2, 3, 64, 64] }]))).toThrow(
      'The input "images" has the shape [2, 3, 64, 64]; the compiler wants one image of a fixed size.',
    );
    const vector = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 4])],
      outputs: [valueInfo('y', 'float32', [1, 4])],
      nodes: [node('Relu', ['x'], ['y'])],
    });
    expect(() => bundleNetwork(artifact(vector))).toThrow('The input "x" is no image, so no calibration set can be made for it.');
  });

  it.runIf(HAS_DATA)('cuts a face detector without node names at its last convolutions (case D03)', async () => {
    const opened = await openModel('ultraface.onnx', realModel('ultraface_rfb_320.onnx'));
    const { model, endNodes, cut, heads } = bundleNetwork(opened);
    expect([cut, heads, endNodes.length]).toEqual(['convolutions', [], 8]);
    const nodes = new Map(model.graph.nodes.map((n) => [n.name, n.op]));
    expect(nodes.size).toBe(model.graph.nodes.length);
    expect(endNodes.map((name) => nodes.get(name))).toEqual(endNodes.map(() => 'Conv'));
  });
});

describe('lowerOpset', () => {
  it('writes a newer network down for opset 13 with the same results', async () => {
    const model = tinyYolox({ opset: 18 });
    const lowered = lowerOpset(model);
    expect(lowered.opsets['']).toBe(13);
    const feeds = randomFeeds(model);
    expect(maxDifference(await runModel(lowered, feeds), await runModel(model, feeds))).toBe(0);
  });

  it('takes away attributes that 13 does not know only where they say nothing', () => {
    const reshape = (allowzero: number) =>
      makeModel({
        inputs: [valueInfo('x', 'float32', [1, 4])],
        outputs: [valueInfo('y', 'float32', [2, 2])],
        nodes: [node('Reshape', ['x', 's'], ['y'], { allowzero })],
        initializers: [tensor('s', 'int64', [2], BigInt64Array.of(2n, 2n))],
        opset: 17,
      });
    expect(lowerOpset(reshape(0)).graph.nodes[0]!.attributes).toEqual({});
    expect(lowerOpset(reshape(1)).opsets['']).toBe(17);
  });

  it('leaves operators that changed', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 4])],
      outputs: [valueInfo('y', 'float32', [1, 4])],
      nodes: [node('LayerNormalization', ['x', 's'], ['y'])],
      initializers: [tensor('s', 'float32', [4], new Float32Array(4))],
      opset: 17,
    });
    expect(lowerOpset(model)).toBe(model);
  });
});
