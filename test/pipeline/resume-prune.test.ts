/** A cut that is killed while channels are judged draws the random directions of an undisturbed one when it goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serializeModel } from '../../src/onnx';
import { openJournal } from '../../src/pipeline/journal';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import type { Journal, StepContext } from '../../src/steps';
import { openModel } from '../../src/steps/open';
import { prune } from '../../src/steps/prune';
import { scenes } from '../fixtures/scenes';
import { detector } from '../steps/quantize/trained-detector';

let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

const cut = async (importance: string, journal: Journal | undefined, dies = Number.POSITIVE_INFINITY) => {
  let steps = 0;
  const cancel = {
    aborted: false,
    throwIfAborted() {
      if (++steps > dies) throw new Error('killed');
    },
  };
  const ctx: StepContext = { engine, gpu: null, seed: 3, cancel, progress() {}, ...(journal ? { journal } : {}) };
  const images = { ...scenes(100, 6, { width: 96, height: 64 }), categories: null };
  const artifact = await openModel('tiny.onnx', serializeModel(detector()));
  const options = { importance, images: 6, macsReduction: 10, resolve: 'off' };
  const result = await prune(artifact, options, ctx, null, images);
  return { bytes: Buffer.from(serializeModel(result.artifact.model)).toString('base64'), notes: result.report.notes, steps };
};

describe.each(['gauss-newton', 'taylor'])('a cut by %s', (importance) => {
  it('gives the same network after a kill at any image', async () => {
    const whole = await cut(importance, undefined);
    const records = new Map<string, unknown>();
    const store = {
      get: async (key: string) => structuredClone(records.get(key)),
      put: async (key: string, value: unknown) => void records.set(key, structuredClone(value)),
      remove: async (key: string) => void records.delete(key),
    };
    let time = 0;
    const journal = () => openJournal(store, 'a cut', () => (time += 10_000));
    const resumed: number[] = [];
    for (let dies = 4; dies < whole.steps; dies += 2) {
      records.clear();
      await expect(cut(importance, await journal(), dies)).rejects.toThrow('killed');
      const results = (records.get('a cut') as { results: unknown[] } | undefined)?.results.length ?? 0;
      resumed.push(results);
      const rest = await cut(importance, await journal());
      expect(rest.bytes === whole.bytes).toBe(true);
      expect(rest.notes).toEqual(whole.notes);
    }
    expect(resumed).toContain(3);
  });
});
