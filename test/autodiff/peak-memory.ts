/**
 * `tsx peak-memory.ts MODEL COUNT none|segments`: one training step of YOLOX-Nano on COUNT images in this process.
 * Prints {"megabytes", "sum"}: the peak of the process's memory and the sum of all gradients' absolute values.
 */
import { readFileSync } from 'node:fs';
import { buildTrainingGraph } from '../../src/autodiff';
import { parseModel, serializeModel, upgradeOpset } from '../../src/onnx';
import type { RunTensor } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { batched, parameters, syntheticImage, syntheticWeight, withLoss } from './yolox';

const [file = '', images = '8', recompute = 'none'] = process.argv.slice(2);
const count = Number(images);

/** `count` times the same values. */
function repeated(one: Float32Array): Float32Array {
  const all = new Float32Array(count * one.length);
  for (let i = 0; i < count; i++) all.set(one, i * one.length);
  return all;
}

const engine = await createNodeEngine({ threads: 1 });
const model = withLoss(batched(upgradeOpset(parseModel(new Uint8Array(readFileSync(file))), 13), count), count);
const trainable = parameters(model);
const { model: built, gradients } = buildTrainingGraph(model, {
  loss: 'loss',
  trainable,
  recompute: recompute === 'segments' ? 'segments' : 'none',
});
const feeds: Record<string, RunTensor> = {
  images: { dtype: 'float32', dims: [count, 3, 416, 416], data: repeated(syntheticImage()) },
  weight: { dtype: 'float32', dims: [count, 3549, 85], data: repeated(syntheticWeight()) },
};
for (const name of trainable) {
  const { dims, data } = model.graph.initializers.get(name)!;
  feeds[name] = { dtype: 'float32', dims, data: data as Float32Array };
}
const session = await engine.create(serializeModel(built), { optimization: 'disabled' });
const answers = await session.run(feeds);
let sum = 0;
for (const name of gradients.values()) sum += (answers[name]!.data as Float32Array).reduce((total, g) => total + Math.abs(g), 0);
await engine.dispose();
console.log(JSON.stringify({ megabytes: process.resourceUsage().maxRSS / 1024, sum }));
