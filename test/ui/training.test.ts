import { describe, expect, it } from 'vitest';
import { PRESETS, parseRecipe, type Recipe, stepOf } from '../../src/pipeline';
import { priceOf, shade, worstLoss } from '../../src/ui/sensitivity/heat';
import { bestLook, endOf, imageSteps, lineOf, partNames, secondsLeft, segmentsOf } from '../../src/ui/training/curves';
import { goBack, stageTargets } from '../../src/ui/training/go-back';
import { percentEnds, position, scaleOf } from '../../src/ui/training/scale';
import { axisFigure, lossFigure, mapFigure } from '../../src/ui/training/words';
import type { CurveLook, SensitivityReport } from '../../workers/wire';

function look(run: string, step: number, unseen = 1, more: Partial<CurveLook> = {}): CurveLook {
  return { run, step, total: 400, loss: step ? 2 : null, parts: step ? { kl: 0.5 } : {}, unseen, rate: 1, mAP: null, ...more };
}

describe('curve segments', () => {
  const looks = [look('a', 0), look('a', 100, 0.8), look('a', 160, 0.9), look('b', 0, 3), look('b', 40, 2), look('b', 80, 1)];

  it('join runs in a row: each begins where the one before was last looked at', () => {
    const segments = segmentsOf(looks);
    expect(segments.map(({ number, run, offset, length }) => [number, run, offset, length])).toEqual([
      [1, 'a', 0, 160],
      [2, 'b', 160, 80],
    ]);
    expect(segments.map((segment) => bestLook(segment).step)).toEqual([100, 80]);
    // The axis has room for all of the run that goes on, and for no more than was done once it ended.
    expect(endOf(segments, true)).toBe(160 + 400);
    expect(endOf(segments, false)).toBe(240);
    expect(endOf([], true)).toBe(1);
  });

  it('part where a run of the same name starts again', () => {
    expect(segmentsOf([look('a', 0), look('a', 50), look('a', 0), look('a', 70)]).map(({ offset, length }) => [offset, length])).toEqual([
      [0, 50],
      [50, 70],
    ]);
  });

  it('become lines that break between runs and leave out what was not measured', () => {
    const line = lineOf('loss', 0, segmentsOf(looks), ({ loss }) => loss);
    expect(line.stretches.map((points) => points.map(({ x }) => x))).toEqual([
      [100, 160],
      [200, 240],
    ]);
    expect(lineOf('mAP', 0, segmentsOf(looks), ({ mAP }) => mAP).stretches).toEqual([]);
    expect(partNames(segmentsOf([...looks, look('c', 5, 1, { parts: { l1: 1, kl: 2 } })]))).toEqual(['kl', 'l1']);
  });

  it('count steps of a run in images, and guess the time left by the pace', () => {
    expect(imageSteps(75, 200, look('a', 0, 1, { total: 400 }))).toBe(150);
    expect(imageSteps(75, 1000, look('a', 0, 1, { total: 400 }))).toBe(75);
    // From step 100 on, 20 steps took 10 s: 80 more take 40.
    expect(secondsLeft({ done: 100, at: 5 }, { done: 120, at: 15 }, 200)).toBe(40);
    expect(secondsLeft({ done: 100, at: 5 }, { done: 100, at: 15 }, 200)).toBeUndefined();
  });
});

