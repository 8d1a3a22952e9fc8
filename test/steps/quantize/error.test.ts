import { describe, expect, it } from 'vitest';
import { makeModel, node } from '../../../src/onnx';
import { compareLayers, sqnrDb } from '../../../src/steps/quantize';
import { createRandom, engine, f32, feed, normals, quantized, quiet, rangesOf, value } from './helpers';

describe('sqnrDb', () => {
  it('is 10 log10 of the ratio, and finite at the ends', () => {
    expect(sqnrDb(100, 1)).toBeCloseTo(20, 12);
    expect(sqnrDb(5, 0)).toBe(120);
    expect(sqnrDb(0, 0)).toBe(120);
    expect(sqnrDb(0, 3)).toBe(-120);
  });
});

describe('compareLayers', () => {
  const random = createRandom(40);
  const model = makeModel({
    inputs: [value('x', [1, 3, 12, 12])],
    outputs: [value('y', [1, 2, 12, 12])],
    nodes: [
      node('Conv', ['x', 'w1'], ['c1'], {}, 'one'),
      node('Sigmoid', ['c1'], ['s1'], {}, 'sigmoid'),
      node('Mul', ['c1', 's1'], ['a1'], {}, 'silu'),
      node('Conv', ['a1', 'w2'], ['a2'], {}, 'two'),
      node('Conv', ['a2', 'w3'], ['logits'], {}, 'three'),
      node('Sigmoid', ['logits'], ['y'], {}, 'score'),
    ],
    initializers: [
      f32('w1', [5, 3, 1, 1], normals(random, 15)),
      f32('w2', [4, 5, 1, 1], normals(random, 20)),
      f32('w3', [2, 4, 1, 1], normals(random, 8)),
    ],
  });
  const feeds = [1, 2].map(() => ({ x: feed([1, 3, 12, 12], normals(random, 432)) }));

  it('lists every layer by node, a fused pattern as one, and nothing of the float tail', async () => {
    const artifact = await quantized(model, feeds);
    const errors = await compareLayers({ float: model, quant: artifact.model, feeds, engine: await engine(), cancel: quiet.cancel });
    expect(Object.keys(errors).sort()).toEqual(['one', 'sigmoid', 'silu', 'three', 'two']);
    expect(errors.one).toBe(errors.silu);
    for (const db of Object.values(errors)) {
      expect(db).toBeGreaterThan(25);
      expect(db).toBeLessThan(60);
    }
    expect((await engine()).liveSessions).toBe(0);
  });

  it('falls where a range is too small, and for the layers after it', async () => {
    const { quantize } = await import('../../../src/steps/quantize');
    const ranges = await rangesOf(model, feeds);
    const tensors = new Map(ranges.tensors);
    const a2 = tensors.get('a2')!;
    tensors.set('a2', { ...a2, min: a2.min / 8, max: a2.max / 8 });
    const artifact = { kind: 'model', hash: 'hash', name: 'net', model, spec: null } as const;
    const { model: clipped } = await quantize(artifact, { ...ranges, tensors }, { calibrator: 'minmax' }, quiet);
    const errors = await compareLayers({ float: model, quant: clipped, feeds, engine: await engine(), cancel: quiet.cancel });
    expect(errors.one).toBeGreaterThan(30);
    expect(errors.two).toBeLessThan(8);
    expect(errors.three).toBeLessThan(12);
  });
});
