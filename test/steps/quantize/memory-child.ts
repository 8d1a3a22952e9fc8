/** Run by cases-memory.test.ts: calibrates on `process.argv[2]` images, prints its peak memory in KiB, measured from outside V8. */
import type { ImageSet } from '../../../src/data';
import { createRandom } from '../../../src/numerics';
import { hashModel, makeModel, node, serializeModel, valueInfo } from '../../../src/onnx';
import { createNodeEngine } from '../../../src/runtime/node';
import { calibrate } from '../../../src/steps/calibrate';
import { f32, normals } from './helpers';

const SIZE = 256;
const count = Number(process.argv[2]);

/** Each image: 0.8 MB as the network takes it, 1.6 MB of activations. */
const model = makeModel({
  inputs: [valueInfo('images', 'float32', [1, 3, SIZE, SIZE])],
  outputs: [valueInfo('y', 'float32', [1, 24, SIZE / 4, SIZE / 4])],
  nodes: [
    node('Conv', ['images', 'w1'], ['c'], { kernel_shape: [4, 4], strides: [4, 4] }),
    node('Relu', ['c'], ['r']),
    node('Conv', ['r', 'w2'], ['y'], { kernel_shape: [1, 1] }),
  ],
  initializers: [f32('w1', [24, 3, 4, 4], normals(createRandom(1), 1152)), f32('w2', [24, 24, 1, 1], normals(createRandom(2), 576))],
});

const images: ImageSet = {
  name: 'noise',
  entries: Array.from({ length: count }, (_, id) => ({ id, fileName: `${id}.jpg`, width: SIZE, height: SIZE, truths: [] })),
  categories: null,
  notes: [],
  load: async (index) => {
    // What is not collected here is really kept.
    if (index % 8 === 0) (globalThis as { gc?: () => void }).gc!();
    const data = new Uint8Array(SIZE * SIZE * 3);
    for (let i = 0; i < data.length; i++) data[i] = (i * 31 + index * 17) & 255;
    return { width: SIZE, height: SIZE, data };
  },
};

const engine = await createNodeEngine({ threads: 1 });
const artifact = { kind: 'model', hash: await hashModel(serializeModel(model)), name: 'memory', model, spec: null } as const;
const context = { engine, gpu: null, seed: 1, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
const ranges = await calibrate(artifact, images, { images: count }, context);
await engine.dispose();
console.log(JSON.stringify({ images: ranges.images, tensors: ranges.tensors.size, peak: process.resourceUsage().maxRSS }));
