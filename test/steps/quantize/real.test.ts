/** Real detectors from BONSAI_DATA (default ../shared/data): every one is quantized and loads in ONNX Runtime, or is refused. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultPreprocess, inputDims } from '../../../src/models';
import { serializeModel } from '../../../src/onnx';
import { openModel } from '../../../src/steps/open';
import { quantizableModel, quantize } from '../../../src/steps/quantize';
import type { ModelArtifact } from '../../../src/steps/types';
import { createRandom, engine, nodesOf, quiet, rangesOf, run, sqnr } from './helpers';

const FOLDER = `${process.env.BONSAI_DATA ?? '../shared/data'}/models`;
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.onnx')) : [];

/** Something like an image: smooth, in pixels, preprocessed as the network wants it. */
function imageFeed({ model, spec }: ModelArtifact, seed: number) {
  const p = spec?.preprocess ?? defaultPreprocess(model)!;
  const input = spec?.input ?? model.graph.inputs[0]!.name;
  const dims = inputDims(p);
  const random = createRandom(seed);
  const [a, b, c] = [random.next() * 40 + 10, random.next() * 40 + 10, random.next() * 6];
  const mean = p.mean[0]!;
  const std = p.std[0]!;
  const length = dims.reduce((x, y) => x * y, 1);
  const data = Float32Array.from({ length }, (_, i) => {
    const pixel = Math.round(127 + 100 * Math.sin(i / a + c) * Math.cos(i / (b * p.width)) + 20 * random.next());
    return (Math.min(255, Math.max(0, pixel)) - mean) / std;
  });
  return { [input]: { dtype: 'float32' as const, dims, data } };
}

describe.skipIf(FILES.length === 0)('real networks', () => {
  for (const file of FILES)
    it(file, async () => {
      const artifact = await openModel(file, new Uint8Array(readFileSync(`${FOLDER}/${file}`)));
      if (file.includes('int8')) {
        const ranges = { kind: 'ranges', hash: '', modelHash: artifact.hash, images: 0, backend: 'node', tensors: new Map() } as const;
        await expect(quantize(artifact, ranges, {}, quiet)).rejects.toThrow(
          `${file} is already INT8: it can be evaluated, not quantized again`,
        );
        return;
      }
      const feeds = [imageFeed(artifact, 1), imageFeed(artifact, 2)];
      const ranges = await rangesOf(artifact.model, feeds, artifact.hash);
      const quant = await quantize(artifact, ranges, { calibrator: 'minmax' }, quiet);
      const convs = [...nodesOf(quant.model, 'Conv'), ...nodesOf(quant.model, 'ConvTranspose')];
      expect(convs.length).toBe(nodesOf(quantizableModel(artifact.model), 'Conv').length + nodesOf(artifact.model, 'ConvTranspose').length);
      const makers = new Map(quant.model.graph.nodes.flatMap((n) => n.outputs.map((o) => [o, n] as const)));
      for (const conv of convs) {
        expect(quant.model.graph.initializers.get(makers.get(conv.inputs[1]!)!.inputs[0]!)?.dtype, conv.name).toBe('int8');
        expect(makers.get(makers.get(conv.inputs[0]!)!.inputs[0]!)?.op, conv.name).toBe('QuantizeLinear');
      }
      const exact = await run(artifact.model, feeds[0]!);
      for (const level of ['disabled', 'all'] as const) {
        const rounded = await run(quant.model, feeds[0]!, level);
        expect(Object.keys(rounded)).toEqual(Object.keys(exact));
        for (const name of Object.keys(exact))
          expect(sqnr(exact[name]!.data as Float32Array, rounded[name]!.data as Float32Array), name).toBeGreaterThan(0);
      }
      expect(serializeModel(quant.model).length).toBeLessThan(serializeModel(artifact.model).length);
    });
  it('sessions are released', async () => {
    expect((await engine()).liveSessions).toBe(0);
  });
});
