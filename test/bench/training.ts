/** What a training step costs against the forward pass of the same image with weights as inputs, the same code in Node and in the page. */
import { buildTrainingGraph, fakeQuantNode } from '../../src/autodiff';
import { analyze, type Model, type Node, serializeModel, tensor, withGraph } from '../../src/onnx';
import type { Engine, RunTensor, Tensors } from '../../src/runtime';
import type { ModelArtifact } from '../../src/steps';
import {
  asInputs,
  openObjective,
  planDistillation,
  TRAIN_SETTINGS,
  teacherSource,
  train,
  trainableWeights,
  type Variable,
} from '../../src/training';
import type { BenchInput, BenchRow } from './measure';

/** Most that forward, backward and update may cost ÷ forward: issue 6. */
export const STEP_BARS = { node: 5.5, wasm: 3.5 } as const;

/** Far too small to change anything: only time is measured. */
const RATES = { weight: 1e-9, bias: 1e-9 };

const ACTIVATIONS = new Set(['Sigmoid', 'Mul', 'Relu', 'LeakyRelu', 'Clip', 'HardSwish']);

/**
 * Quantizers with learned scales and zero points on layers' outputs behind their activations, sums and concatenations.
 * @param network the part of the model that is no loss
 */
function withFakeQuant(model: Model, network: Model): { model: Model; variables: Variable[] } {
  const { graph } = model;
  const readers = new Map<string, Node[]>();
  for (const n of graph.nodes) for (const x of n.inputs) readers.set(x, [...(readers.get(x) ?? []), n]);
  const makers = new Map(graph.nodes.flatMap((n) => n.outputs.map((y) => [y, n] as const)));
  const gates = (n: Node) => n.op === 'Mul' && n.inputs.some((x) => makers.get(x)?.op === 'Sigmoid');
  const wanted = (n: Node): boolean => {
    if (n.op === 'Add' || n.op === 'Concat' || gates(n) || ['Relu', 'LeakyRelu', 'Clip', 'HardSwish'].includes(n.op)) return true;
    return n.op === 'Conv' && !(readers.get(n.outputs[0]!) ?? []).some((r) => ACTIVATIONS.has(r.op));
  };
  const last = new Set(network.graph.outputs.map(({ name }) => name));
  const inner = new Set(network.graph.nodes.flatMap((n) => n.outputs).filter((y) => !last.has(y)));
  const names = new Map<string, string>();
  const variables: Variable[] = [];
  const nodes = graph.nodes.flatMap((n): Node[] => {
    const own = { ...n, inputs: n.inputs.map((x) => names.get(x) ?? x) };
    const y = n.outputs[0]!;
    if (!inner.has(y) || !wanted(n)) return [own];
    const quantized = `${y}/quantized`;
    names.set(y, quantized);
    const parameter = (name: string, value: number) => {
      variables.push({ name, dims: [], data: Float32Array.of(value), unit: Float32Array.of(1), rate: RATES.weight });
      return name;
    };
    const scale = parameter(`${y}/scale`, Math.log(0.05));
    const zero = parameter(`${y}/zero`, 20);
    return [own, fakeQuantNode(y, scale, zero, quantized, { qmin: 0, qmax: 255, gradient: 'lsq' })];
  });
  const parameters = variables.map(({ name, data }) => [name, tensor(name, 'float32', [], data)] as const);
  return { model: withGraph(model, { nodes, initializers: new Map([...graph.initializers, ...parameters]) }), variables };
}

/** Milliseconds a step, the best of all after the first ones: from one step's end to the next one's. */
async function bestStep(objective: Parameters<typeof train>[0], variables: readonly Variable[], warmUp: number, rounds: number) {
  let best = Number.POSITIVE_INFINITY;
  let last = 0;
  await train(
    objective,
    variables,
    { ...TRAIN_SETTINGS, steps: warmUp + rounds, judgeEvery: warmUp + rounds },
    {
      cancel: { throwIfAborted() {} },
      onStep({ step }) {
        const now = performance.now();
        if (step > warmUp) best = Math.min(best, now - last);
        last = now;
      },
    },
  );
  if (!Number.isFinite(best)) throw new Error('Training ended before a step could be measured.');
  return best;
}

