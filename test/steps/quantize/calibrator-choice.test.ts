import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { makeModel, node } from '../../../src/onnx';
import { planQuantization, quantizableModel, readOptions } from '../../../src/steps/quantize';
import { calibratorChoice } from '../../../src/steps/quantize/repairs/calibrator';
import type { RepairContext } from '../../../src/steps/quantize/repairs/types';
import { f32, feed, normals, quiet, rangesOf, value } from './helpers';

describe('trying calibrators', () => {
  it('keeps the plan whose network errs least on images held back, whatever the recipe named', async () => {
    const random = createRandom(4);
    const model = quantizableModel(
      makeModel({
        inputs: [value('x', [1, 2, 16, 16])],
        outputs: [value('y', [1, 3, 16, 16])],
        nodes: [node('Conv', ['x', 'w'], ['c'], { kernel_shape: [1, 1] }), node('Relu', ['c'], ['y'])],
        initializers: [f32('w', [3, 2, 1, 1], normals(random, 6))],
      }),
    );
    const ranges = await rangesOf(model, [{ x: feed([1, 2, 16, 16], normals(random, 512)) }]);
    const options = readOptions({ tryCalibrators: true, calibrator: 'percentile', percentile: 99.9, headOutputs: 'same' });
    const start = { float: model, plan: planQuantization(model, ranges, options, null) };
    const minmax = planQuantization(model, ranges, { ...options, calibrator: 'minmax' }, null);
    const scores = [0.2, 0.5, 0.9, 0.4];
    const notes: string[] = [];
    const context = {
      ...quiet,
      options,
      ranges,
      spec: null,
      held: { count: 5, at: async () => ({}) },
      judge: { score: async () => scores.shift()! },
      note: (text: string) => notes.push(text),
    } as unknown as RepairContext;
    expect(calibratorChoice.wanted(options)).toBe(true);
    expect(calibratorChoice.wanted(readOptions({}))).toBe(false);
    const chosen = await calibratorChoice.apply(start, context);
    expect(chosen.plan.activations.get('y')!.params).toEqual(minmax.activations.get('y')!.params);
    expect(chosen.plan.activations.get('y')!.params.scale[0]).not.toBe(start.plan.activations.get('y')!.params.scale[0]);
    expect(notes).toEqual(['Of minmax, percentile 99.99, percentile 99.9, mse the calibrator "minmax" errs least on 5 unseen images.']);
  });
});
