/** The sensitivity scan of a recipe's network: kept once it is done, and gone on with where it was stopped. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sceneSet } from '../../src/data';
import { serializeModel } from '../../src/onnx';
import { parseRecipe, type RunEnvironment, type RunInput, scanRecipe } from '../../src/pipeline';
import type { Engine, Session } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { detector } from '../steps/quantize/trained-detector';

let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

const RECIPE = parseRecipe({ bonsai: 1, seed: 3, steps: [] });
const INPUT: RunInput = {
  name: 'tiny.onnx',
  model: serializeModel(detector()),
  calibration: sceneSet(100_000, 8, { width: 96, height: 64 }),
  evaluation: null,
};

/** An environment over `records` that is cancelled once the network has run `last` times, and counts the runs. */
function environment(records: Map<string, unknown>, last = Number.POSITIVE_INFINITY) {
  const seen = { runs: 0 };
  let now = 0;
  const table = (name: string) => ({
    get: async (key: string) => structuredClone(records.get(`${name}:${key}`)),
    put: async (key: string, value: unknown) => {
      records.set(`${name}:${key}`, structuredClone(value));
    },
    remove: async (key: string) => {
      records.delete(`${name}:${key}`);
    },
  });
  const create: Engine['create'] = async (bytes, options) => {
    const session = await engine.create(bytes, options);
    const run: Session['run'] = (feeds, names) => {
      seen.runs++;
      // Longer than a journal waits between two writes.
      now += 10_000;
      return session.run(feeds, names);
    };
    return { inputNames: session.inputNames, outputNames: session.outputNames, run, release: () => session.release() } as Session;
  };
  const { backend, version, threads } = engine;
  const env: RunEnvironment = {
    engine: { backend, version, threads, create, dispose() {} } as unknown as Engine,
    gpu: null,
    cancel: {
      get aborted() {
        return seen.runs >= last;
      },
      throwIfAborted() {
        if (seen.runs >= last) throw new Error('stopped');
      },
    },
    progress() {},
    cache: table('artifact'),
    checkpoints: table('checkpoint'),
    now: () => now,
  };
  return { env, seen };
}

it('goes on where it was stopped, gives the same, and is there at once the next time', async () => {
  const whole = environment(new Map());
  const expected = await scanRecipe(RECIPE, INPUT, whole.env);
  expect(expected.groups.length).toBeGreaterThan(2);

  const records = new Map<string, unknown>();
  const stopped = environment(records, Math.round(0.8 * whole.seen.runs));
  await expect(scanRecipe(RECIPE, INPUT, stopped.env)).rejects.toThrow('stopped');
  expect([...records.keys()].filter((key) => key.startsWith('checkpoint:')).length).toBe(1);
  const again = environment(records);
  expect(await scanRecipe(RECIPE, INPUT, again.env)).toEqual(expected);
  expect(again.seen.runs).toBeLessThan(0.5 * whole.seen.runs);
  expect([...records.keys()].filter((key) => key.startsWith('checkpoint:'))).toEqual([]);

  const third = environment(records);
  expect(await scanRecipe(RECIPE, INPUT, third.env)).toEqual(expected);
  // The preprocessing is looked into anew.
  expect(third.seen.runs).toBeLessThan(0.1 * whole.seen.runs);
}, 120_000);
