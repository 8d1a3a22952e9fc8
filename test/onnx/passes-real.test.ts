import { describe, expect, it } from 'vitest';
import {
  analyze,
  cutAt,
  fixDimensions,
  foldBatchNorm,
  foldConstants,
  inferShapes,
  type Model,
  parseModel,
  removeDead,
  removeIdentity,
} from '../../src/onnx';
import { maxDifference, randomFeeds, runBytes, runModel } from './ort';
import { HAS_DATA, modelNames, realModel, smallSize } from './real';

const prepare = (model: Model) => removeDead(removeIdentity(foldBatchNorm(foldConstants(model))));

function fixed(name: string): Model {
  const model = parseModel(realModel(name));
  const dims = model.graph.inputs.map((i) => [i.name, i.shape!.map((d, at) => (typeof d === 'number' ? d : smallSize(d, at)))] as const);
  return fixDimensions(model, Object.fromEntries(dims));
}

describe.skipIf(!HAS_DATA)('passes on real models', () => {
  it.each(modelNames())('%s gives the same outputs when its sizes are fixed, and nearly so when folded', async (name) => {
    const bytes = realModel(name);
    const model = fixed(name);
    const feeds = randomFeeds(model);
    const before = await runBytes(bytes, feeds);
    expect(maxDifference(before, await runModel(model, feeds))).toBe(0);
    const folded = prepare(model);
    const zeros = Object.fromEntries(Object.entries(before).map(([key, v]) => [key, { ...v, data: new Float32Array(v.data.length) }]));
    const scale = maxDifference(before, zeros);
    expect(maxDifference(before, await runModel(folded, feeds))).toBeLessThan(1e-5 * Math.max(scale, 1));
    expect(analyze(folded).macs).toBe(analyze(model).macs);
    expect(folded.graph.nodes.filter((n) => ['Constant', 'Identity', 'Dropout', 'Shape'].includes(n.op))).toEqual([]);
    expect([...inferShapes(folded).values()].filter((v) => !v.shape?.every((d) => typeof d === 'number'))).toEqual([]);
  });

  it('folds the BatchNormalizations of the real models that have them', () => {
    const left = (name: string) => prepare(fixed(name)).graph.nodes.filter((n) => n.op === 'BatchNormalization').length;
    expect([left('ultraface_rfb_320.onnx'), left('ppocrv4_det.onnx')]).toEqual([0, 0]);
  });

  it('cuts YOLOX-Nano at three convolutions', async () => {
    const model = fixed('yolox_nano.onnx');
    const names = model.graph.nodes
      .filter((n) => n.op === 'Conv')
      .slice(-3)
      .flatMap((n) => n.outputs);
    const cut = cutAt(model, names);
    expect(cut.graph.nodes.length).toBeLessThan(model.graph.nodes.length);
    const feeds = randomFeeds(model);
    const whole = await runModel({ ...model, graph: { ...model.graph, outputs: cut.graph.outputs } }, feeds);
    expect(maxDifference(whole, await runModel(cut, feeds))).toBe(0);
    expect(cut.graph.outputs.map((o) => o.shape)).toEqual(names.map((name) => whole[name]!.dims));
    expect(names.map((name) => whole[name]!.dims[1])).toEqual([64, 4, 1]);
  });
});
