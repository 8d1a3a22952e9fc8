import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/runtime';
import { createWasmEngine, createWebGpuEngine } from '../../src/runtime/web';
import { calibrate } from '../../src/steps/calibrate';
import { bruteForce, expectStats } from './calibrate-check';
import { artifactOf, context, noiseImages, smallNetwork } from './calibrate-network';

const CHANNELS: Record<string, number> = { images: 3, x: 6, gate: 6, silu: 6, relu: 6, pool: 6, joined: 12, pooled: 12, scaled: 12, y: 4 };
let wasm: Engine;
beforeAll(async () => {
  wasm = await createWasmEngine({ threads: 1 });
});
afterAll(() => wasm.dispose());

describe('calibration in the page', () => {
  it.each(['wasm', 'webgpu'] as const)('on %s agrees with brute force', async (backend) => {
    const gpu = backend === 'webgpu' ? await createWebGpuEngine() : null;
    const model = smallNetwork();
    const images = noiseImages(3);
    const truth = await bruteForce(model, images, wasm);
    const ranges = await calibrate(await artifactOf(model), images, { samples: 65536 }, context(wasm, gpu));
    expect(images.notes).toEqual([]);
    expect(ranges.backend).toBe((gpu ?? wasm).version);
    expect([...ranges.tensors.keys()].sort()).toEqual(Object.keys(CHANNELS).sort());
    for (const [name, stats] of ranges.tensors) expectStats(stats, truth.get(name)!, CHANNELS[name]!, true);
    expect([wasm.liveSessions, gpu?.liveSessions ?? 0]).toEqual([0, 0]);
    await gpu?.dispose();
  });

  it('goes on on WASM from the image at which the device is lost, and says so', async () => {
    const gpu = await createWebGpuEngine();
    const model = smallNetwork();
    const images = noiseImages(4);
    const truth = await bruteForce(model, images, wasm);
    const ctx = context(wasm, gpu);
    const ranges = await calibrate(
      await artifactOf(model),
      images,
      { samples: 65536 },
      {
        ...ctx,
        progress: (p) => {
          if (p.done === 2) gpu.device!.destroy();
        },
      },
    );
    expect(ranges.images).toBe(4);
    expect(images.notes).toEqual([expect.stringMatching(/^onnxruntime-web .*webgpu.* gave up after 2 images, .*device was lost/)]);
    expect(ranges.backend).toBe(images.notes[0]);
    for (const [name, stats] of ranges.tensors) expectStats(stats, truth.get(name)!, CHANNELS[name]!, true);
    await gpu.dispose();
  });
});
