/** Whole runs in Node on the embedded detector and its scenes. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data';
import { StudioError } from '../../src/numerics';
import {
  type ArtifactCache,
  evaluateModel,
  PRESETS,
  parseRecipe,
  type Recipe,
  type RunEnvironment,
  type RunEvent,
  type RunInput,
  type RunResult,
  runRecipe,
  stepOf,
  takeFirst,
} from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { scenes } from '../fixtures/scenes';

const MODEL = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));
const HELD_OUT = scenes(500_000, 12);
const INPUT: RunInput = { name: 'scenes-depthwise.onnx', model: MODEL, calibration: scenes(0, 8), evaluation: HELD_OUT };
/** Judged on few images: for what is exact on any number of them. */
const QUICK: RunInput = { ...INPUT, evaluation: takeFirst(HELD_OUT, 4) };

interface Memory extends ArtifactCache {
  hits: number;
  readonly kept: Map<string, unknown>;
}

function memory(kept = new Map<string, unknown>()): Memory {
  const cache: Memory = {
    hits: 0,
    kept,
    get: async (key) => {
      if (kept.has(key)) cache.hits++;
      return structuredClone(kept.get(key));
    },
    put: async (key, artifact) => {
      kept.set(key, structuredClone(artifact));
    },
  };
  return cache;
}

/** What runs of this file have in common is computed once: ranges, cuts, the evaluation of the float network. */
const shared = memory();

let engine: Engine;
const environment = (more: Partial<RunEnvironment> = {}): RunEnvironment => ({
  engine,
  gpu: null,
  cancel: { aborted: false, throwIfAborted() {} },
  progress() {},
  ...more,
});

beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
});

const preset = (name: string) => PRESETS[name]!();
/** prune-10-int8 without its repairs, which would calibrate a second time. */
const pruneAndQuantize = (): Recipe => {
  const { steps, ...recipe } = preset('prune-10-int8');
  const { options } = stepOf(preset('int8-percentile'), 'quantize');
  return { ...recipe, steps: steps.map((s) => (s.step === 'quantize' ? { ...s, options } : s)) };
};
const text = (result: RunResult, file: string) => new TextDecoder().decode(result.files.get(file));
const files = (result: RunResult) => [...result.files.keys()].sort();
const AGREEMENT = ['agreement.json', 'agreement.md'];
const BUNDLE = [
  'README.md',
  'bundle.json',
  'calib_set.npy',
  'compile.py',
  'compile.sh',
  'model.alls',
  'model.onnx',
  'nms_config.json',
  'recipe.json',
  'retrain/README.md',
  'retrain/retrain.py',
  'retrain/student.onnx',
  'retrain/teacher.onnx',
];

/** Without the steps named: quick runs of a part. */
function only(recipe: Recipe, ...steps: string[]): Recipe {
  return { ...recipe, steps: recipe.steps.map((s) => ({ ...s, enabled: steps.includes(s.step) })) };
}

/** Every load of an image, in order. */
function counted(set: ImageSet): { set: ImageSet; loads: number[] } {
  const loads: number[] = [];
  const load = (index: number) => {
    loads.push(index);
    return set.load(index);
  };
  return { set: { ...set, load }, loads };
}

