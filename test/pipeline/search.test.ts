/** A search on the embedded detector and its scenes. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data';
import { type ArtifactCache, PRESETS, parseRecipe, type RunEnvironment, type RunInput, searchRecipe, stepOf } from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { scenes } from '../fixtures/scenes';

const MODEL = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));
const unlabelled = (set: ImageSet): ImageSet => ({ ...set, categories: null });
const INPUT: RunInput = {
  name: 'scenes-depthwise.onnx',
  model: MODEL,
  calibration: unlabelled(scenes(0, 24)),
  evaluation: null,
};

let engine: Engine;
const environment = (more: Partial<RunEnvironment> = {}): RunEnvironment => ({
  engine,
  gpu: null,
  cancel: { aborted: false, throwIfAborted() {} },
  progress() {},
  ...more,
});
function memory(): ArtifactCache & { puts: number } {
  const entries = new Map<string, unknown>();
  return {
    puts: 0,
    get: async (hash) => entries.get(hash),
    async put(hash, artifact) {
      this.puts++;
      entries.set(hash, structuredClone(artifact));
    },
  };
}
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
});

describe('searchRecipe', () => {
  const minmax = parseRecipe({ ...PRESETS['int8-percentile']!(), steps: [{ step: 'quantize', options: { calibrator: 'minmax' } }] });

  it('finds a recipe that keeps more than the one given, and remembers every trial', async () => {
    const cache = memory();
    const found = await searchRecipe(minmax, INPUT, environment({ cache }), { trials: 4 });
    expect([found.ended, found.kind, found.images]).toEqual(['budget', 'agreement', { fit: 18, score: 6 }]);
    const [given, ...others] = found.trials;
    expect(given!.options).toEqual(stepOf(minmax, 'quantize').options);
    expect(others.map(({ options }) => options.calibrator)).toEqual(['percentile', 'mse', 'entropy']);
    expect(found.scores[0]!).toBe(Math.max(...found.trials.map(({ score }) => score!)));
    expect(found.scores[0]!).toBeGreaterThan(given!.score!);
    const best = found.best[0]!;
    expect(parseRecipe(JSON.parse(JSON.stringify(best)))).toEqual(best);
    expect(best.name).toBe('int8-percentile-found-1');
    expect(cache.puts).toBe(4);

    const again = await searchRecipe(minmax, INPUT, environment({ cache }), { trials: 4 });
    expect(again).toEqual(found);
    expect(cache.puts).toBe(4);
    expect(engine.liveSessions).toBe(0);
  });

  it('scores by mAP on labelled images, and ends when the time is over', async () => {
    const input = { ...INPUT, evaluation: scenes(500_000, 6) };
    const labelled = await searchRecipe(minmax, input, environment(), { trials: 1 });
    expect([labelled.kind, labelled.images, labelled.trials.length]).toEqual(['coco', { fit: 24, score: 6 }, 1]);
    expect(labelled.trials[0]!.score!).toBeGreaterThan(0);
    const timed = await searchRecipe(minmax, input, environment(), { seconds: 0.001 });
    expect(timed).toMatchObject({ ended: 'budget', best: [], trials: [] });
  });

  it('ends when its user cancels', async () => {
    let asked = 0;
    const cancel = {
      aborted: false,
      throwIfAborted() {
        if (++asked > 40) throw new Error('cancelled here');
      },
    };
    await expect(searchRecipe(minmax, INPUT, environment({ cancel }))).rejects.toThrow('cancelled here');
    expect(engine.liveSessions).toBe(0);
  });

  it('refuses too few images', async () => {
    const few = { ...INPUT, calibration: unlabelled(scenes(0, 3)) };
    await expect(searchRecipe(minmax, few, environment())).rejects.toThrow('A search needs at least 4 images');
  });
});
