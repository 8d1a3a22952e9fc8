import { describe, expect, it } from 'vitest';
import type { AnalysisReport, Evidence, Verdict } from '../../src/pipeline';
import {
  byGain,
  change,
  channelBars,
  figure,
  helpfulRepairs,
  isApplied,
  layerError,
  repairWords,
  times,
  wholeParts,
  wholeSentence,
} from '../../src/ui/causes/words';
import { figureName } from '../../src/ui/text';

function report(weights: number, activations: number, bothDb = 10): AnalysisReport {
  const part = (outputError: number, sqnrDb: number) => ({ outputError, sqnrDb, cosine: 0.9 });
  const whole = { weightsOnly: part(weights, 20), activationsOnly: part(activations, 12), both: part(weights + activations, bothDb) };
  return { model: 'm', judgedBy: 'detections', whole, layers: [], complete: true, seconds: 1, images: 4 };
}

describe('the first question', () => {
  it('names the culprit only when it is clearly one', () => {
    expect(wholeSentence(report(0.1, 3.1))).toBe('The activations are the problem: they disturb the outputs 31× as much as the weights.');
    expect(wholeSentence(report(9, 2))).toBe('The weights are the problem: they disturb the outputs 4.5× as much as the activations.');
    expect(wholeSentence(report(2, 3))).toMatch(/^Weights and activations disturb the outputs about equally/);
  });

  it('finds no problem in outputs that are as good as FP32', () => {
    expect(wholeSentence(report(0.1, 3, 45))).toMatch(/^Neither harms/);
  });

  it('survives an error of exactly nothing', () => {
    expect(wholeSentence(report(0, 3))).toContain('over 1,000×');
    expect(wholeParts(report(0, 0)).map(({ share }) => share)).toEqual([0, 0, 0]);
  });

  it('draws each error as a share of the largest', () => {
    expect(wholeParts(report(1, 3)).map(({ id, share }) => [id, share])).toEqual([
      ['weightsOnly', 0.25],
      ['activationsOnly', 0.75],
      ['both', 1],
    ]);
  });
});

describe('channels', () => {
  const evidence: Evidence = {
    tensor: 't',
    role: 'activation',
    grid: { scale: 0.1, zeroPoint: 0, qmin: 0, qmax: 255, lo: 0, hi: 25.5 },
    histogram: null,
    channels: { low: [0, -3, 0], high: [1, 30, 0.04] },
    figures: {},
  };

  it('come widest first, with the steps that the grid leaves inside their range', () => {
    // Channel 1 is clipped to 0…25.5: all 256 steps. Channel 0 spans 10 steps of 0.1, channel 2 not one.
    expect(channelBars(evidence).map(({ channel, steps }) => [channel, steps])).toEqual([
      [1, 256],
      [0, 11],
      [2, 1],
    ]);
  });

  it('have no steps without a grid, and there may be none', () => {
    expect(channelBars({ ...evidence, grid: null })[0]!.steps).toBeNull();
    expect(channelBars({ ...evidence, channels: null })).toEqual([]);
  });
});

describe('figures', () => {
  it('are short and honest', () => {
    expect([1024, 0.25, 0.00001234, 123456.7, 0].map(figure)).toEqual(['1,024', '0.250', '1.2e-5', '1.2e+5', '0']);
    expect([1.234, 12.34, 3, 5000].map(times)).toEqual(['1.2×', '12.3×', '3×', 'over 1,000×']);
    expect([change(4, 1), change(4, 5), change(4, 4.001), change(0, 1)]).toEqual(['−75 %', '+25 %', '±0 %', null]);
    expect(figureName('channelRatio')).toBe('channel ratio');
  });

  it('a layer’s error is the sum of what was measured', () => {
    const layer = { sensitivity: 2, weightSensitivity: null } as never;
    expect(layerError(layer)).toBe(2);
    expect(layerError({ sensitivity: null, weightSensitivity: null } as never)).toBeNull();
  });
});

describe('repairs', () => {
  it('are said by the names of the page', () => {
    expect(repairWords({ reconstruct: 'least-squares', biasCorrection: true, percentile: 99.9 })).toEqual([
      'Least squares: least-squares',
      'Bias correction: on',
      'Percentile: 99.9 %',
    ]);
  });

  it('count as applied only when every option is set', () => {
    expect(isApplied({ a: 1, b: true }, { a: 1, b: true, c: 'x' })).toBe(true);
    expect(isApplied({ a: 1, b: true }, { a: 1, b: false })).toBe(false);
  });

  it('are offered once each, the most helpful first, and only where they help', () => {
    const verdict = (kind: string, repair: Verdict['repair'], gain: Verdict['gain']) => ({ kind, repair, gain }) as Verdict;
    const bias = { biasCorrection: true };
    const perChannel = { weights: 'per-channel', calibrator: 'mse' };
    const a = { node: 'a', verdicts: [verdict('x', bias, { before: 2, after: 1.9 }), verdict('y', perChannel, { before: 2, after: 0.5 })] };
    const b = { node: 'b', verdicts: [verdict('z', { calibrator: 'mse', weights: 'per-channel' }, { before: 2, after: 0.5 })] };
    const c = { node: 'c', verdicts: [verdict('o', { percentile: 99 }, { before: 2, after: 40 }), verdict('n', { equalize: true }, null)] };
    const found = helpfulRepairs({ ...report(1, 1), layers: [a, b, c] as never });
    expect(found.map(({ options, nodes }) => [options, nodes])).toEqual([
      [perChannel, ['a', 'b']],
      [bias, ['a']],
    ]);
    expect(byGain([...a.verdicts, ...c.verdicts]).map(({ kind }) => kind)).toEqual(['y', 'x', 'o', 'n']);
  });
});
