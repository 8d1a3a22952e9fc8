/** The real detectors from BONSAI_DATA (default ../shared/data): the figures that the project promises, from run to file. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data';
import { openImageDir } from '../../src/data/node';
import {
  type ArtifactCache,
  evaluateModel,
  inspectModel,
  PRESETS,
  type Recipe,
  type RunEnvironment,
  type RunResult,
  runRecipe,
  takeFirst,
} from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { DATA, HAS_DATA, modelNames, realModel } from '../onnx/real';

let engine: Engine;
let env: RunEnvironment;
let val: ImageSet;
let calibration: ImageSet;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
  env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
  if (!HAS_DATA) return;
  val = await openImageDir(join(DATA, 'coco-val'));
  calibration = await openImageDir(join(DATA, 'coco-calib'));
});
afterAll(() => engine.dispose());

const mAP = (result: RunResult, id: string) => result.rows.find((row) => row.id === id)!.metrics!.mAP!;
const kept = new Map<string, unknown>();
/** Whatever runs have in common is computed once: the float network's evaluation, its ranges. */
const cache: ArtifactCache = { get: async (key) => kept.get(key), put: async (key, value) => void kept.set(key, value) };
const run = (recipe: Recipe, images = calibration) => {
  const input = { name: 'yolox_nano.onnx', model: realModel('yolox_nano.onnx'), calibration: images, evaluation: val };
  return runRecipe(recipe, input, { ...env, cache });
};
/** Up to its last row: a file's figures are compared with its row's where the weights have a scale a channel, below. */
const rowsOnly = (recipe: Recipe): Recipe => ({
  ...recipe,
  steps: recipe.steps.map((s) => (s.step === 'export' ? { ...s, enabled: false } : s)),
});

describe.skipIf(!HAS_DATA)('YOLOX-Nano on coco-val', () => {
  it('FP32 is 31.99 (an independent evaluator), give or take the resize; int8-naive collapses', async () => {
    const result = await run(rowsOnly(PRESETS['int8-naive']!()));
    const { metrics } = result.rows[0]!;
    expect(metrics!.mAP).toBeGreaterThan(31.3);
    expect(metrics!.mAP).toBeLessThan(32.7);
    expect(Math.abs(metrics!.AP50! - 50.62)).toBeLessThan(0.7);
    expect(mAP(result, 'int8')).toBeLessThan(2);
  });

  it('int8-percentile comes back, and its file says the same', async () => {
    // A device that says how many scales a layer has: the other reading isn't evaluated too.
    const result = await run({ ...PRESETS['int8-percentile']!(), device: 'ort' });
    expect(mAP(result, 'int8')).toBeGreaterThan(22);
    const bytes = result.files.get('model.qdq.onnx')!;
    const again = await evaluateModel({ name: 'model.qdq.onnx', bytes }, val, 'auto', env);
    expect(again.metrics.mAP).toBe(mAP(result, 'int8'));
    expect(again.metrics.classHistogram).toEqual(result.rows[1]!.metrics!.classHistogram);
  });

  it('prune-10 leaves at most 90.5 % of the MACs and a working detector', async () => {
    // 27.2 mAP with all 96 images, 28.1 with these.
    const result = await run(PRESETS['prune-10']!(), takeFirst(calibration, 32));
    const [before, after] = result.rows.map((row) => row.macs);
    expect(after! / before!).toBeLessThanOrEqual(0.905);
    expect(after! / before!).toBeGreaterThan(0.85);
    expect(mAP(result, 'pruned')).toBeGreaterThan(25);
    expect((await inspectModel('model.onnx', result.files.get('model.onnx')!)).macs).toBe(after);
  }, 400_000);
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

interface Known {
  readonly family: string;
  /** At the file's size; 416 × 416 where it leaves the size open. By onnx' own shape inference: outputs × inputs × kernel. */
  readonly macs: number;
  /** The sentence, where it isn't pruned and quantized. */
  readonly refusal?: string;
}

const KNOWN: Readonly<Record<string, Known>> = {
  'blazeface_back_256.onnx': { family: 'generic', macs: 188_749_824 },
  'mnist_opset7.onnx': { family: 'generic', macs: 786_560 },
  'opencvzoo_nanodet_2022nov.onnx': { family: 'NanoDet (pairs)', macs: 578_357_208 },
  'opencvzoo_nanodet_2022nov_int8.onnx': {
    family: 'NanoDet (pairs)',
    macs: 578_357_208,
    refusal: '"opencvzoo_nanodet_2022nov_int8.onnx" is already INT8: it can be evaluated, not pruned.',
  },
  'ppocrv4_det.onnx': { family: 'generic', macs: 972_632_384 },
  'ultraface_rfb_320.onnx': { family: 'UltraFace (decoded)', macs: 100_418_560 },
  'yolox_nano.onnx': { family: 'YOLOX (raw)', macs: 522_553_408 },
  'yolox_nano_3cls.onnx': { family: 'YOLOX (raw)', macs: 505_063_936 },
  'yolox_nano_unsimplified.onnx': { family: 'YOLOX (raw)', macs: 522_553_408 },
  'yolox_tiny_pruned_4cls_512.onnx': { family: 'YOLOX (levels)', macs: 1_755_231_232 },
  'yunet_n_dynamic.onnx': { family: 'generic', macs: 229_161_296 },
};

describe.skipIf(!HAS_DATA)('every real model is inspected, pruned by 10 %, calibrated and quantized, or refused', () => {
  it.each(modelNames())('%s', async (name) => {
    const known = KNOWN[name]!;
    const model = realModel(name);
    const { family, macs } = await inspectModel(name, model);
    expect({ family, macs }).toEqual({ family: known.family, macs: known.macs });
    const two = { ...calibration, entries: calibration.entries.slice(0, 2), notes: [] };
    const attempt = () => runRecipe(QUICK, { name, model, calibration: two, evaluation: null }, env);
    if (known.refusal) {
      await expect(attempt()).rejects.toMatchObject({ code: 'unsupported', message: known.refusal });
      return;
    }
    const { rows, ranges, models, quant } = await attempt();
    const [fp32, pruned, int8] = rows;
    expect(fp32!.macs).toBe(known.macs);
    expect(pruned!.macs / fp32!.macs).toBeLessThanOrEqual(0.905);
    expect(pruned!.macs / fp32!.macs).toBeGreaterThan(0.85);
    expect(int8!.macs).toBe(pruned!.macs);
    expect(int8!.weightBytes).toBeLessThan(0.5 * pruned!.weightBytes);
    expect(ranges!.images).toBe(2);
    expect(quant.some((q) => q.role === 'weight' && q.dtype === 'int8')).toBe(true);
    // The QDQ file opens again as the same kind of network.
    expect((await inspectModel('model.qdq.onnx', models.quantized!)).family).toBe(known.family);
  });
});
