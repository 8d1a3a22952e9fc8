/** Gradients against finite differences of the forward network, on any engine. */
import { buildTrainingGraph, type FakeQuantForm, lowerFakeQuant } from '../../src/autodiff';
import { createRandom } from '../../src/numerics';
import { inferShapes, makeModel, type Node, node, serializeModel, type Tensor, valueInfo, withGraph } from '../../src/onnx';
import type { Engine, RunTensor } from '../../src/runtime';

export interface Value {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export interface Case {
  readonly nodes: readonly Node[];
  /** Every float input; all are differentiated unless `trainable` says which. */
  readonly inputs: Readonly<Record<string, Value>>;
  readonly initializers?: readonly Tensor[];
  /** Values that the loss reads: loss = Σ random · output. */
  readonly outputs?: readonly string[];
  readonly trainable?: readonly string[];
  readonly opset?: number;
  readonly fakeQuant?: FakeQuantForm;
}

export const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Normal values. */
export function normal(dims: readonly number[], seed: number, spread = 1, mean = 0): Value {
  const random = createRandom(seed);
  return { dims, data: Float32Array.from({ length: size(dims) }, () => mean + spread * random.normal()) };
}

/** Values that are at least 0.2 from each other and 0.1 from 0, ±1 and ±3: no kink lies within a difference's reach. */
export function apart(dims: readonly number[], seed: number): Value {
  const random = createRandom(seed);
  const n = size(dims);
  const places = Array.from({ length: n }, (_, i) => 0.2 * (i - Math.floor(n / 2)) + 0.1);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [places[i], places[j]] = [places[j]!, places[i]!];
  }
  return { dims, data: Float32Array.from(places) };
}

const feed = ({ dims, data }: Value): RunTensor => ({ dtype: 'float32', dims, data });

const STEP = 1 / 32;

export interface Check {
  /** Largest difference to the numeric gradient, relative to the largest gradient (at least 1). */
  readonly worst: number;
  readonly where: string;
  readonly gradients: Readonly<Record<string, RunTensor>>;
  readonly nodes: readonly Node[];
}

/** Fourth-order central differences of the outputs, weighted and summed in float64, against the built graph. */
export async function checkGradients(engine: Engine, { nodes, inputs, initializers = [], outputs = ['y'], ...rest }: Case): Promise<Check> {
  const trainable = rest.trainable ?? Object.keys(inputs);
  const base = makeModel({
    inputs: Object.entries(inputs).map(([name, { dims }]) => valueInfo(name, 'float32', dims)),
    outputs: outputs.map((name) => valueInfo(name, null, null)),
    nodes,
    initializers,
    opset: rest.opset ?? 13,
  });
  const plain = lowerFakeQuant(base);
  const shapes = inferShapes(plain);
  const typed = withGraph(plain, { outputs: outputs.map((name) => valueInfo(name, 'float32', shapes.get(name)!.shape)) });
  const forward = await engine.create(serializeModel(typed), { optimization: 'disabled' });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, feed(value)]));
  const first = await forward.run(feeds);
  const weights = Object.fromEntries(outputs.map((name, i) => [`weight_${i}`, normal(first[name]!.dims, 77 + i)]));

  const sums = outputs.map((name, i) => [
    node('Mul', [name, `weight_${i}`], [`weighted_${i}`]),
    node('ReduceSum', [`weighted_${i}`], [`part_${i}`], { keepdims: 0 }),
  ]);
  const loss = node(
    'Sum',
    outputs.map((_, i) => `part_${i}`),
    ['loss'],
  );
  const withLoss = withGraph(base, {
    inputs: [...base.graph.inputs, ...Object.entries(weights).map(([name, { dims }]) => valueInfo(name, 'float32', dims))],
    nodes: [...nodes, ...sums.flat(), loss],
    outputs: [valueInfo('loss', 'float32', [])],
  });
  const built = buildTrainingGraph(withLoss, { loss: 'loss', trainable, ...(rest.fakeQuant ? { fakeQuant: rest.fakeQuant } : {}) });
  const session = await engine.create(serializeModel(built.model), { optimization: 'disabled' });
  const weightFeeds = Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, feed(value)]));
  const answers = await session.run({ ...feeds, ...weightFeeds });
  const gradients = Object.fromEntries(trainable.map((name) => [name, answers[built.gradients.get(name)!]!]));

  const total = async (name: string, at: number, shift: number): Promise<number> => {
    const { dims, data } = inputs[name]!;
    const moved = data.slice();
    moved[at]! += shift;
    const results = await forward.run({ ...feeds, [name]: feed({ dims, data: moved }) });
    return outputs.reduce((sum, output, i) => {
      const [y, w] = [results[output]!.data as Float32Array, weights[`weight_${i}`]!.data];
      return w.reduce((s, v, j) => s + v * y[j]!, sum);
    }, 0);
  };
  let worst = 0;
  let where = 'nowhere';
  for (const name of trainable) {
    const got = gradients[name]!;
    if (got.dims.join() !== inputs[name]!.dims.join())
      return { worst: Number.POSITIVE_INFINITY, where: `${name}: shape ${got.dims}`, gradients, nodes: built.model.graph.nodes };
    const numeric: number[] = [];
    for (let i = 0; i < got.data.length; i++) {
      const [a, b, c, d] = [
        await total(name, i, STEP),
        await total(name, i, -STEP),
        await total(name, i, 2 * STEP),
        await total(name, i, -2 * STEP),
      ];
      numeric.push((8 * (a - b) - (c - d)) / (12 * STEP));
    }
    const scale = Math.max(1, ...numeric.map(Math.abs));
    numeric.forEach((expected, i) => {
      const error = Math.abs(Number(got.data[i]) - expected) / scale;
      if (error > worst || Number.isNaN(error)) {
        worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
        where = `${name}[${i}]: ${got.data[i]} instead of ${expected}`;
      }
    });
  }
  await forward.release();
  await session.release();
  return { worst, where, gradients, nodes: built.model.graph.nodes };
}
