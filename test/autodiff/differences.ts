/** Gradients against finite differences of the forward network, on any engine. */
import { buildTrainingGraph, type FakeQuantForm, lowerFakeQuant, type Target } from '../../src/autodiff';
import { createRandom } from '../../src/numerics';
import { inferShapes, type Model, makeModel, type Node, node, serializeModel, type Tensor, valueInfo, withGraph } from '../../src/onnx';
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
  readonly target?: Target;
}

export const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Normal values. */
export function normal(dims: readonly number[], seed: number, spread = 1, mean = 0): Value {
  const random = createRandom(seed);
  return { dims, data: Float32Array.from({ length: size(dims) }, () => mean + spread * random.normal()) };
}

/** Values that are at least 0.2 from each other and 0.1 from 0, ±1 and ±3: no kink lies within a difference's reach. */
export function apart(dims: readonly number[], seed: number): Value {
  const n = size(dims);
  const places = Array.from({ length: n }, (_, i) => 0.2 * (i - Math.floor(n / 2)) + 0.1);
  return { dims, data: Float32Array.from(createRandom(seed).shuffle(places)) };
}

const feed = ({ dims, data }: Value): RunTensor => ({ dtype: 'float32', dims, data });
const feedsOf = (values: Readonly<Record<string, Value>>) => Object.fromEntries(Object.entries(values).map(([name, v]) => [name, feed(v)]));

/** The network with typed outputs. */
function network({ nodes, inputs, initializers = [], outputs = ['y'], opset = 13 }: Case): Model {
  const base = makeModel({
    inputs: Object.entries(inputs).map(([name, { dims }]) => valueInfo(name, 'float32', dims)),
    outputs: outputs.map((name) => valueInfo(name, null, null)),
    nodes,
    initializers,
    opset,
  });
  const shapes = inferShapes(lowerFakeQuant(base));
  return withGraph(base, { outputs: outputs.map((name) => valueInfo(name, 'float32', shapes.get(name)!.shape)) });
}

export interface Gradients {
  readonly gradients: Readonly<Record<string, RunTensor>>;
  /** What each output is multiplied by in the loss. */
  readonly weights: readonly Value[];
  /** Of the built graph. */
  readonly nodes: readonly Node[];
}

/** The built graph's gradients by name. */
export async function gradientsOf(engine: Engine, c: Case): Promise<Gradients> {
  const base = network(c);
  const { outputs } = base.graph;
  const trainable = c.trainable ?? Object.keys(c.inputs);
  const weights = outputs.map(({ shape }, i) => normal(shape as number[], 77 + i));
  const sums = outputs.flatMap(({ name }, i) => [
    node('Mul', [name, `weight_${i}`], [`weighted_${i}`]),
    node('ReduceSum', [`weighted_${i}`], [`part_${i}`], { keepdims: 0 }),
  ]);
  const loss = node(
    'Sum',
    outputs.map((_, i) => `part_${i}`),
    ['loss'],
  );
  const withLoss = withGraph(base, {
    inputs: [...base.graph.inputs, ...weights.map(({ dims }, i) => valueInfo(`weight_${i}`, 'float32', dims))],
    nodes: [...base.graph.nodes, ...sums, loss],
    outputs: [valueInfo('loss', 'float32', [])],
  });
  const forms = { ...(c.fakeQuant ? { fakeQuant: c.fakeQuant } : {}), ...(c.target ? { target: c.target } : {}) };
  const built = buildTrainingGraph(withLoss, { loss: 'loss', trainable, ...forms });
  const session = await engine.create(serializeModel(built.model), { optimization: 'disabled' });
  const named = Object.fromEntries(weights.map((value, i) => [`weight_${i}`, value]));
  const answers = await session.run(feedsOf({ ...c.inputs, ...named }));
  await session.release();
  const gradients = Object.fromEntries(trainable.map((name) => [name, answers[built.gradients.get(name)!]!]));
  return { gradients, weights, nodes: built.model.graph.nodes };
}

export interface Check extends Gradients {
  /** Largest difference to the numeric gradient, relative to the largest gradient (at least 1). */
  readonly worst: number;
  readonly where: string;
}

const STEP = 1 / 32;

/** Fourth-order central differences of the outputs, weighted and summed in float64, against the built graph. */
export async function checkGradients(engine: Engine, c: Case): Promise<Check> {
  const made = await gradientsOf(engine, c);
  const { outputs = ['y'], inputs } = c;
  const forward = await engine.create(serializeModel(lowerFakeQuant(network(c), c.fakeQuant)), { optimization: 'disabled' });
  const feeds = feedsOf(inputs);
  const total = async (name: string, at: number, shift: number): Promise<number> => {
    const { dims, data } = inputs[name]!;
    const moved = data.slice();
    moved[at]! += shift;
    const results = await forward.run({ ...feeds, [name]: feed({ dims, data: moved }) });
    return outputs.reduce((sum, output, i) => {
      const y = results[output]!.data as Float32Array;
      return made.weights[i]!.data.reduce((s, w, j) => s + w * y[j]!, sum);
    }, 0);
  };
  let worst = 0;
  let where = 'nowhere';
  for (const [name, got] of Object.entries(made.gradients)) {
    const numeric: number[] = [];
    for (let i = 0; i < size(inputs[name]!.dims); i++) {
      const near = (await total(name, i, STEP)) - (await total(name, i, -STEP));
      const far = (await total(name, i, 2 * STEP)) - (await total(name, i, -2 * STEP));
      numeric.push((8 * near - far) / (12 * STEP));
    }
    const scale = Math.max(1, ...numeric.map(Math.abs));
    const shaped = got.dims.join() === inputs[name]!.dims.join();
    numeric.forEach((expected, i) => {
      const error = shaped ? Math.abs(Number(got.data[i]) - expected) / scale : Number.POSITIVE_INFINITY;
      if (error <= worst) return;
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
      where = `${name}[${i}] of [${got.dims}]: ${got.data[i]} instead of ${expected}`;
    });
  }
  await forward.release();
  return { worst, where, ...made };
}
