import { afterAll, describe, expect, it } from 'vitest';
import { SCENE_CLASSES } from '../../src/data';
import { matchFamily } from '../../src/models';
import { StudioError } from '../../src/numerics';
import { parseModel, serializeModel } from '../../src/onnx';
import type { Engine } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { type GrowCheckpoint, type GrowContext, type GrowLook, type GrowOptions, growDetector, LIVE_RECIPE } from '../../src/training';

let shared: Promise<Engine> | null = null;
const engine = () => (shared ??= createNodeEngine({ threads: 1 }));
afterAll(async () => (await shared)?.dispose());

const TINY: GrowOptions = {
  ...LIVE_RECIPE,
  ...{ channels: [8, 8, 8, 8, 8], head: 8, depth: [1, 1, 1, 1] },
  ...{ width: 64, height: 64, trainWidth: 64, trainHeight: 64, sceneWidth: 64, sceneHeight: 64, scenes: 24 },
  ...{ steps: 12, batch: 4, lookEvery: 4, averageDecay: 0.8, weightRate: 0.25, shiftRate: 0.03 },
};

const never = { throwIfAborted: () => undefined };

async function grow(options: GrowOptions, more: Partial<GrowContext> = {}, resume?: GrowCheckpoint) {
  const looks: GrowLook[] = [];
  const checkpoints: GrowCheckpoint[] = [];
  const result = await growDetector(
    options,
    {
      engine: await engine(),
      cancel: never,
      onLook: (look) => {
        looks.push(look);
      },
      onCheckpoint: (checkpoint) => {
        checkpoints.push(structuredClone(checkpoint));
      },
      ...more,
    },
    resume,
  );
  return { result, looks, checkpoints };
}

describe('growing a detector', () => {
  it('learns, and shows an ordinary detector at every look', async () => {
    let asked = 0;
    const evaluate = async (model: Uint8Array) => {
      expect(matchFamily(parseModel(model))).toMatchObject({ family: 'yolox', variant: 'raw', numClasses: 8, classNames: SCENE_CLASSES });
      return ++asked;
    };
    const { result, looks } = await grow(TINY, { evaluate });
    expect(looks.map(({ step, mAP }) => [step, mAP])).toEqual([
      [0, 1],
      [4, 2],
      [8, 3],
      [12, 4],
    ]);
    expect(looks[0]!.loss).toBe(null);
    expect(Object.keys(looks[3]!.parts!).sort()).toEqual(['class', 'iou', 'objectness']);
    expect(Object.values(looks[3]!.parts!).reduce((a, b) => a + b)).toBeCloseTo(looks[3]!.loss!, 3);
    expect(looks[3]!.unseen).toBeLessThan(0.98 * looks[0]!.unseen);
    expect(result.looks.map(({ unseen }) => unseen)).toEqual(looks.map(({ unseen }) => unseen));
    // What comes out is the best look, and no normalisation is left in it.
    const best = looks.reduce((a, b) => (b.unseen < a.unseen ? b : a));
    expect(result.best).toEqual({ step: best.step, unseen: best.unseen });
    expect(serializeModel(result.model)).toEqual(best.model);
    expect(result.model.graph.nodes.some(({ op }) => op === 'BatchNormalization')).toBe(false);
  });

  it('goes on from a checkpoint to the same bits', async () => {
    const whole = await grow(TINY);
    const middle = whole.checkpoints.find(({ train }) => train.state.step === 4)!;
    const resumed = await grow(TINY, {}, middle);
    expect(resumed.looks.map(({ step }) => step)).toEqual([8, 12]);
    expect(serializeModel(resumed.result.model)).toEqual(serializeModel(whole.result.model));
    expect(resumed.result.looks).toEqual(whole.result.looks);
  });

  it('stops early with what it has, and is cancelled at once', async () => {
    let steps = 0;
    const { result } = await grow(TINY, { onStep: ({ step }) => (steps = step), stopped: () => steps >= 3 });
    expect(result.looks.map(({ step }) => step)).toEqual([0, 3]);
    const cancel = {
      throwIfAborted() {
        if (steps >= 2) throw new StudioError('cancelled', 'Cancelled.', '');
      },
    };
    const live = (await engine()).liveSessions;
    steps = 0;
    await expect(grow(TINY, { cancel, onStep: ({ step }) => (steps = step) })).rejects.toThrow('Cancelled.');
    expect(steps).toBe(2);
    expect((await engine()).liveSessions).toBe(live);
  });

  it('refuses sizes that cannot be', async () => {
    await expect(grow({ ...TINY, width: 100 })).rejects.toThrow('100×64 is no size for this detector.');
  });
});
