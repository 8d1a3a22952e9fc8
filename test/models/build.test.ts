import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildDetector, type DetectorKind, matchFamily, SCENE_DETECTORS } from '../../src/models';
import { analyze, foldBatchNorm, type Model, parseModel, removeIdentity, serializeModel } from '../../src/onnx';

const NAMES = ['apple', 'ball', 'banana', 'bonsai', 'car', 'cup', 'fish', 'star'];
const build = (kind: DetectorKind, more: object = {}): Model =>
  buildDetector({ ...SCENE_DETECTORS[kind], kind, classNames: NAMES, width: 224, height: 224, seed: 1, ...more });

/** What every convolution is, in the order of the file. */
const convolutions = (model: Model) =>
  analyze(model)
    .layers.filter(({ op }) => op === 'Conv')
    .map(({ shape, parameters, macs }) => [shape, parameters, macs]);

describe('a detector with random weights', () => {
  it.each(['depthwise', 'dense'] as const)('has the architecture of the embedded one: %s', (kind) => {
    const own = foldBatchNorm(build(kind));
    const embedded = parseModel(new Uint8Array(readFileSync(`static/models/scenes-${kind}.onnx`)));
    const sorted = (model: Model) =>
      convolutions(model)
        .map((c) => JSON.stringify(c))
        .sort();
    expect(sorted(own)).toEqual(sorted(embedded));
    expect(analyze(own).parameters).toBe(analyze(embedded).parameters);
    expect(matchFamily(own)).toMatchObject({ family: 'yolox', variant: 'raw', sigmoidApplied: true, classNames: NAMES });
    expect(matchFamily(own)!.endNodes).toHaveLength(3);
    // A file, read again, is the same network.
    expect(analyze(removeIdentity(parseModel(serializeModel(own)))).macs).toBe(analyze(embedded).macs);
  });

  it('draws its weights by seed, of the size that keeps activations at one scale', () => {
    const weights = (seed: number) => build('dense', { seed }).graph.initializers.get('dark4.0.conv.weight')!;
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1).data).not.toEqual(weights(2).data);
    const { dims, data } = weights(1);
    expect(dims).toEqual([40, 32, 3, 3]);
    const square = (data as Float32Array).reduce((sum, w) => sum + w * w, 0) / data.length;
    expect(square).toBeCloseTo(2 / (32 * 9), 3);
  });

  it('starts the depthwise backbone with the uneven channels that released networks have', () => {
    const ratio = (kind: DetectorKind, layer: string) => {
      const scales = [...(build(kind).graph.initializers.get(`${layer}.bn.weight`)!.data as Float32Array)];
      return Math.max(...scales) / Math.min(...scales);
    };
    for (const layer of ['stem.conv', 'dark3.1.blocks.0.reduce']) {
      expect(ratio('depthwise', layer)).toBeGreaterThan(20);
      expect(ratio('depthwise', layer)).toBeLessThan(256);
      expect(ratio('dense', layer)).toBe(1);
    }
    // What others than depthwise convolutions read, too.
    for (const layer of ['dark3.1.through', 'merge4.blocks.0.reduce', 'heads.0.stem']) expect(ratio('depthwise', layer)).toBe(1);
  });

  it('refuses sizes that its strides do not divide', () => {
    expect(() => build('dense', { width: 200 })).toThrow('200×224 is no size for this detector.');
  });
});
