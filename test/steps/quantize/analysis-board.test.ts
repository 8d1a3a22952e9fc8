/** The switchboard answers, for any part of a plan, what the QDQ network of that part answers. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, node } from '../../../src/onnx';
import type { RunTensor } from '../../../src/runtime';
import { buildQdq, partialPlan, planQuantization, type QuantPlan, quantizableModel, readOptions } from '../../../src/steps/quantize';
import { openBoard } from '../../../src/steps/quantize/analysis/board';
import { findStarts } from '../../../src/steps/quantize/analysis/starts';
import { tinyYolox } from '../../fixtures/tiny-yolox';
import { createRandom, engine, f32, feed, normals, rangesOf, run, value } from './helpers';

/** Conv–SiLU, a residual Add with ReLU, a pool and a Concat; the Concat's output is a graph output. */
function network(): Model {
  const random = createRandom(3);
  return makeModel({
    inputs: [value('x', [1, 3, 8, 8])],
    outputs: [value('joined', [1, 16, 8, 8]), value('q', [1, 4, 8, 8])],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c1'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Sigmoid', ['c1'], ['s1']),
      node('Mul', ['c1', 's1'], ['a1']),
      node('Conv', ['a1', 'w2'], ['c2'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 8 }),
      node('Add', ['a1', 'c2'], ['sum']),
      node('Relu', ['sum'], ['r']),
      node('MaxPool', ['r'], ['pooled'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Concat', ['a1', 'pooled'], ['joined'], { axis: 1 }),
      node('Conv', ['joined', 'w3'], ['q'], { kernel_shape: [1, 1] }),
    ],
    initializers: [
      f32('w1', [8, 3, 3, 3], normals(random, 216)),
      f32('b1', [8], normals(random, 8)),
      f32('w2', [8, 1, 3, 3], normals(random, 72)),
      f32('w3', [4, 16, 1, 1], normals(random, 64)),
    ],
  });
}

/** −0, which only arithmetic on floats has, as 0. */
const plain = ({ data }: RunTensor): number[] => Array.from(data as Float32Array, (v) => v + 0);

describe('switchboard', () => {
  it('is the QDQ network of every plan it was opened for, to the bit, and the float network with nothing on', async () => {
    const float = quantizableModel(network());
    const feeds = { x: feed([1, 3, 8, 8], normals(createRandom(4), 192)) };
    const ranges = await rangesOf(float, [feeds]);
    const plan = (options: object): QuantPlan => planQuantization(float, ranges, readOptions({ calibrator: 'minmax', ...options }), null);
    const plans = [
      plan({}),
      plan({ weights: 'per-tensor', fuseActivations: false }),
      plan({ concat: 'shared', activations: 'int8', symmetric: true }),
      partialPlan(plan({}), { activation: (v) => v === 'r' || v === 'joined', constant: ({ node: n }) => n === 'c2' }),
    ];
    const board = await openBoard(float, plans, ['a1', 'r', 'joined'], await engine());
    try {
      for (const p of plans) {
        const expected = await run(buildQdq(float, p), feeds);
        const got = await board.run(feeds, { float, plan: p });
        for (const name of ['joined', 'q']) expect(plain(got[name]!)).toEqual(plain(expected[name]!));
      }
      const nothing = partialPlan(plans[0]!, { activation: () => false, constant: () => false });
      const exact = await run(float, feeds);
      const off = await board.run(feeds, { float, plan: nothing }, ['a1', 'r']);
      expect(off.q!.data).toEqual(exact.q!.data);
      expect(Object.keys(off).sort()).toEqual(['a1', 'joined', 'q', 'r']);
      const on = await board.run(feeds, { float, plan: plans[0]! }, ['r']);
      // 8-bit values: few distinct ones, of many.
      expect(new Set(on.r!.data as Float32Array).size).toBeLessThan(new Set(off.r!.data as Float32Array).size);
    } finally {
      await board.release();
    }
  });

  it('gives the same from a start half way on', async () => {
    const float = quantizableModel(tinyYolox({ height: 64, width: 64 }));
    const input = float.graph.inputs[0]!;
    const dims = input.shape as number[];
    const feeds = {
      [input.name]: feed(
        dims,
        normals(
          createRandom(4),
          dims.reduce((a, b) => a * b, 1),
          60,
        ),
      ),
    };
    const plan = planQuantization(float, await rangesOf(float, [feeds]), readOptions({ calibrator: 'minmax' }), null);
    expect(findStarts(float).length).toBeGreaterThan(2);
    const values = plan.layers.map(({ output }) => output);
    const board = await openBoard(float, [plan], values, await engine(), { starts: true });
    try {
      const { carried, outputs } = await board.carry(feeds);
      const reference = await run(float, feeds);
      for (const [name, { data }] of Object.entries(reference)) expect(outputs[name]!.data).toEqual(data);
      let moved = 0;
      for (const layer of plan.layers) {
        const part = partialPlan(plan, { activation: (v) => v === layer.output, constant: ({ node: n }) => n === layer.node });
        const state = { float, plan: part };
        const whole = await board.run(feeds, state, [layer.output]);
        const late = await board.run(feeds, state, [layer.output], carried);
        for (const name of Object.keys(whole)) expect(late[name]!.data).toEqual(whole[name]!.data);
        if (Object.keys(reference).some((name) => String(whole[name]!.data) !== String(reference[name]!.data))) moved++;
      }
      // A saturated score may hide a layer.
      expect(moved).toBeGreaterThan(0.9 * plan.layers.length);
    } finally {
      await board.release();
    }
  });

  it('refuses a plan that switches more', async () => {
    const float = quantizableModel(network());
    const feeds = { x: feed([1, 3, 8, 8], normals(createRandom(4), 192)) };
    const plan = planQuantization(float, await rangesOf(float, [feeds]), readOptions({}), null);
    const part = partialPlan(plan, { activation: (v) => v === 'r', constant: () => false });
    const board = await openBoard(float, [part], [], await engine());
    try {
      await expect(board.run(feeds, { float, plan })).rejects.toThrow('not opened for');
    } finally {
      await board.release();
    }
  });
});
