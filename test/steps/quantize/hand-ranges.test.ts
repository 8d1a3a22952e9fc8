/** Activation ranges that the recipe sets by hand. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { type Model, makeModel, node } from '../../../src/onnx';
import { parseRecipe, stepOf } from '../../../src/pipeline';
import type { OptionValues, TensorQuant } from '../../../src/steps';
import { planQuantization, readOptions } from '../../../src/steps/quantize';
import { laddersOf } from '../../../src/steps/quantize/repairs/task-clipping/ladders';
import { f32, feed, normals, quantized, rangesOf, value } from './helpers';

/** x → Conv → Relu (a) → a and its pooled copy under one scale → Conv → y. */
function network(): Model {
  const random = createRandom(8);
  return makeModel({
    inputs: [value('x', [1, 2, 24, 24])],
    outputs: [value('y', [1, 2, 24, 24])],
    nodes: [
      node('Conv', ['x', 'w'], ['c'], {}, 'first'),
      node('Relu', ['c'], ['a']),
      node('MaxPool', ['a'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Concat', ['a', 'p'], ['j'], { axis: 1 }),
      node('Conv', ['j', 'v'], ['y'], {}, 'last'),
    ],
    initializers: [f32('w', [2, 2, 1, 1], normals(random, 4)), f32('v', [2, 4, 1, 1], normals(random, 8))],
  });
}

const FEEDS = [{ x: feed([1, 2, 24, 24], normals(createRandom(9), 1152)) }];
const plan = async (options: OptionValues) => quantized(network(), FEEDS, options);
const covers = ({ scale, zeroPoint }: TensorQuant) => [(0 - zeroPoint[0]!) * scale[0]!, (255 - zeroPoint[0]!) * scale[0]!];

describe('ranges set by hand', () => {
  it.each(['minmax', 'percentile', 'mse', 'entropy'])('are what the grid covers, whatever the calibrator %s says', async (calibrator) => {
    const free = await plan({ calibrator });
    const set = await plan({ calibrator, ranges: { y: [-0.5, 0.52] } });
    const of = (artifact: typeof set, name: string) => artifact.plan.find(({ tensor }) => tensor === name)!;
    const [low, high] = covers(of(set, 'y'));
    const step = 1.02 / 255;
    expect(Math.abs(low! + 0.5)).toBeLessThanOrEqual(step);
    expect(Math.abs(high! - 0.52)).toBeLessThanOrEqual(step);
    expect(covers(of(free, 'y'))[1]).toBeGreaterThan(0.7);
    expect(of(set, 'a')).toEqual(of(free, 'a'));
    expect(set.notes).toContain('1 activation range is set by the recipe.');
    expect(free.notes.join()).not.toContain('set by the recipe');
  });

  it('hold for all that shares the scale, and cover every range given for one of them', async () => {
    const set = await plan({ concat: 'shared', ranges: { a: [0, 0.25], j: [-0.1, 0.5] } });
    for (const name of ['a', 'p', 'j']) {
      const [low, high] = covers(set.plan.find(({ tensor }) => tensor === name)!);
      expect(low).toBeCloseTo(-0.1, 2);
      expect(high).toBeCloseTo(0.5, 2);
    }
  });

  it('survive the choice among calibrators, and the clipping search has no say in them', async () => {
    const options = readOptions({ calibrator: 'minmax', clipping: 'task', ranges: { a: [0, 0.25] } });
    const ranges = await rangesOf(network(), FEEDS);
    for (const calibrator of ['minmax', 'mse'] as const) {
      const made = planQuantization(network(), ranges, { ...options, calibrator }, null);
      expect(made.activations.get('a')!.params.scale[0]).toBeCloseTo(0.25 / 255, 6);
      expect(laddersOf({ float: network(), plan: made }, options, ranges).map(({ root }) => root)).not.toContain('a');
    }
    const free = readOptions({ calibrator: 'minmax', clipping: 'task' });
    const made = planQuantization(network(), ranges, free, null);
    expect(laddersOf({ float: network(), plan: made }, free, ranges).map(({ root }) => root)).toContain('a');
  });

  it('of a value that is not quantized are not used, which is said', async () => {
    const set = await plan({
      ranges: Object.fromEntries([
        ['gone', [0, 1]],
        ['constructor', [0, 1]],
      ]),
    });
    expect(set.notes).toContain('The recipe\'s range of "gone" is not used: nothing of that name is quantized.');
    expect(set.plan).toEqual((await plan({})).plan);
  });

  it('are read from a recipe, and refused where zero lies outside or an end is no number', () => {
    const read = (ranges: unknown) => stepOf(parseRecipe({ bonsai: 1, steps: [{ step: 'quantize', options: { ranges } }] }), 'quantize');
    expect(read({ '/a': [-1, 2] }).options.ranges).toEqual({ '/a': [-1, 2] });
    for (const wrong of [{ a: [0.5, 2] }, { a: [-2, -1] }, { a: [0, 0] }, { a: [0] }, { a: [0, null] }, { a: 3 }, [[0, 1]], 'a', 1, null])
      expect(() => read(wrong), JSON.stringify(wrong)).toThrow(/option quantize.ranges is .*/);
  });
});
