/** Recovery with a real WebGPU device beside WASM, on a network of two layers. */
import { afterAll, describe, expect, it } from 'vitest';
import { sceneSet } from '../../src/data';
import { createRandom } from '../../src/numerics';
import { type Model, makeModel, node, serializeModel, tensor, valueInfo, withGraph } from '../../src/onnx';
import { createWasmEngine, createWebGpuEngine } from '../../src/runtime/web';
import { calibrate } from '../../src/steps/calibrate';
import { openModel } from '../../src/steps/open';
import { quantize } from '../../src/steps/quantize';
import { recover } from '../../src/steps/recover';
import type { StepContext } from '../../src/steps/types';

const engine = await createWasmEngine({ threads: 1 });
const gpu = await createWebGpuEngine();
afterAll(() => Promise.all([engine.dispose(), gpu.dispose()]));

const images = sceneSet(700_000, 12);
const ctx: StepContext = { engine, gpu, seed: 1, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
const ADMITTED = /Training runs on the (GPU, whose gradients agree|CPU: the GPU agrees with it but is slower)/;

const random = createRandom(4);
const normal = (dims: readonly number[], spread: number) =>
  Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => spread * random.normal());

const WEIGHTS = { w1: [4, 3, 3, 3], w2: [2, 4, 1, 1], b1: [4] } as const;
const original = makeModel({
  inputs: [valueInfo('images', 'float32', [1, 3, 16, 16])],
  outputs: [valueInfo('y', 'float32', [1, 2, 16, 16])],
  nodes: [
    { ...node('Conv', ['images', 'w1', 'b1'], ['c'], { pads: [1, 1, 1, 1] }), name: 'first' },
    node('Sigmoid', ['c'], ['s']),
    node('Mul', ['c', 's'], ['a']),
    { ...node('Conv', ['a', 'w2'], ['y']), name: 'second' },
  ],
  initializers: Object.entries(WEIGHTS).map(([name, dims]) => tensor(name, 'float32', [...dims], normal(dims, 0.02))),
});
/** Every weight a fifth off. */
const worn: Model = withGraph(original, {
  initializers: new Map(
    [...original.graph.initializers].map(([name, t]) => [
      name,
      { ...t, data: (t.data as Float32Array).map((v) => v * (1 + 0.2 * random.normal())) },
    ]),
  ),
});

describe('recovery', () => {
  it('finds the same gradients on WebGPU as on WASM, trains on the faster of them, and gets better', async () => {
    const [teacher, student] = await Promise.all([openModel('tiny', serializeModel(original)), openModel('tiny', serializeModel(worn))]);
    const input = { student, teacher, images, kept: new Map(), label: 'Recovery' };
    const { report } = await recover(input, { steps: 24, batch: 2, weightRate: 0.02, biasRate: 0.02 }, ctx);
    expect(report.notes[0]).toMatch(ADMITTED);
    expect(report.after).toBeLessThan(report.before);
  }, 120_000);
});

describe('QAT', () => {
  it('does so too: fake-quant gradients on WebGPU are those on WASM', async () => {
    const network = await openModel('tiny', serializeModel(original));
    const ranges = await calibrate(network, images, {}, { ...ctx, gpu: null });
    const { notes } = await quantize(network, ranges, { qatSteps: 8, repairImages: 12 }, ctx, { ...ctx, images });
    expect(notes.join(' ')).toMatch(ADMITTED);
  }, 120_000);
});
