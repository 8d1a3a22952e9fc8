import { afterAll, describe, expect, it } from 'vitest';
import { cancelled } from '../../src/numerics';
import { createNodeEngine } from '../../src/runtime/node';
import { calibrate } from '../../src/steps/calibrate';
import { bruteForce, expectStats } from './calibrate-check';
import { artifactOf, context, noiseImages, smallNetwork } from './calibrate-network';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());
const CHANNELS: Record<string, number> = { images: 3, x: 6, gate: 6, silu: 6, relu: 6, pool: 6, joined: 12, pooled: 12, scaled: 12, y: 4 };

describe('calibration on a CPU', () => {
  it.each([13, 18])('measures every activation as brute force does, complete and sampled (opset %i)', async (opset) => {
    const model = smallNetwork(opset);
    const images = noiseImages(5);
    const truth = await bruteForce(model, images, engine);
    const artifact = await artifactOf(model);
    for (const samples of [65536, 512]) {
      const ctx = context(engine);
      const ranges = await calibrate(artifact, images, { samples }, ctx);
      expect([...ranges.tensors.keys()].sort()).toEqual(Object.keys(CHANNELS).sort());
      expect(ranges).toMatchObject({ kind: 'ranges', modelHash: artifact.hash, images: 5, backend: engine.version });
      for (const [name, stats] of ranges.tensors)
        expectStats(stats, truth.get(name)!, CHANNELS[name]!, samples === 65536 || name === 'pooled');
      expect(ctx.seen).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
    }
    expect(engine.liveSessions).toBe(0);
  });

  it('leaves broken images out, counts and names them', async () => {
    const artifact = await artifactOf(smallNetwork());
    const images = noiseImages(4, [0, 2]);
    const ranges = await calibrate(artifact, images, {}, context(engine));
    expect(ranges.images).toBe(2);
    expect(images.notes).toEqual(['Calibration left out 2 of 4 images that could not be decoded: 0.jpg, 2.jpg.']);
    await expect(calibrate(artifact, noiseImages(2, [0, 1]), {}, context(engine))).rejects.toMatchObject({ code: 'bad-data' });
    await expect(calibrate(artifact, images, { images: 0 }, context(engine))).rejects.toMatchObject({ code: 'bad-option' });
  });

  it('stops between images when it is cancelled, and frees its session', async () => {
    let left = 2;
    const cancel = {
      aborted: false,
      throwIfAborted: () => {
        if (left-- === 0) throw cancelled();
      },
    };
    const ctx = { ...context(engine), cancel };
    await expect(calibrate(await artifactOf(smallNetwork()), noiseImages(9), {}, ctx)).rejects.toMatchObject({ code: 'cancelled' });
    expect(ctx.seen).toHaveLength(2);
    expect(engine.liveSessions).toBe(0);
  });

  it('takes a fixed hash from model, images and options', async () => {
    const artifact = await artifactOf(smallNetwork());
    const hash = async (count: number, options = {}) => (await calibrate(artifact, noiseImages(count), options, context(engine))).hash;
    const first = await hash(3);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await hash(3)).toBe(first);
    expect(await hash(4)).not.toBe(first);
    expect(await hash(3, { samples: 256 })).not.toBe(first);
  });

  it('keeps as much for 256 images as for 8', async () => {
    const artifact = await artifactOf(smallNetwork());
    const bytes = async (count: number) => {
      const ranges = await calibrate(artifact, noiseImages(count), { images: count }, context(engine));
      expect(ranges.images).toBe(count);
      globalThis.gc?.();
      return process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    };
    await bytes(8);
    const [few, many] = [await bytes(8), await bytes(256)];
    expect(many).toBeLessThan(1.2 * few + 16e6);
  });
});
