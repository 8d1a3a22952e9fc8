/** Runs that are killed again and again, and go on from what the store holds: the same bits, and little lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageSet, sceneSet } from '../../src/data';
import { createRandom, StudioError } from '../../src/numerics';
import { parseModel, serializeModel } from '../../src/onnx';
import { parseRecipe, type Recipe, type RunEnvironment, type RunInput, type RunResult, runRecipe } from '../../src/pipeline';
import type { Engine, Session } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { detector } from '../steps/quantize/trained-detector';

/** Pictures without labels, some damaged: they are left out, and that is said. */
function pictures(first: number, count: number): ImageSet {
  const scenes = sceneSet(first, count, { width: 96, height: 64 });
  const load = async (i: number) => {
    if (i % 7 === 5) throw new StudioError('bad-data', `${scenes.entries[i]!.fileName} is damaged.`);
    return scenes.load(i);
  };
  const entries = scenes.entries.map(({ id, fileName, width, height }) => ({ id, fileName, width, height, truths: [] }));
  return { ...scenes, entries, categories: null, notes: [], load };
}

const MODEL = serializeModel(detector());
const NODES = detector().graph.nodes.length;
const INPUT = (): RunInput => ({
  name: 'tiny.onnx',
  model: MODEL,
  calibration: pictures(100_000, 24),
  evaluation: pictures(500_000, 12),
  training: pictures(200_000, 20),
});

const recipe = (steps: Readonly<Record<string, Record<string, unknown>>>): Recipe =>
  parseRecipe({ bonsai: 1, seed: 3, device: 'hailo8', steps: Object.entries(steps).map(([step, options]) => ({ step, options })) });

const RECIPES = {
  'prune by curvature, recover, repairs without training': recipe({
    prune: { macsReduction: 10, images: 12 },
    recover: { steps: 16, stepsBetween: 8 },
    calibrate: { images: 16 },
    quantize: {
      tryCalibrators: true,
      sixteenBit: 'search',
      sixteenBitLayers: 3,
      clipping: 'task',
      clipTrials: 60,
      reconstruct: 'least-squares',
      rounding: 'gptq',
      biasCorrection: true,
      repairImages: 10,
    },
    evaluate: {},
  }),
  'prune by measuring, learn and train': recipe({
    prune: { macsReduction: 5, importance: 'measured', images: 2 },
    quantize: { splitLayers: 8, learnSteps: 24, qatSteps: 24, repairImages: 12 },
    evaluate: {},
    export: {},
  }),
};

/** What a run of the whole network takes on the clock that journals go by; parts of it take their share. In milliseconds. */
const RUN_MS = 100;
/** What a kill may cost. */
const LOST_MS = 10_000;
const KILLS = 30;

class Killed extends Error {}

/** A page's life: everything that it computes or keeps goes through here, until it is killed. */
class Life {
  /** Milliseconds on its own clock. */
  now = 0;
  writes = 0;
  dead = false;

  constructor(
    readonly engine: Engine,
    readonly records: Map<string, unknown>,
    /** It dies at this time, or before or after this write. */
    readonly end: { readonly at: number; readonly write: number },
  ) {}

  #breathe(dies = this.now >= this.end.at): void {
    this.dead ||= dies;
    if (this.dead) throw new Killed('killed');
  }

  #table(table: string) {
    const id = (key: string) => `${table}:${key}`;
    return {
      get: async (key: string) => structuredClone(this.records.get(id(key))),
      put: async (key: string, value: unknown) => {
        this.#breathe(++this.writes === this.end.write);
        this.records.set(id(key), structuredClone(value));
        this.#breathe(++this.writes === this.end.write);
      },
      remove: async (key: string) => {
        this.#breathe();
        this.records.delete(id(key));
      },
    };
  }

  #watched(): Engine {
    const { engine } = this;
    const create: Engine['create'] = async (bytes, options) => {
      const session = await engine.create(bytes, options);
      const share = Math.min(1, parseModel(bytes).graph.nodes.length / NODES);
      const run: Session['run'] = async (feeds, names) => {
        this.#breathe();
        const outputs = await session.run(feeds, names);
        this.now += RUN_MS * share;
        return outputs;
      };
      return { inputNames: session.inputNames, outputNames: session.outputNames, run, release: () => session.release() } as Session;
    };
    const { backend, version, threads } = engine;
    return { backend, version, threads, create, dispose: () => engine.dispose() } as Engine;
  }

  environment(keeps = true): RunEnvironment {
    return {
      engine: this.#watched(),
      gpu: null,
      cancel: { aborted: false, throwIfAborted: () => this.#breathe() },
      progress() {},
      ...(keeps ? { cache: this.#table('artifact'), checkpoints: this.#table('checkpoint'), job: 'the job' } : {}),
      now: () => this.now,
    };
  }
}

const comparable = ({ seconds: _, ...result }: RunResult) => result;

let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

describe.each(Object.entries(RECIPES))('%s', (_name, asked) => {
  it(`is killed ${KILLS} times and more, gives the same bits, and loses at most ten seconds each time`, { timeout: 600_000 }, async () => {
    const undisturbed = new Life(engine, new Map(), { at: Number.POSITIVE_INFINITY, write: -1 });
    const expected = comparable(await runRecipe(asked, INPUT(), undisturbed.environment(false)));
    const random = createRandom(7);
    const records = new Map<string, unknown>();
    let [kills, lived] = [0, 0];
    let result: RunResult | null = null;
    while (!result) {
      // Lives long enough to get anywhere, so short that there are many.
      const at = random.next() * ((3 * undisturbed.now) / KILLS);
      const life = new Life(engine, records, { at, write: random.int(3) === 0 ? 1 + random.int(12) : -1 });
      try {
        result = await runRecipe(asked, INPUT(), life.environment());
      } catch (error) {
        expect(error).toBeInstanceOf(Killed);
        kills++;
      }
      lived += life.now;
    }
    expect(comparable(result)).toEqual(expected);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect((lived - undisturbed.now) / kills).toBeLessThan(LOST_MS);
    expect([...records.keys()].filter((key) => key.startsWith('checkpoint:'))).toEqual([]);
  });
});
