/** Analysis and story of whole recipes, on the embedded detector and, where there is data, on the real one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImageDir } from '../../src/data/node';
import { serializeModel } from '../../src/onnx';
import { type ArtifactCache, analyzeRecipe, PRESETS, type RunEnvironment, type RunInput, takeFirst, tellRecipe } from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { scenes } from '../fixtures/scenes';
import { DATA, HAS_DATA, realModel } from '../onnx/real';
import { detector } from '../steps/quantize/trained-detector';

const MODEL = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));
const INPUT: RunInput = { name: 'scenes-depthwise.onnx', model: MODEL, calibration: scenes(0, 6), evaluation: scenes(500_000, 4) };
/** A fifth of its layers: what is measured, kept and gone on with is the same for any network. */
const SMALL: RunInput = { ...INPUT, name: 'tiny.onnx', model: serializeModel(detector()) };

let engine: Engine;
let env: RunEnvironment;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
  env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
});
afterAll(() => engine.dispose());

function remembering(): { cache: ArtifactCache; kept: Map<string, unknown> } {
  const kept = new Map<string, unknown>();
  return { kept, cache: { get: async (key) => kept.get(key), put: async (key, value) => void kept.set(key, value) } };
}

describe('analyzeRecipe', () => {
  it('goes on from the cache where the last call ended, and is clone-safe', async () => {
    const { cache, kept } = remembering();
    const first = await analyzeRecipe(PRESETS['int8-naive']!(), SMALL, { ...env, cache }, { seconds: 0.01, images: 1 });
    expect(first.complete).toBe(false);
    expect(first.judgedBy).toBe('detections');
    expect(kept.size).toBeGreaterThanOrEqual(2);
    const second = await analyzeRecipe(PRESETS['int8-naive']!(), SMALL, { ...env, cache }, { seconds: 120, images: 1 });
    expect(second.complete).toBe(true);
    expect(second.seconds).toBeGreaterThan(first.seconds);
    expect(second.whole).toEqual(first.whole);
    expect(second.layers.every(({ sensitivity }) => sensitivity !== null)).toBe(true);
    expect(structuredClone(second)).toEqual(second);
    // Nothing is left to measure: the third call answers at once.
    const third = await analyzeRecipe(PRESETS['int8-naive']!(), SMALL, { ...env, cache }, { seconds: 0.01, images: 1 });
    expect(third).toEqual(second);
  });

  it('keeps what a cancelled call has measured', async () => {
    const { cache, kept } = remembering();
    let aborted = false;
    const cancel = {
      get aborted() {
        return aborted;
      },
      throwIfAborted() {
        if (aborted) throw Object.assign(new Error('stop'), { code: 'cancelled' });
      },
    };
    const progress: RunEnvironment['progress'] = ({ label, done }) => {
      aborted = label === 'Analysing layers' && done >= 6;
    };
    await expect(analyzeRecipe(PRESETS['int8-naive']!(), SMALL, { ...env, cache, cancel, progress }, { images: 1 })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const states = [...kept.values()].filter((v): v is { measured: object } => typeof v === 'object' && v !== null && 'measured' in v);
    expect(Object.keys(states[0]!.measured)).toHaveLength(6);
  });

  it('refuses a quantized network and a broken one as a run does', async () => {
    await expect(analyzeRecipe(PRESETS['int8-naive']!(), { ...INPUT, model: new Uint8Array(8) }, env)).rejects.toMatchObject({
      code: 'bad-file',
    });
  });
});

describe('tellRecipe', () => {
  it('tells one image from float to quantized, and what moved a lost box adds up', async () => {
    const { cache } = remembering();
    const story = await tellRecipe(PRESETS['int8-naive']!(), INPUT, 1, { ...env, cache });
    expect(story.image).toEqual({ index: 1, fileName: INPUT.evaluation!.entries[1]!.fileName });
    const steps = story.frames.map(({ layersQuantized }) => layersQuantized);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(story.layers);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.length).toBeGreaterThanOrEqual(10);
    expect(story.frames[0]).toMatchObject({ node: null, outputError: 0 });
    expect(story.frames[0]!.detections.length).toBeGreaterThan(0);
    const counted = Object.values(story.frames[0]!.classHistogram).reduce((a, b) => a + b, 0);
    expect(counted).toBe(story.frames[0]!.detections.length);
    expect(story.frames.at(-1)!.outputError).toBeGreaterThan(0);
    expect(structuredClone(story)).toEqual(story);
    for (const { score, layers } of story.lost) {
      expect(score.float).toBeGreaterThanOrEqual(story.scoreThreshold - 1e-6);
      expect(Math.abs(layers[0]!.deltaLogit)).toBeGreaterThanOrEqual(Math.abs(layers.at(-1)!.deltaLogit));
    }
    expect(await tellRecipe(PRESETS['int8-naive']!(), INPUT, 1, { ...env, cache })).toEqual(story);
  });

  it('names an image that does not exist', async () => {
    await expect(tellRecipe(PRESETS['int8-naive']!(), INPUT, 9, env)).rejects.toMatchObject({
      code: 'bad-option',
      message: `There is no image 9 in ${INPUT.evaluation!.name}.`,
    });
  });
});

describe.skipIf(!HAS_DATA)('YOLOX-Nano', () => {
  let input: RunInput;
  // The ranges are measured once.
  const { cache } = remembering();
  beforeAll(async () => {
    const calibration = takeFirst(await openImageDir(join(DATA, 'coco-calib')), 48);
    input = { name: 'yolox_nano.onnx', model: realModel('yolox_nano.onnx'), calibration, evaluation: null };
  });

  it('int8-naive: the worst layers are depthwise, their channels differ under one scale', async () => {
    const report = await analyzeRecipe(PRESETS['int8-naive']!(), input, { ...env, cache }, { seconds: 120, images: 1 });
    const worst = report.layers.find(({ verdicts }) => verdicts.length > 0)!;
    expect(worst.kind).toBe('depthwise');
    expect(worst.verdicts[0]!.kind).toBe('channel-ranges');
    expect(worst.verdicts[0]!.sentence).toMatch(/^Channel ranges differ \d+× under one weight scale/);
    expect(report.layers[0]).toBe(worst);
    const { gain } = worst.verdicts[0]!;
    expect(gain!.after).toBeLessThan(0.8 * gain!.before);
    expect(report.whole.weightsOnly.outputError).toBeGreaterThan(report.whole.activationsOnly.outputError);
  }, 300_000);

  it('int8-naive loses the boxes of an image layer by layer; the changes of a logit add up', async () => {
    const story = await tellRecipe(PRESETS['int8-naive']!(), input, 2, { ...env, cache });
    expect(story.frames[0]!.detections.length).toBeGreaterThan(0);
    expect(story.lost.length).toBeGreaterThan(0);
    const [lost] = story.lost;
    expect(lost!.score.quantized).toBeLessThan(lost!.score.float);
    expect(lost!.layers).toHaveLength(5);
  }, 300_000);
});