async function bestRun(engine: Engine, model: Model, feeds: Tensors, warmUp: number, rounds: number): Promise<number> {
  const session = await engine.create(serializeModel(model));
  let best = Number.POSITIVE_INFINITY;
  try {
    for (let i = -warmUp; i < rounds; i++) {
      const start = performance.now();
      await session.run(feeds);
      if (i >= 0) best = Math.min(best, performance.now() - start);
    }
  } finally {
    await session.release();
  }
  return best;
}

/** Student, teacher and weights of a network that learns from itself. */
function distillation({ model, spec }: ModelArtifact) {
  const plan = planDistillation(model, spec);
  const student = plan.student(model);
  const read = new Set(student.model.graph.nodes.flatMap((n) => n.inputs));
  const weights = trainableWeights(model, new Map(), RATES).filter(({ name }) => read.has(name));
  // A student that agrees with its teacher has nothing to learn.
  return { plan, student, variables: weights.map((v) => ({ ...v, data: v.data.map((x) => 1.02 * x) })) };
}

/** The training graph that the plain step runs, for a profile of its nodes, and what to feed it with but for targets. */
export function stepGraph(artifact: ModelArtifact, target: 'node' | 'wasm'): { model: Model; feeds: Tensors; teacher: Model } {
  const { plan, student, variables } = distillation(artifact);
  const trainable = variables.map(({ name }) => name);
  const { model } = buildTrainingGraph(student.model, { loss: student.loss, trainable, target });
  const feeds = Object.fromEntries(variables.map(({ name, dims, data }): [string, RunTensor] => [name, { dtype: 'float32', dims, data }]));
  return { model, feeds, teacher: plan.teacher(artifact.model) };
}

/** Rows of one engine, one image a step. @param images inputs of the network */
export async function trainingRows(
  engine: Engine,
  artifact: ModelArtifact,
  images: Tensors,
  { warmUp, rounds }: Pick<BenchInput, 'warmUp' | 'rounds'>,
): Promise<BenchRow[]> {
  const { plan, student, variables } = distillation(artifact);
  const count = Math.max(5, 2 * rounds);
  const feeds = Object.fromEntries(variables.map(({ name, dims, data }): [string, RunTensor] => [name, { dtype: 'float32', dims, data }]));
  const forward = await bestRun(engine, asInputs(artifact.model, variables), { ...images, ...feeds }, warmUp, 3 * count);
  const teacher = await teacherSource(engine, plan.teacher(artifact.model));
  try {
    const known = await teacher.targets({ images }, {});
    const step = async (model: Model, trained: readonly Variable[], taught: boolean): Promise<number> => {
      const objective = await openObjective({
        engine,
        teacher: { targets: taught ? teacher.targets : async () => known, async release() {} },
        student: { model: asInputs(model, trained), loss: student.loss },
        variables: trained,
        batches: async () => [{ images }],
        unseen: { count: 1, at: async () => ({ images }) },
      });
      try {
        return await bestStep(objective, trained, warmUp, count);
      } finally {
        await objective.release();
      }
    };
    const plain = await step(student.model, variables, false);
    const quantized = withFakeQuant(student.model, artifact.model);
    const all = [...variables, ...quantized.variables];
    const row = (what: string, value: number): BenchRow => ({ what, value, unit: 'ms/image', ratio: value / forward, setUp: null });
    const gigaflops = (passes: number, ms: number) => (passes * 2 * analyze(artifact.model).macs) / ms / 1e6;
    const speed = (what: string, value: number): BenchRow => ({ what, value, unit: 'GFLOP/s', ratio: null, setUp: null });
    const bar = engine.backend === 'webgpu' ? '' : `, at most ${STEP_BARS[engine.backend]}`;
    return [
      row('forward, weights as inputs', forward),
      speed('forward, weights as inputs', gigaflops(1, forward)),
      row(`training step (÷ forward, weights as inputs${bar})`, plain),
      speed('training step', gigaflops(3, plain)),
      row('training step with teacher', await step(student.model, variables, true)),
      row('training step with fake-quant', await step(quantized.model, all, false)),
      row('training step with fake-quant and teacher', await step(quantized.model, all, true)),
    ];
  } finally {
    await teacher.release();
  }
}
