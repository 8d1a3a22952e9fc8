/** Weights before and after on the embedded detector, against its own recipe's results. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeModel, node, parseModel, tensor, valueInfo } from '../../../src/onnx';
import { PRESETS, type RunResult, runRecipe } from '../../../src/pipeline';
import { createNodeEngine } from '../../../src/runtime/node';
import { compareWeights, type LayerWeights } from '../../../src/steps/inspect';
import { openModel } from '../../../src/steps/open';
import { scenes } from '../../fixtures/scenes';

const BYTES = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));
const original = (await openModel('scenes-depthwise', BYTES)).model;
const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

describe('weights before and after', () => {
  let result: RunResult;
  let layers: ReadonlyMap<string, LayerWeights>;
  beforeAll(async () => {
    const recipe = PRESETS['prune-10-int8']!();
    const steps = recipe.steps.map((s) => ({ ...s, enabled: s.enabled && s.step !== 'evaluate' && s.step !== 'export' }));
    const input = { name: 'scenes-depthwise.onnx', model: BYTES, calibration: scenes(0, 8), evaluation: null };
    const env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
    result = await runRecipe({ ...recipe, steps }, input, env);
    const { compressed, quantized } = result.models;
    layers = compareWeights({ original, compressed: parseModel(compressed), quantized: parseModel(quantized!) });
  });

  it('know every layer, its channels, and how many pruning left', () => {
    const convs = original.graph.nodes.filter(({ op }) => op === 'Conv');
    expect([...layers.keys()]).toEqual(convs.map(({ name }) => name));
    for (const { name, inputs } of convs) {
      const { before, after } = layers.get(name)!;
      const weight = original.graph.initializers.get(inputs[1]!)!;
      expect(before.dims).toEqual(weight.dims);
      expect(before.channels.low).toHaveLength(weight.dims[0]!);
      expect(before.histogram.reduce((a, b) => a + b, 0)).toBe(weight.data.length);
      expect(Math.max(...before.channels.high)).toBe(Math.max(...(weight.data as Float32Array)));
      expect(after!.dims[0]).toBeLessThanOrEqual(before.dims[0]!);
    }
    const kept = [...layers.values()].map(({ before, after }) => after!.dims[0]! / before.dims[0]!);
    expect(Math.min(...kept)).toBeLessThan(1);
  });

  it('are those that the integers say: a step of the layer’s scale apart, as many scales as the plan has', () => {
    const plan = new Map(result.quant.map((quant) => [quant.tensor, quant]));
    const compressed = parseModel(result.models.compressed);
    let cut = 0;
    for (const [name, { dtype, scales, sqnr, after }] of layers) {
      const own = compressed.graph.nodes.filter((n) => n.name === name || n.name.startsWith(`${name}_part`));
      if (own.length > 1) cut++;
      const quants = own.map(({ inputs }) => plan.get(inputs[1]!)!);
      expect(dtype).toBe('int8');
      expect(scales).toBe(quants.reduce((sum, { scale }) => sum + scale.length, 0));
      expect(after!.channels.high).toHaveLength(scales);
      expect(sqnr).toBeGreaterThan(25);
      const steps = quants.flatMap(({ scale }) => scale);
      for (const [c, high] of after!.channels.high.entries())
        expect(Math.abs(high / steps[c]! - Math.round(high / steps[c]!))).toBeLessThan(1e-3);
    }
    expect(cut).toBeGreaterThan(0);
  });

  it('stand alone before anything was compressed', () => {
    const alone = compareWeights({ original, compressed: null, quantized: null });
    expect([...alone.values()].every(({ after, dtype, sqnr }) => after === null && dtype === null && sqnr === null)).toBe(true);
  });

  it('have their channels where the operator has its outputs', () => {
    const data = Float32Array.of(1, -2, 3, 4, 5, -60);
    const of = (op: string, dims: number[], attributes = {}) =>
      compareWeights({
        original: makeModel({
          inputs: [valueInfo('x', 'float32', [1, dims[0]!])],
          outputs: [valueInfo('y', 'float32', null)],
          nodes: [{ ...node(op, ['x', 'w'], ['y'], attributes), name: 'layer' }],
          initializers: [tensor('w', 'float32', dims, data)],
        }),
        compressed: null,
        quantized: null,
      }).get('layer')!.before.channels;
    expect(of('MatMul', [2, 3])).toEqual({ low: [1, -2, -60], high: [4, 5, 3] });
    expect(of('Gemm', [2, 3], { transB: 1 })).toEqual({ low: [-2, -60], high: [3, 5] });
    expect(of('ConvTranspose', [2, 3, 1, 1])).toEqual({ low: [1, -2, -60], high: [4, 5, 3] });
  });
});
