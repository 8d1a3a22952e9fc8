/** The tiny YOLOX and pictures for it, for tests of repairs that train. */
import { createRandom } from '../../../src/numerics';
import { type Model, withGraph } from '../../../src/onnx';
import type { RunTensor, Tensors } from '../../../src/runtime';
import { tinyYolox } from '../../fixtures/tiny-yolox';

/** Smooth patches in pixels. */
function picture(seed: number): RunTensor {
  const random = createRandom(seed);
  const data = new Float32Array(3 * 64 * 64).fill(40 + random.int(60));
  for (let patch = 0; patch < 12; patch++) {
    const [x, y, w, h] = [random.int(48), random.int(48), 4 + random.int(24), 4 + random.int(24)];
    for (let c = 0; c < 3; c++) {
      const value = random.int(256);
      for (let i = y; i < Math.min(64, y + h); i++) data.fill(value, c * 4096 + i * 64 + x, c * 4096 + i * 64 + Math.min(64, x + w));
    }
  }
  return { dtype: 'float32', dims: [1, 3, 64, 64], data };
}

export const feedsOf = (seeds: readonly number[]) => {
  const feeds = seeds.map((seed): Tensors => ({ images: picture(seed) }));
  return { count: feeds.length, at: async (i: number) => feeds[i]! };
};

/** Weights as a detector's on pixels: activations of ordinary size. */
export function detector(): Model {
  const model = tinyYolox({ opset: 13 });
  const initializers = new Map(model.graph.initializers);
  const stem = initializers.get('/backbone/stem/conv/Conv.weight')!;
  initializers.set(stem.name, { ...stem, data: (stem.data as Float32Array).map((v) => v / 100) });
  return withGraph(model, { initializers });
}