describe('axes', () => {
  it('have round ticks inside, and room around', () => {
    const scale = scaleOf([3.2, 17.9]);
    expect(scale.log).toBe(false);
    expect(scale.from).toBe(0);
    expect(scale.to).toBeGreaterThan(17.9);
    expect(scale.ticks).toEqual([0, 5, 10, 15]);
    expect(position(scale, scale.to)).toBe(1);
    expect(scaleOf([], { from: 0, to: 100 }).ticks).toEqual([0, 50, 100]);
    expect(scaleOf([0.1, 0.3], { from: 0.1, to: 0.3 }).ticks).toEqual([0.1, 0.15, 0.2, 0.25, 0.3]);
  });

  it('are logarithmic only where they may be and the values span enough', () => {
    const scale = scaleOf([0.02, 3], { logAbove: 5 });
    expect(scale.log).toBe(true);
    expect(position(scale, Math.sqrt(scale.from * scale.to))).toBeCloseTo(0.5, 10);
    expect(scale.ticks.every((tick) => tick >= scale.from && tick <= scale.to)).toBe(true);
    expect(scale.ticks.length).toBeGreaterThan(2);
    expect(scaleOf([1, 3], { logAbove: 5 }).log).toBe(false);
    expect(scaleOf([0, 3], { logAbove: 5 }).log).toBe(false);
    expect(scaleOf([1e-6, 1e6], { logAbove: 5 }).ticks.length).toBeLessThanOrEqual(8);
  });

  it('of percentages do not blow up what is next to nothing', () => {
    expect(scaleOf([0, 0.0006], percentEnds([0, 0.0006]))).toMatchObject({ from: 0, to: 5 });
    expect(scaleOf([90, 95], percentEnds([90, 95])).from).toBeGreaterThan(80);
  });

  it('survive one value, and none', () => {
    expect(position(scaleOf([7]), 7)).toBeCloseTo(0.5, 10);
    expect(scaleOf([]).ticks.length).toBeGreaterThan(1);
    expect(scaleOf([Number.NaN]).from).toBe(0);
  });

  it('say their figures briefly', () => {
    expect([0, 0.5, 2000, 12400, 3.5e6, 0.00002].map(axisFigure)).toEqual(['0', '0.5', '2000', '12.4k', '3.5M', '2e-5']);
    expect([null, 0, 0.01234, 123.4, 1e-6].map(lossFigure)).toEqual(['–', '0', '0.0123', '123', '1.0e-6']);
    expect([null, 45.26].map(mapFigure)).toEqual(['n/a', '45.3 %']);
  });
});

describe('going back', () => {
  const recipe: Recipe = { ...PRESETS['prune-25-recover-int8']!(), record: { model: 'x' } };

  it('prunes only as far as the point, in the same steps, with the same recovery', () => {
    expect(stageTargets(recipe)).toEqual([5, 10, 15, 20, 25]);
    for (const [index, target] of [5, 10, 15, 20].entries()) {
      const back = goBack(recipe, index)!;
      expect(stepOf(back, 'prune').options.macsReduction).toBe(target);
      // The common prefix comes out of the cache only if its steps are the same ones.
      expect(stageTargets(back)).toEqual(stageTargets(recipe).slice(0, index + 1));
      for (const id of ['recover', 'calibrate', 'quantize', 'evaluate', 'export'] as const)
        expect(stepOf(back, id)).toEqual(stepOf(recipe, id));
      expect(back.record).toBeUndefined();
      expect(parseRecipe(back).steps).toEqual(back.steps);
    }
  });

  it('is not offered for the end, for what does not exist, or without recovery', () => {
    expect(goBack(recipe, 4)).toBeNull();
    expect(goBack(recipe, 5)).toBeNull();
    expect(goBack(PRESETS['prune-10']!(), 0)).toBeNull();
  });
});

describe('sensitivity', () => {
  const group = (losses: number[], macsPerChannel = 1e5): SensitivityReport['groups'][number] => ({
    ...{ id: 0, source: 'Conv_0', region: 'backbone', channels: 16, macsPerChannel },
    cuts: losses.map((loss, i) => ({ channels: 4 * (i + 1), loss })),
  });
  const report = { groups: [group([0.001, 0.01, 1])], blocks: [{ name: 'b', region: 'neck', loss: 10 }] } as unknown as SensitivityReport;

  it('shades by the logarithm of the loss: nothing, the middle, the worst', () => {
    expect(worstLoss(report)).toBe(10);
    expect([0, 10, 0.01, 1e-9].map((loss) => shade(loss, 10))).toEqual([0, 1, expect.closeTo(0, 10), 0]);
    expect(shade(Math.sqrt(10 * 0.01), 10)).toBeCloseTo(0.5, 10);
    expect(shade(0, 0)).toBe(0);
  });

  it('prices a group by what its middle cut saves', () => {
    // 8 channels of 0.1 M each for a loss of 0.01.
    expect(priceOf(group([0.001, 0.01, 1]))).toBeCloseTo(0.0125, 10);
    expect(priceOf(group([0.001, 0.01, 1], 0))).toBe(Number.POSITIVE_INFINITY);
  });
});
