import { describe, expect, it } from 'vitest';
import { type Model, parseModel, serializeModel } from '../../../src/onnx';
import { analyzeModel, inspect, weightBytes } from '../../../src/steps/inspect';
import { openModel, toArtifact } from '../../../src/steps/open';
import { tinyYolox } from '../../fixtures/tiny-yolox';

const open = async (model: Model) => openModel('tiny.onnx', serializeModel(model));
const convs = (model: Model) => model.graph.nodes.filter((node) => node.op === 'Conv');

/** The same network with height and width left open. */
function withOpenSize(model: Model): Model {
  const [input] = model.graph.inputs;
  const outputs = model.graph.outputs.map((o) => ({ ...o, shape: null }));
  const inputs = [{ ...input!, shape: [1, 3, 'height', 'width'] }];
  return { ...model, graph: { ...model.graph, inputs, outputs, valueInfo: new Map() } };
}

describe('inspect', () => {
  it('adds up its layers', async () => {
    const artifact = await open(tinyYolox());
    const report = inspect(artifact);
    expect(report.layers).toHaveLength(artifact.model.graph.nodes.length);
    for (const key of ['parameters', 'macs', 'activationBytes'] as const)
      expect(report.layers.reduce((sum, layer) => sum + layer[key], 0)).toBe(report[key]);
    expect(Object.values(report.operators).reduce((a, b) => a + b, 0)).toBe(report.layers.length);
    expect(report.operators.Conv).toBe(convs(artifact.model).length);
  });

  it('counts a convolution as outputs × inputs per group × kernel', async () => {
    const artifact = await open(tinyYolox());
    const report = inspect(artifact);
    for (const conv of convs(artifact.model)) {
      const [outputs, inputs, kh, kw] = artifact.model.graph.initializers.get(conv.inputs[1]!)!.dims as [number, number, number, number];
      const layer = report.layers.find((l) => l.name === conv.name)!;
      const [, channels, height, width] = layer.shape as [number, number, number, number];
      expect(channels).toBe(outputs);
      expect(layer.macs).toBe(outputs * height * width * inputs * kh * kw);
      expect(layer.parameters).toBe(outputs * inputs * kh * kw + (conv.inputs[2] ? outputs : 0));
      expect(layer.output).toBe(conv.outputs[0]);
    }
  });

  it('says which layers each reads', async () => {
    const artifact = await open(tinyYolox());
    const { layers } = inspect(artifact);
    for (const [i, layer] of layers.entries()) {
      const node = artifact.model.graph.nodes.find(({ name }) => name === layer.name)!;
      const makers = artifact.model.graph.nodes.filter(({ outputs }) => outputs.some((output) => node.inputs.includes(output)));
      expect(layer.after.map((before) => layers[before]!.name).sort()).toEqual(makers.map(({ name }) => name).sort());
      expect(layer.after.every((before) => before < i)).toBe(true);
    }
    expect(layers.some(({ after }) => after.length > 1)).toBe(true);
  });

  it('names family and classes', async () => {
    const report = inspect(await open(tinyYolox({ classes: 3 })));
    expect(report.family).toBe('YOLOX (raw)');
    expect(report.classNames).toHaveLength(3);
  });

  it('counts an open size as the one that images are resized to, and says so', async () => {
    const fixed = analyzeModel((await open(tinyYolox({ height: 416, width: 416 }))).model);
    const model = withOpenSize(tinyYolox({ height: 416, width: 416 }));
    const report = inspect(await toArtifact('open.onnx', model));
    expect(report.macs).toBe(fixed.macs);
    expect(report.macs).toBeGreaterThan(0);
    expect(report.inputs[0]!.shape).toEqual([1, 3, 'height', 'width']);
    expect(report.notes).toEqual(['Input "images" leaves its size open: shapes and MACs are for 1×3×416×416.']);
  });

  it('weightBytes is what the constants take in the file', async () => {
    const { model } = await open(tinyYolox());
    const bytes = [...model.graph.initializers.values()].reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0);
    expect(weightBytes(model)).toBe(bytes);
    expect(weightBytes(parseModel(serializeModel(model)))).toBe(bytes);
  });
});
