/** A small network with everything that calibration derives or measures, and images for it. */
import type { ImageSet } from '../../src/data';
import { createRandom, StudioError } from '../../src/numerics';
import { hashModel, type Model, makeModel, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import type { ModelArtifact, StepContext } from '../../src/steps';

/** images [1,3,32,32] → Conv → SiLU; Relu and MaxPool beside it; Concat; Conv to y [1,4,32,32]. */
export function smallNetwork(opset = 13): Model {
  const random = createRandom(5);
  const weights = (name: string, dims: readonly number[]) =>
    tensor(
      name,
      'float32',
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => (random.next() - 0.5) * 0.9),
    );
  return makeModel({
    opset,
    inputs: [valueInfo('images', 'float32', [1, 3, 32, 32])],
    outputs: [valueInfo('y', 'float32', [1, 4, 32, 32])],
    nodes: [
      node('Conv', ['images', 'w1', 'b1'], ['x'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Sigmoid', ['x'], ['gate']),
      node('Mul', ['x', 'gate'], ['silu']),
      node('Relu', ['x'], ['relu']),
      node('MaxPool', ['relu'], ['pool'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] }),
      node('Concat', ['silu', 'pool'], ['joined'], { axis: 1 }),
      node('GlobalAveragePool', ['joined'], ['pooled']),
      node('Mul', ['joined', 'pooled'], ['scaled']),
      node('Conv', ['scaled', 'w2'], ['y'], { kernel_shape: [1, 1] }),
    ],
    initializers: [weights('w1', [6, 3, 3, 3]), weights('b1', [6]), weights('w2', [4, 12, 1, 1])],
  });
}

export async function artifactOf(model: Model): Promise<ModelArtifact> {
  return { kind: 'model', hash: await hashModel(serializeModel(model)), name: 'small', model, spec: null };
}

/** Noise of growing contrast; the images in `broken` can't be decoded. */
export function noiseImages(count: number, broken: readonly number[] = []): ImageSet {
  return {
    name: 'noise',
    entries: Array.from({ length: count }, (_, id) => ({ id, fileName: `${id}.jpg`, width: 32, height: 32, truths: [] })),
    categories: null,
    notes: [],
    load: async (index) => {
      if (broken.includes(index)) throw new StudioError('bad-data', `${index}.jpg is no image.`, 'Choose another.');
      const random = createRandom(100 + index);
      const contrast = (20 + 37 * index) % 256;
      return { width: 32, height: 32, data: Uint8Array.from({ length: 32 * 32 * 3 }, () => Math.floor(random.next() * contrast)) };
    },
  };
}

export function context(engine: StepContext['engine'], gpu: StepContext['gpu'] = null): StepContext & { seen: number[] } {
  const seen: number[] = [];
  return {
    cancel: { aborted: false, throwIfAborted: () => undefined },
    progress: (p) => seen.push(p.done / p.total),
    engine,
    gpu,
    seed: 1,
    seen,
  };
}
