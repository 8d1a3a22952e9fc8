/** Runs that are killed again and again, and go on from what the store holds: the same bits, and little lost. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageSet, sceneSet } from '../../src/data';
import { createRandom, type RgbImage, StudioError } from '../../src/numerics';
import { parseModel, serializeModel } from '../../src/onnx';
import { parseRecipe, type Recipe, type RunEnvironment, type RunInput, type RunResult, runRecipe } from '../../src/pipeline';
import type { Engine, Session } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { detector } from '../steps/quantize/trained-detector';

const drawn = new Map<string, RgbImage>();

/** Pictures without labels, some damaged: they are left out, and that is said. */
function pictures(first: number, count: number): ImageSet {
  const scenes = sceneSet(first, count, { width: 96, height: 64 });
  const load = async (i: number) => {
    const { fileName } = scenes.entries[i]!;
    if (i % 7 === 5) throw new StudioError('bad-data', `${fileName} is damaged.`, 'Choose another.');
    const image = drawn.get(fileName) ?? (await scenes.load(i));
    drawn.set(fileName, image);
    return image;
  };
  const entries = scenes.entries.map(({ id, fileName, width, height }) => ({ id, fileName, width, height, truths: [] }));
  return { ...scenes, entries, categories: null, notes: [], load };
}

const MODEL = serializeModel(detector());
const NODES = detector().graph.nodes.length;
const INPUT = (): RunInput => ({
  name: 'tiny.onnx',
  model: MODEL,
  calibration: pictures(100_000, 14),
  evaluation: pictures(500_000, 8),
  training: pictures(200_000, 18),
});

const recipe = (steps: Readonly<Record<string, Record<string, unknown>>>): Recipe =>
  parseRecipe({ bonsai: 1, seed: 3, device: 'hailo8', steps: Object.entries(steps).map(([step, options]) => ({ step, options })) });

const RECIPES = {
  'prune by curvature, recover, repairs without training': {
    kills: 28,
    asked: recipe({
      prune: { macsReduction: 10, images: 8 },
      recover: { steps: 16, stepsBetween: 8 },
      calibrate: { images: 16 },
      quantize: {
        tryCalibrators: true,
        sixteenBit: 'search',
        sixteenBitLayers: 3,
        clipping: 'task',
        clipTrials: 40,
        reconstruct: 'least-squares',
        rounding: 'gptq',
        biasCorrection: true,
        repairImages: 10,
      },
      evaluate: {},
    }),
  },
  'prune by measuring, learn and train': {
    kills: 22,
    asked: recipe({
      prune: { macsReduction: 5, importance: 'measured', images: 2 },
      quantize: { splitLayers: 8, learnSteps: 48, qatSteps: 48, repairImages: 12 },
      evaluate: {},
      export: {},
    }),
  },
};

/** What a run of the whole network takes on the clock that journals go by; parts of it take their share. In milliseconds. */
const RUN_MS = 100;
/** What a kill may cost. */
const LOST_MS = 10_000;
/** A life lasts so long at most; by how often it writes, much shorter ones get nowhere. */
const LIFE_MS = 10_000;

class Killed extends Error {}

interface Opened {
  readonly session: Session;
  /** How much of a run of the whole network it takes. */
  readonly share: number;
}

const sessions = new Map<string, Promise<Opened>>();

/** Every life opens the same networks again: the sessions, which keep nothing from run to run, outlive it. */
function opened(engine: Engine, bytes: Uint8Array, options: Parameters<Engine['create']>[1]): Promise<Opened> {
  const key = `${createHash('sha256').update(bytes).digest('hex')} ${JSON.stringify(options)}`;
  const known = sessions.get(key);
  if (known) return known;
  const open = async (): Promise<Opened> => ({
    session: await engine.create(bytes, options),
    share: Math.min(1, parseModel(bytes).graph.nodes.length / NODES),
  });
  const made = open();
  sessions.set(key, made);
  return made;
}

/** A page's life: everything that it computes or keeps goes through here, until it is killed. */
class Life {
  /** Milliseconds on its own clock. */
  now = 0;
  writes = 0;
  /** Longest time without a write, until its end. */
  get lost(): number {
    return Math.max(this.#lost, this.now - this.#written);
  }

  #lost = 0;
  #written = 0;
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
        this.#lost = this.lost;
        this.#written = this.now;
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
      const { session, share } = await opened(engine, bytes, options);
      const run: Session['run'] = async (feeds, names) => {
        this.#breathe();
        const outputs = await session.run(feeds, names);
        this.now += RUN_MS * share;
        return outputs;
      };
      return { inputNames: session.inputNames, outputNames: session.outputNames, run, release: async () => {} } as Session;
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

/** Arrays by their digests: a difference is told in a line. */
function short(value: unknown): unknown {
  if (ArrayBuffer.isView(value))
    return createHash('sha256')
      .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      .digest('hex');
  if (value instanceof Map) return short(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(short);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, short(part)]));
}

const comparable = ({ seconds: _, ...result }: RunResult) => short(result);

let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

describe.each(Object.entries(RECIPES))('%s', (_name, { asked, kills }) => {
  it('is killed dozens of times, gives the same bits, and loses at most ten seconds each time', { timeout: 600_000 }, async () => {
    const undisturbed = new Life(engine, new Map(), { at: Number.POSITIVE_INFINITY, write: -1 });
    const expected = comparable(await runRecipe(asked, INPUT(), undisturbed.environment(false)));
    const random = createRandom(7);
    const records = new Map<string, unknown>();
    const lost: number[] = [];
    let result: RunResult | null = null;
    while (!result) {
      const end = { at: random.next() * LIFE_MS, write: random.int(3) === 0 ? 1 + random.int(12) : -1 };
      const life = new Life(engine, records, end);
      try {
        result = await runRecipe(asked, INPUT(), life.environment());
      } catch (error) {
        expect(error).toBeInstanceOf(Killed);
        lost.push(life.lost);
      }
    }
    expect(comparable(result)).toEqual(expected);
    expect(lost.length).toBeGreaterThanOrEqual(kills);
    expect(Math.max(...lost)).toBeLessThan(LOST_MS);
    expect([...records.keys()].filter((key) => key.startsWith('checkpoint:'))).toEqual([]);
  });
});
