/** Where a training step's time goes in Node, by ONNX Runtime's own profile: the slowest nodes and operators. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { serializeModel } from '../../src/onnx';
import type { Tensors } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import type { ModelArtifact } from '../../src/steps';
import { stepGraph } from './training';

interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args: { readonly op_name?: string };
}

const SUFFIX = '_kernel_time';
const RUNS = 12;
const TOP = 5;

const toOrt = (feeds: Tensors) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { data, dims }]) => [name, new ort.Tensor('float32', data as Float32Array, dims)]));

async function targetsOf(artifact: ModelArtifact, images: Tensors): Promise<Tensors> {
  const engine = await createNodeEngine({ threads: 1 });
  try {
    const session = await engine.create(serializeModel(stepGraph(artifact, 'node').teacher));
    return await session.run(images);
  } finally {
    await engine.dispose();
  }
}

/** Two lines for people: the slowest nodes and operators of one step on one thread, each node at its best. */
export async function slowest(artifact: ModelArtifact, images: Tensors): Promise<string[]> {
  const { model, feeds } = stepGraph(artifact, 'node');
  const folder = mkdtempSync(join(tmpdir(), 'bonsai-profile-'));
  try {
    const session = await ort.InferenceSession.create(serializeModel(model), {
      ...{ intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'disabled', logSeverityLevel: 3 },
      ...{ enableProfiling: true, profileFilePrefix: join(folder, 'step') },
    });
    const all = toOrt({ ...images, ...(await targetsOf(artifact, images)), ...feeds });
    const used = Object.fromEntries(session.inputNames.map((name) => [name, all[name]!]));
    for (let i = 0; i < RUNS; i++) await session.run(used);
    session.endProfiling();
    await session.release();
    const events: Event[] = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8'));
    const best = new Map<string, { op: string; ms: number }>();
    for (const { cat, name, dur, args } of events) {
      if (cat !== 'Node' || !name.endsWith(SUFFIX)) continue;
      const node = name.slice(0, -SUFFIX.length);
      best.set(node, { op: args.op_name ?? '', ms: Math.min(dur / 1000, best.get(node)?.ms ?? Number.POSITIVE_INFINITY) });
    }
    const ops = new Map<string, { count: number; ms: number }>();
    for (const { op, ms } of best.values()) ops.set(op, { count: (ops.get(op)?.count ?? 0) + 1, ms: (ops.get(op)?.ms ?? 0) + ms });
    const top = <T extends { ms: number }>(list: ReadonlyMap<string, T>) => [...list].sort(([, a], [, b]) => b.ms - a.ms).slice(0, TOP);
    const nodes = top(best).map(([name, { op, ms }]) => `${name} (${op}) ${ms.toFixed(2)}`);
    const kinds = top(ops).map(([op, { count, ms }]) => `${op} (${count}) ${ms.toFixed(1)}`);
    return [
      `Slowest nodes of a training step in Node, 1 thread, ms: ${nodes.join(', ')}.`,
      `Slowest operators of it: ${kinds.join(', ')}.`,
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
