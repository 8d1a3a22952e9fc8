/** What a job shows of itself: one image's detections while layers are quantized. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ArtifactCache,
  type LayersEvent,
  PRESETS,
  type Recipe,
  type RunEvent,
  type RunInput,
  type RunResult,
  runRecipe,
} from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { scenes } from '../fixtures/scenes';

const INPUT: RunInput = {
  name: 'scenes-depthwise.onnx',
  model: new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx')),
  calibration: scenes(0, 8),
  evaluation: scenes(500_000, 4),
};
let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

/** The preset up to its INT8 row. */
function short(name: string): Recipe {
  const recipe = PRESETS[name]!();
  return { ...recipe, steps: recipe.steps.map((s) => (s.step === 'export' ? { ...s, enabled: false } : s)) };
}

const kept = new Map<string, unknown>();
/** What no run changes by being watched: ranges and evaluations. Networks are quantized anew. */
const cache: ArtifactCache = {
  get: async (key) => kept.get(key),
  put: async (key, value) => {
    if (!(value instanceof Object && 'quant' in value)) kept.set(key, value);
  },
};

async function run(name: string, watched: boolean): Promise<{ result: RunResult; seen: LayersEvent[] }> {
  const events: RunEvent[] = [];
  const env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {}, watched, cache };
  const result = await runRecipe(short(name), INPUT, { ...env, event: (e) => events.push(e) });
  return { result, seen: events.flatMap((e) => (e.type === 'layers' ? [e] : [])) };
}

/** Detections that the preview would show. */
const clear = (result: RunResult, row: string, image: number) =>
  result.rows.find(({ id }) => id === row)!.samples[image]!.detections.filter(({ score }) => score >= 0.3).length;

describe('a job that is watched', () => {
  it('shows the image with the most detections collapse, and the same one repaired; the result is the unwatched one', async () => {
    const { result, seen } = await run('int8-fast', true);
    const passes = [false, true].map((repaired) => seen.filter((e) => e.repaired === repaired));
    expect(seen).toEqual(passes.flat());
    for (const pass of passes) {
      expect(pass).toHaveLength(13);
      expect(pass.map(({ quantized }) => quantized)).toEqual([...new Set(pass.map(({ quantized }) => quantized))].sort((a, b) => a - b));
      expect([pass[0]!.quantized, pass.at(-1)!.quantized]).toEqual([0, pass[0]!.layers]);
    }
    const [plain, repaired] = passes as [LayersEvent[], LayersEvent[]];
    const { image } = plain[0]!;
    const counts = [0, 1, 2, 3].map((i) => clear(result, 'fp32', i));
    expect(counts[image]).toBe(Math.max(...counts));
    expect(plain[0]!.detections).toHaveLength(counts[image]!);
    expect(repaired[0]!.detections).toEqual(plain[0]!.detections);
    expect(repaired.at(-1)!.detections).toHaveLength(clear(result, 'int8', image));
    const unwatched = await run('int8-fast', false);
    expect(unwatched.seen).toEqual([]);
    expect(Buffer.from(result.models.quantized!).equals(Buffer.from(unwatched.result.models.quantized!))).toBe(true);
    expect(result.notes).toEqual(unwatched.result.notes);
  });

  it('shows one pass where nothing is repaired', async () => {
    const { seen } = await run('int8-naive', true);
    expect(seen.map(({ repaired }) => repaired)).toEqual(Array(13).fill(true));
    expect(seen.at(-1)!.detections.length).not.toBe(seen[0]!.detections.length);
  });
});
