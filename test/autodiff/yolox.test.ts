import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph } from '../../src/autodiff';
import { parseModel, serializeModel, upgradeOpset } from '../../src/onnx';
import type { RunTensor } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { parameters, syntheticImage, syntheticWeight, withLoss } from './yolox';

const FILE = join(process.env.BONSAI_DATA ?? '../shared/data', 'models', 'yolox_nano.onnx');

interface Expected {
  readonly loss: number;
  /** torch, float64: L2 norm and three elements of each gradient. */
  readonly gradients: Readonly<Record<string, { norm: number; first: number; middle: number; last: number }>>;
}
const expected: Expected = JSON.parse(readFileSync(new URL('./yolox-gradients.json', import.meta.url), 'utf8'));

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

describe.skipIf(!existsSync(FILE))('YOLOX-Nano', () => {
  it('has the gradients that torch finds', async () => {
    const model = withLoss(upgradeOpset(parseModel(new Uint8Array(readFileSync(FILE))), 13));
    const trainable = parameters(model);
    expect(trainable).toHaveLength(226);
    const built = buildTrainingGraph(model, { loss: 'loss', trainable });
    const session = await engine.create(serializeModel(built.model));
    const feeds: Record<string, RunTensor> = {
      images: { dtype: 'float32', dims: [1, 3, 416, 416], data: syntheticImage() },
      weight: { dtype: 'float32', dims: [1, 3549, 85], data: syntheticWeight() },
    };
    for (const name of trainable) {
      const { dims, data } = model.graph.initializers.get(name)!;
      feeds[name] = { dtype: 'float32', dims, data: data as Float32Array };
    }
    const answers = await session.run(feeds);
    expect(Number(answers.loss!.data[0])).toBeCloseTo(expected.loss, 4);
    expect(Object.keys(expected.gradients)).toHaveLength(20);
    for (const [name, { norm, ...elements }] of Object.entries(expected.gradients)) {
      const data = answers[built.gradients.get(name)!]!.data as Float32Array;
      const length = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0));
      expect(Math.abs(length / norm - 1), name).toBeLessThan(5e-4);
      const got = [data[0]!, data[data.length >> 1]!, data[data.length - 1]!];
      Object.values(elements).forEach((value, i) => {
        expect(Math.abs(got[i]! - value) / norm, `${name}, element ${i}`).toBeLessThan(2e-4);
      });
    }
  });

  it('needs less than 2 GB for a step of 8 images, and a third less with activations computed again', () => {
    const step = (recompute: string): { megabytes: number; sum: number } =>
      JSON.parse(
        execFileSync(process.execPath, ['--import', 'tsx', 'test/autodiff/peak-memory.ts', FILE, '8', recompute], { encoding: 'utf8' }),
      );
    const [plain, again] = [step('none'), step('segments')];
    console.info(`8 images at once: ${plain.megabytes.toFixed(0)} MB, computed again ${again.megabytes.toFixed(0)} MB.`);
    expect(again.sum).toBe(plain.sum);
    expect(plain.megabytes).toBeLessThan(2000);
    expect(again.megabytes).toBeLessThan(0.8 * plain.megabytes);
  });
});
