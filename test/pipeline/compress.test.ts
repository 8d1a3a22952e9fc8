/** Pruning in steps with recovery, on the embedded detector: stages, what comes back from the cache, and what is written. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ArtifactCache,
  PRESETS,
  type Recipe,
  type RunEnvironment,
  type RunEvent,
  type RunInput,
  type RunResult,
  runRecipe,
} from '../../src/pipeline';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { scenes } from '../fixtures/scenes';

const MODEL = new Uint8Array(readFileSync('static/models/scenes-depthwise.onnx'));
const INPUT: RunInput = {
  name: 'scenes-depthwise.onnx',
  model: MODEL,
  calibration: scenes(0, 8),
  evaluation: scenes(500_000, 12),
  training: scenes(1_000, 24),
};

let engine: Engine;
beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

function memory() {
  const kept = new Map<string, unknown>();
  const cache: ArtifactCache = { get: async (hash) => kept.get(hash), put: async (hash, value) => void kept.set(hash, value) };
  return { kept, cache };
}

const environment = (more: Partial<RunEnvironment>): RunEnvironment => ({
  engine,
  gpu: null,
  cancel: { aborted: false, throwIfAborted() {} },
  progress() {},
  ...more,
});

/** The preset without export, cut cheaply, and trained for a few images. */
function short(macsReduction: number): Recipe {
  const recipe = PRESETS['prune-25-recover']!();
  const options: Record<string, Record<string, unknown>> = {
    prune: { macsReduction, stepSize: 10, importance: 'l2', resolve: 'off' },
    recover: { stepsBetween: 16, steps: 40 },
  };
  return {
    ...recipe,
    steps: recipe.steps.map((s) => ({
      ...s,
      enabled: s.enabled && s.step !== 'export',
      options: { ...s.options, ...options[s.step] } as typeof s.options,
    })),
  };
}

describe('prune and recover in steps', () => {
  const events: RunEvent[] = [];
  const { kept, cache } = memory();
  let result: RunResult;
  beforeAll(async () => {
    result = await runRecipe(short(20), INPUT, environment({ cache, event: (e) => events.push(e) }));
  });

  it('reaches the target by way of the steps, each nearer to the original after its recovery', () => {
    expect(result.stages).toHaveLength(2);
    const [first, second] = result.stages;
    expect(first!.reduction).toBeGreaterThanOrEqual(10);
    expect(first!.reduction).toBeLessThan(15);
    expect(second!.reduction).toBeGreaterThanOrEqual(20);
    expect(second!.reduction).toBeLessThan(25);
    for (const { raw, mAP, changed, reduction } of result.stages) {
      expect(changed).toBe(true);
      expect([raw, mAP].every((value) => value !== null && value >= 0 && value <= 100)).toBe(true);
      const own = result.looks.filter(({ run }) => run.includes(reduction.toFixed(1)));
      expect(Math.min(...own.map(({ unseen }) => unseen))).toBeLessThan(own[0]!.unseen);
    }
    const [fp32, pruned] = result.rows;
    expect(pruned!.macs).toBe(second!.macs);
    expect(100 * (1 - pruned!.macs / fp32!.macs)).toBeCloseTo(second!.reduction, 6);
  });

  it('tells stages and looks as they come', () => {
    expect(events.flatMap((e) => (e.type === 'stage' ? [e.stage] : []))).toEqual(result.stages);
    const looks = events.flatMap((e) => (e.type === 'look' ? [e.look] : []));
    expect(looks).toEqual(result.looks);
    expect([...new Set(looks.map(({ run }) => run))]).toEqual(
      result.stages.map(({ reduction }) => `Recovery after −${reduction.toFixed(1)} % MACs`),
    );
    expect(looks.every(({ mAP }) => mAP !== null && mAP >= 0 && mAP <= 100)).toBe(true);
  });

  it('gives the same bits when run again, without training again', async () => {
    const size = kept.size;
    const runs: number[] = [];
    const counted: Engine = {
      ...engine,
      create: async (...given) => {
        runs.push(1);
        return engine.create(...given);
      },
    };
    const again = await runRecipe(short(20), INPUT, environment({ cache, engine: counted }));
    expect(Buffer.from(again.models.compressed).equals(Buffer.from(result.models.compressed))).toBe(true);
    // Nothing but the probe of the preprocessing runs a network.
    expect(runs.length).toBeLessThan(3);
    expect(again.looks).toEqual(result.looks);
    expect(again.stages).toEqual(result.stages);
    expect(kept.size).toBe(size);
  });

  it('goes back to an earlier point without cutting again', async () => {
    const cuts: string[] = [];
    const counting: ArtifactCache = {
      get: async (hash) => cache.get(hash),
      put: async (hash, value) => {
        if (value && typeof value === 'object' && 'kept' in value) cuts.push(hash);
      },
    };
    const back = await runRecipe(short(10), INPUT, environment({ cache: counting }));
    expect(back.stages).toHaveLength(1);
    expect(back.stages[0]!.macs).toBe(result.stages[0]!.macs);
    expect(cuts).toHaveLength(0);
  });
});

it('recovery alone trains the network as it is', async () => {
  const recipe = short(10);
  const steps = recipe.steps.map((s) => (s.step === 'prune' ? { ...s, enabled: false } : s));
  const result = await runRecipe({ ...recipe, steps }, INPUT, environment({}));
  expect(result.rows.map(({ model }) => model)).toEqual(['scenes-depthwise.onnx', 'scenes-depthwise.onnx, trained']);
  expect(result.stages).toEqual([]);
});

it('another network can teach', async () => {
  const teacher = { name: 'scenes-dense.onnx', model: new Uint8Array(readFileSync('static/models/scenes-dense.onnx')) };
  const result = await runRecipe(short(10), { ...INPUT, teacher }, environment({}));
  expect(result.looks.length).toBeGreaterThan(2);
  expect(result.looks.at(-1)!.unseen).toBeLessThan(result.looks[0]!.unseen);
});
