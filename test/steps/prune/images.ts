/** Images by code, a context with a real engine, and a small detector whose activations have ordinary sizes. */
import type { ImageSet } from '../../../src/data';
import { matchFamily } from '../../../src/models';
import { createRandom } from '../../../src/numerics';
import { hashModel, type Model, serializeModel, withGraph } from '../../../src/onnx';
import type { Engine } from '../../../src/runtime';
import { createNodeEngine } from '../../../src/runtime/node';
import type { ModelArtifact, Progress, StepContext } from '../../../src/steps/types';
import { tinyYolox } from '../../fixtures/tiny-yolox';

/** Smooth patches, another picture for each index. */
export function pictures(count: number, size = 64): ImageSet {
  return {
    name: 'pictures',
    entries: Array.from({ length: count }, (_, i) => ({ id: i, fileName: `${i}.png`, width: size, height: size, truths: [] })),
    categories: null,
    notes: [],
    async load(index) {
      const random = createRandom(1000 + index);
      const data = new Uint8Array(size * size * 3).fill(40 + random.int(60));
      for (let patch = 0; patch < 12; patch++) {
        const [x, y, w, h] = [random.int(size - 16), random.int(size - 16), 4 + random.int(24), 4 + random.int(24)];
        const color = [random.int(256), random.int(256), random.int(256)];
        for (let row = y; row < Math.min(size, y + h); row++)
          for (let column = x; column < Math.min(size, x + w); column++) data.set(color, (row * size + column) * 3);
      }
      return { width: size, height: size, data };
    },
  };
}

let shared: Promise<Engine> | null = null;

export async function context(progress: (p: Progress) => void = () => {}): Promise<StepContext> {
  shared ??= createNodeEngine({ threads: 1 });
  return { cancel: { aborted: false, throwIfAborted() {} }, progress, engine: await shared, gpu: null, seed: 3 };
}

export async function artifactOf(model: Model, name = 'tiny.onnx'): Promise<ModelArtifact> {
  return { kind: 'model', hash: await hashModel(serializeModel(model)), name, model, spec: matchFamily(model) };
}

/** The stem is scaled to pixels of 0…255. */
export function detector(): Model {
  const model = tinyYolox({ opset: 13, channels: 16, seed: 5 });
  const stem = model.graph.initializers.get('/backbone/stem/conv/Conv.weight')!;
  const scaled = { ...stem, data: (stem.data as Float32Array).map((v) => v / 100) };
  return withGraph(model, { initializers: new Map([...model.graph.initializers, [stem.name, scaled]]) });
}