describe('prune-10-int8', () => {
  let result: RunResult;
  const events: RunEvent[] = [];
  const progress: { step: string; done: number; total: number }[] = [];
  beforeAll(async () => {
    const told = { event: (e: RunEvent) => void events.push(e), progress: (p: (typeof progress)[number]) => void progress.push(p) };
    result = await runRecipe(pruneAndQuantize(), INPUT, environment({ cache: shared, ...told }));
  });

  it('gives a row for each network, smaller from step to step', () => {
    const [fp32, pruned, int8] = result.rows;
    expect(result.rows.map((row) => [row.id, row.model, row.environment])).toEqual([
      ['fp32', 'scenes-depthwise.onnx', 'FP32'],
      ['pruned', 'scenes-depthwise.onnx, pruned', 'FP32'],
      ['int8', 'scenes-depthwise.onnx, pruned, INT8', 'INT8, simulated'],
      ['int8-other', 'scenes-depthwise.onnx, pruned, INT8, one weight scale a layer', 'INT8, simulated'],
    ]);
    expect(fp32!.macs).toBe(56_611_464);
    expect(fp32!.parameters).toBe(154_319);
    expect(fp32!.weightBytes).toBeGreaterThanOrEqual(4 * fp32!.parameters);
    expect(fp32!.weightBytes).toBeLessThan(4.1 * fp32!.parameters);
    expect(pruned!.macs / fp32!.macs).toBeLessThanOrEqual(0.905);
    expect(pruned!.macs / fp32!.macs).toBeGreaterThan(0.8);
    expect(pruned!.parameters).toBeLessThan(fp32!.parameters);
    expect([int8!.macs, int8!.parameters]).toEqual([pruned!.macs, pruned!.parameters]);
    expect(int8!.weightBytes).toBeLessThan(0.5 * pruned!.weightBytes);
  });

  it('scores all of them on the labelled images', () => {
    for (const { metrics, samples } of result.rows) {
      expect(metrics).toMatchObject({ kind: 'coco', images: 12, scoreThreshold: 0.01, iouThreshold: 0.65 });
      expect(samples.map((s) => s.image)).toEqual([0, 1, 2, 3]);
      expect(samples.some((s) => s.detections.length > 0)).toBe(true);
    }
    const [fp32, pruned, int8] = result.rows.map((row) => row.metrics!.mAP!);
    expect(fp32).toBeGreaterThan(60);
    expect(pruned).toBeGreaterThan(40);
    expect(pruned).toBeLessThan(fp32!);
    // Calibrated only: its uneven channels cost it a part.
    expect(int8!).toBeLessThan(pruned!);
    expect(int8!).toBeGreaterThan(0.5 * pruned!);
    const { paired } = result.rows[2]!.metrics!;
    expect(paired).toMatchObject({ reference: fp32, difference: expect.closeTo(int8! - fp32!, 9) });
    expect(paired!.differenceInterval.low).toBeLessThanOrEqual(paired!.difference);
    expect(result.rows[0]!.metrics!.paired).toBeNull();
  });

  it('says that Hailo-8 leaves the reading of the weights open, and which one is worse', () => {
    const [int8, other] = result.rows.slice(2).map((row) => row.metrics!.mAP!);
    const note = result.notes.find((text) => text.includes('one scale a channel or one a layer'))!;
    expect(note).toContain(`${Math.min(int8!, other!).toFixed(1)} % mAP`);
  });

  it('carries the agreement of the engines, layer by layer', () => {
    const report = JSON.parse(text(result, 'agreement.json'));
    expect(report).toMatchObject({ reference: 'Node, level disabled', images: 2, engines: [{ subject: 'Node, level all', failed: '' }] });
    expect(report.engines[0].layers.length).toBeGreaterThan(40);
    for (const layer of report.engines[0].layers) expect(layer.maxSteps).toBeLessThanOrEqual(1);
    expect(text(result, 'agreement.md')).toContain('| quantized value | values | differing | most steps |');
    expect(result.notes.some((note) => note.startsWith('Engines compared with Node, level disabled'))).toBe(true);
  });

  it('scores exactly what it exports', async () => {
    for (const [bytes, id] of [
      [result.models.quantized!, 'int8'],
      [result.models.compressed, 'pruned'],
      [result.models.original, 'fp32'],
    ] as const) {
      const again = await evaluateModel({ name: 'again.onnx', bytes }, HELD_OUT, 'auto', environment());
      expect([id, again.metrics.mAP]).toEqual([id, result.rows.find((row) => row.id === id)!.metrics!.mAP]);
    }
    expect(result.files.get('model.qdq.onnx')).toEqual(result.models.quantized);
  });

  it('tells of rows, ranges and steps as they come', () => {
    expect(events.flatMap((e) => (e.type === 'row' ? [e.row] : []))).toEqual(result.rows);
    expect(events.flatMap((e) => (e.type === 'ranges' ? [e.ranges] : []))).toEqual([result.ranges]);
    const order = events.flatMap((e) => (e.type === 'step' && e.state === 'started' ? [e.step] : []));
    expect(order).toEqual([
      // Two cuts of 5 %.
      ...['open', 'evaluate', 'prune', 'prune', 'evaluate', 'calibrate', 'quantize', 'evaluate'],
      // The other reading of the weights, then the layers' errors.
      ...['evaluate', 'quantize', 'export'],
    ]);
    const spent = events.flatMap((e) => (e.type === 'step' && e.state === 'done' ? [e.seconds!] : []));
    expect(spent).toHaveLength(order.length);
    const total = Object.values(result.seconds).reduce((a, b) => a + b, 0);
    expect(total).toBeCloseTo(
      spent.reduce((a, b) => a + b, 0),
      6,
    );
  });

  it('reports progress that rises and ends at its total', () => {
    for (const step of ['prune', 'calibrate', 'evaluate']) {
      const seen = progress.filter((p) => p.step === step);
      expect(seen.length, step).toBeGreaterThan(0);
      expect(seen.at(-1)!.done, step).toBe(seen.at(-1)!.total);
      for (const { done, total } of seen) expect(done).toBeLessThanOrEqual(total);
    }
    const calibration = progress.filter((p) => p.step === 'calibrate').map((p) => p.done);
    expect(calibration).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('measures the layers and keeps the plan', () => {
    expect(result.quant.filter((q) => q.role === 'weight' && q.dtype === 'int8').length).toBeGreaterThan(40);
    expect(result.ranges!.images).toBe(8);
    const errors = Object.values(result.layerError);
    expect(errors.length).toBeGreaterThan(40);
    for (const dB of errors) expect(dB).toBeGreaterThan(-20);
    expect(Math.max(...errors)).toBeGreaterThan(30);
  });

  it('lists the bundle, with a recipe that says what ran', () => {
    expect(files(result)).toEqual([...BUNDLE, ...AGREEMENT, 'model.qdq.onnx'].sort());
    const written = JSON.parse(text(result, 'recipe.json')) as Recipe;
    expect(written.record).toMatchObject({ model: 'scenes-depthwise.onnx', images: 8, engine: engine.version });
    expect(parseRecipe(written)).toEqual(pruneAndQuantize());
    expect(result.preprocess).toEqual({ name: 'BGR, 0–255, letterbox, image top-left', proposed: false });
  });

  it('replays from its recipe.json to the same bytes and figures', async () => {
    const again = await runRecipe(parseRecipe(JSON.parse(text(result, 'recipe.json'))), INPUT, environment());
    expect(again.rows).toEqual(result.rows);
    expect(again.models).toEqual(result.models);
    expect(again.layerError).toEqual(result.layerError);
    expect(files(again)).toEqual(files(result));
    for (const name of files(result).filter((f) => f !== 'README.md')) expect(again.files.get(name), name).toEqual(result.files.get(name));
  });

  it('releases every session', () => {
    expect(engine.liveSessions).toBe(0);
  });
});

describe('other recipes', () => {
  it('int8-naive quantizes the whole network without pruning', async () => {
    const { rows, models, quant, files } = await runRecipe(preset('int8-naive'), QUICK, environment({ cache: shared }));
    expect(rows.map((row) => [row.id, row.model])).toEqual([
      ['fp32', 'scenes-depthwise.onnx'],
      ['int8', 'scenes-depthwise.onnx, INT8'],
      ['int8-other', 'scenes-depthwise.onnx, INT8, one weight scale a channel'],
    ]);
    expect(rows[1]!.macs).toBe(rows[0]!.macs);
    expect(models.compressed).toEqual(models.original);
    for (const q of quant.filter((q) => q.role === 'weight')) expect([q.tensor, q.scale.length]).toEqual([q.tensor, 1]);
    expect(files.has('model.qdq.onnx')).toBe(true);
    const again = await evaluateModel({ name: 'q.onnx', bytes: models.quantized! }, QUICK.evaluation!, 'auto', environment());
    expect(again.metrics.mAP).toBe(rows[1]!.metrics!.mAP);
  });

  it('prune-10 stays in float', async () => {
    const env = environment({ cache: shared });
    const { rows, models, ranges, quant, files: bundle, layerError } = await runRecipe(preset('prune-10'), INPUT, env);
    expect(rows.map((row) => row.id)).toEqual(['fp32', 'pruned']);
    expect([models.quantized, ranges, quant, layerError]).toEqual([null, null, [], {}]);
    expect([...bundle.keys()].sort()).toEqual(BUNDLE);
  });

  it('without evaluate and export there are no figures, only models and recipe', async () => {
    const result = await runRecipe(only(preset('int8-percentile'), 'calibrate', 'quantize'), INPUT, environment({ cache: shared }));
    expect(result.rows.map((row) => [row.id, row.metrics, row.samples])).toEqual([
      ['fp32', null, []],
      ['int8', null, []],
    ]);
    expect(files(result)).toEqual(['model.onnx', 'model.qdq.onnx', 'recipe.json']);
    expect(result.files.get('model.onnx')).toEqual(result.models.compressed);
  });

  it('unlabelled images are judged by agreement with FP32, and say so', async () => {
    const unlabelled: ImageSet = {
      ...INPUT.calibration,
      categories: null,
      entries: INPUT.calibration.entries.map((e) => ({ ...e, truths: [] })),
      notes: [],
    };
    const { rows } = await runRecipe(
      only(preset('int8-percentile'), 'calibrate', 'quantize', 'evaluate'),
      { ...INPUT, calibration: unlabelled, evaluation: null },
      environment(),
    );
    const [fp32, int8] = rows.map((row) => row.metrics!);
    expect([fp32!.kind, int8!.kind]).toEqual(['agreement', 'agreement']);
    expect(fp32!.mAP).toBe(100);
    expect(int8!.mAP).toBeLessThan(100);
    expect(int8!.mAP).toBeGreaterThan(30);
    expect(int8!.notes).toContain("No labels: the figures are agreement with the FP32 network's own detections (score above 0.3).");
  });

  it('counts images that could not be decoded, once', async () => {
    const damaged: ImageSet = {
      ...INPUT.calibration,
      notes: [],
      load: (index) =>
        index === 2
          ? Promise.reject(new StudioError('bad-data', 'b.jpg is damaged (cut off).', 'It is left out.'))
          : INPUT.calibration.load(index),
    };
    const { ranges, rows, notes } = await runRecipe(
      only(preset('int8-percentile'), 'calibrate', 'quantize', 'evaluate'),
      { ...INPUT, calibration: damaged, evaluation: null },
      environment(),
    );
    expect(ranges!.images).toBe(7);
    expect(rows.map((row) => row.metrics!.images)).toEqual([7, 7]);
    expect(notes.filter((note) => note.startsWith('Calibration left out 1 of 8 images'))).toHaveLength(1);
  });
});

describe('cancel', () => {
  /** Aborts once `step` has done `after` of its images. */
  function cancelling(step: string, after: number): { env: RunEnvironment; at: () => number } {
    let aborted = false;
    let at = 0;
    const cancel = {
      get aborted() {
        return aborted;
      },
      throwIfAborted() {
        if (aborted) throw new StudioError('cancelled', 'Cancelled.', '');
      },
    };
    const env = environment({
      cancel,
      progress: (p) => {
        if (p.step === step) at = p.done;
        if (p.step === step && p.done >= after) aborted = true;
      },
    });
    return { env, at: () => at };
  }

  it.each(['prune', 'calibrate', 'evaluate'])('in the middle of %s', async (step) => {
    const { env, at } = cancelling(step, 3);
    await expect(runRecipe(only(pruneAndQuantize(), step, 'quantize'), INPUT, env)).rejects.toMatchObject({ code: 'cancelled' });
    expect(at()).toBe(3);
    expect(engine.liveSessions).toBe(0);
  });
});

describe('cache', () => {
  const recipe = () => only(preset('int8-percentile'), 'calibrate', 'quantize', 'evaluate');
  const changed = (step: string, options: Record<string, number | string>) => ({
    ...recipe(),
    steps: recipe().steps.map((s) => (s.step === step ? { ...s, options: { ...s.options, ...options } } : s)),
  });

  const { set: evaluation, loads } = counted(takeFirst(HELD_OUT, 4));
  const input = { ...INPUT, evaluation };
  const filled = memory();
  let first: RunResult;
  beforeAll(async () => {
    first = await runRecipe(recipe(), input, environment({ cache: filled }));
  });

  it('a second run measures nothing again and gives the same', async () => {
    // Two evaluations, ranges, the quantized network and its layers' errors.
    expect([filled.hits, filled.kept.size]).toEqual([0, 5]);
    expect(loads).toHaveLength(8);
    const second = await runRecipe(recipe(), input, environment({ cache: filled }));
    expect([filled.hits, filled.kept.size]).toEqual([5, 5]);
    expect(loads).toHaveLength(8);
    expect(second.rows).toEqual(first.rows);
    expect(second.models).toEqual(first.models);
  });

  it('another option only repeats what depends on it', async () => {
    const cache = memory(new Map(filled.kept));
    const { rows } = await runRecipe(changed('quantize', { calibrator: 'minmax' }), input, environment({ cache }));
    expect([cache.hits, cache.kept.size]).toEqual([2, 8]);
    expect(rows[1]!.metrics!.mAP).not.toBe(rows[0]!.metrics!.mAP);
    const fewer = await runRecipe(changed('calibrate', { images: 4 }), input, environment({ cache }));
    expect(fewer.ranges!.images).toBe(4);
    expect(cache.hits).toBe(3);
    await runRecipe(changed('evaluate', { scoreThreshold: 0.25 }), input, environment({ cache }));
    expect(cache.hits).toBe(5);
  });

  it('other images are other artifacts', async () => {
    const cache = memory(new Map(filled.kept));
    const other = { ...INPUT, calibration: scenes(100, 8), evaluation: takeFirst(HELD_OUT, 3) };
    await runRecipe(recipe(), other, environment({ cache }));
    expect(cache.hits).toBe(0);
  });
});

describe('refusals', () => {
  it('a wrong model, preprocessing or device', async () => {
    const attempt = (recipe: Recipe, input = INPUT) => runRecipe(recipe, input, environment());
    await expect(attempt(preset('prune-10'), { ...INPUT, model: new TextEncoder().encode('hello') })).rejects.toMatchObject({
      code: 'bad-file',
    });
    await expect(attempt({ ...preset('prune-10'), preprocess: 'sepia' })).rejects.toMatchObject({
      code: 'bad-option',
      message: 'There is no preprocessing "sepia".',
    });
    await expect(attempt({ ...only(preset('int8-naive'), 'calibrate', 'export'), device: 'abacus' })).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('"abacus"'),
    });
    expect(engine.liveSessions).toBe(0);
  });

  it('a model that is INT8 already is judged, not quantized again', async () => {
    const { models } = await runRecipe(only(preset('int8-naive'), 'calibrate', 'quantize'), INPUT, environment({ cache: shared }));
    const input = { ...INPUT, name: 'twice.onnx', model: models.quantized! };
    await expect(runRecipe(preset('int8-naive'), input, environment())).rejects.toThrow('twice.onnx is already INT8');
  });
});
