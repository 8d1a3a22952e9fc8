/** The real detectors from BONSAI_DATA (default ../shared/data): the figures that the project promises, from run to file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data';
import { openImageDir } from '../../src/data/node';
import { evaluateModel, inspectModel, PRESETS, type Recipe, type RunEnvironment, type RunResult, runRecipe } from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { DATA, HAS_DATA, modelNames, realModel } from '../onnx/real';

let engine: Engine;
let env: RunEnvironment;
let val: ImageSet;
let calibration: ImageSet;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 2 });
  env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
  if (!HAS_DATA) return;
  val = await openImageDir(join(DATA, 'coco-val'));
  calibration = await openImageDir(join(DATA, 'coco-calib'));
});
afterAll(() => engine.dispose());

const mAP = (result: RunResult, id: string) => result.rows.find((row) => row.id === id)!.metrics!.mAP!;
const run = (preset: string) =>
  runRecipe(PRESETS[preset]!(), { name: 'yolox_nano.onnx', model: realModel('yolox_nano.onnx'), calibration, evaluation: val }, env);

describe.skipIf(!HAS_DATA)('YOLOX-Nano on coco-val', () => {
  it('FP32 is 31.99 (an independent evaluator), give or take the resize', async () => {
    const { metrics } = await evaluateModel({ name: 'yolox_nano.onnx', bytes: realModel('yolox_nano.onnx') }, val, 'auto', env);
    expect(metrics.mAP).toBeGreaterThan(31.3);
    expect(metrics.mAP).toBeLessThan(32.7);
    expect(Math.abs(metrics.AP50! - 50.62)).toBeLessThan(0.7);
  }, 60_000);

  it('int8-naive collapses, and its file says the same', async () => {
    const result = await run('int8-naive');
    expect(mAP(result, 'int8')).toBeLessThan(2);
    expect(mAP(result, 'fp32')).toBeGreaterThan(31.3);
    const bytes = result.files.get('model.qdq.onnx')!;
    const again = await evaluateModel({ name: 'model.qdq.onnx', bytes }, val, 'auto', env);
    expect(again.metrics.mAP).toBe(mAP(result, 'int8'));
  }, 120_000);

  it('int8-percentile comes back, and its file says the same', async () => {
    const result = await run('int8-percentile');
    expect(mAP(result, 'int8')).toBeGreaterThan(22);
    const bytes = result.files.get('model.qdq.onnx')!;
    const again = await evaluateModel({ name: 'model.qdq.onnx', bytes }, val, 'auto', env);
    expect(again.metrics.mAP).toBe(mAP(result, 'int8'));
    expect(again.metrics.classHistogram).toEqual(result.rows[1]!.metrics!.classHistogram);
  }, 120_000);

  it('prune-10 leaves at most 90.5 % of the MACs and a working detector', async () => {
    const result = await run('prune-10');
    const [before, after] = result.rows.map((row) => row.macs);
    expect(after! / before!).toBeLessThanOrEqual(0.905);
    expect(after! / before!).toBeGreaterThan(0.85);
    expect(mAP(result, 'pruned')).toBeGreaterThan(20);
    expect((await inspectModel('model.onnx', result.files.get('model.onnx')!)).macs).toBe(after);
  }, 120_000);
});

/** Recipe steps on two images, without judging or the bundle. */
const QUICK: Recipe = {
  ...PRESETS['prune-10-int8']!(),
  steps: PRESETS['prune-10-int8']!().steps.map((s) => ({
    ...s,
    enabled: ['prune', 'calibrate', 'quantize'].includes(s.step),
    options: s.step === 'prune' ? { ...s.options, importance: 'l2' } : s.options,
  })),
};

/** File → family, and either MMACs before and after pruning or the sentence that refuses it. */
const KNOWN: Readonly<Record<string, { family: string; macs: number; refusal?: string }>> = {};

describe.skipIf(!HAS_DATA)('every real model is inspected, pruned by 10 %, calibrated and quantized, or refused', () => {
  it.each(modelNames())(
    '%s',
    async (name) => {
      const report = await inspectModel(name, realModel(name));
      const known = KNOWN[name];
      console.log(name, report.family, report.macs, report.parameters);
      const two = { ...calibration, entries: calibration.entries.slice(0, 2), notes: [] };
      try {
        const result = await runRecipe(QUICK, { name, model: realModel(name), calibration: two, evaluation: null }, env);
        console.log(
          result.rows.map((r) => [r.id, r.macs, r.weightBytes]),
          result.ranges?.images,
          result.notes,
        );
      } catch (error) {
        console.log('refused', (error as Error).message, (error as any).hint, (error as any).code);
      }
      void known;
      void readFileSync;
    },
    60_000,
  );
});
