/** A float network's weights as variables: which are trained, and in which units. */
import { type Model, type Node, type Tensor, tensor, valueInfo, withGraph } from '../onnx';
import type { Tensors } from '../runtime';
import type { Variable } from './optimizers';
import type { Values } from './trainer';

/** Step sizes in units at the schedule's peak (../shared/lab.md §8). */
export interface WeightRates {
  /** Of weights; unit: the rms of the output channel. */
  readonly weight: number;
  /** Of biases; unit: σ of the channel before its activation. */
  readonly bias: number;
}

/** A channel whose weights are (almost) all 0 moves by this part of its layer's rms. */
const LEAST_UNIT = 0.05;

const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

function rms(data: ArrayLike<number>, from: number, to: number): number {
  let squares = 0;
  for (let i = from; i < to; i++) squares += data[i]! ** 2;
  return Math.sqrt(squares / (to - from));
}

/** The unit of each output channel where channels lie on the first axis, else one for the whole tensor. */
export function weightUnit({ op, attributes }: Node, { dims, data }: Tensor): Float32Array {
  const values = data as Float32Array;
  const whole = Math.max(rms(values, 0, values.length), 1e-12);
  const transposed = op === 'Gemm' && attributes.transB?.type === 'int' && Number(attributes.transB.value) === 1;
  if (op !== 'Conv' && !transposed) return Float32Array.of(whole);
  const part = values.length / dims[0]!;
  return Float32Array.from({ length: dims[0]! }, (_, c) => Math.max(rms(values, c * part, (c + 1) * part), LEAST_UNIT * whole));
}

const isFloat = (t: Tensor | undefined): t is Tensor => t?.dtype === 'float32' && t.data.length > 0;

/**
 * Weights and biases of convolutions and matrix products, slopes of PRelu, and scales and biases of frozen normalisations.
 * @param model cut to what the loss reads, so that each has a gradient
 * @param sigma per channel, of layers' outputs (see channelSigma); a bias without takes its layer's weights' unit
 */
export function trainableWeights(model: Model, sigma: ReadonlyMap<string, Float32Array>, rates: WeightRates): readonly Variable[] {
  const { nodes, initializers } = model.graph;
  const found = new Map<string, Variable>();
  const put = (name: string | undefined, make: (t: Tensor) => { readonly unit: Float32Array; readonly rate: number }): void => {
    const t = initializers.get(name ?? '');
    if (!isFloat(t) || found.has(t.name)) return;
    found.set(t.name, { name: t.name, dims: t.dims, data: Float32Array.from(t.data as Float32Array), ...make(t) });
  };
  for (const node of nodes) {
    if (node.domain !== '') continue;
    if (LAYERS.has(node.op)) {
      put(node.inputs[1], (t) => ({ unit: weightUnit(node, t), rate: rates.weight }));
      put(node.inputs[2], (t) => {
        const own = sigma.get(node.outputs[0]!);
        return { unit: own?.length === t.data.length ? own : Float32Array.of(1), rate: rates.bias };
      });
    } else if (node.op === 'PRelu' || node.op === 'BatchNormalization') {
      const each = (t: Tensor) => ({
        unit: Float32Array.of(Math.max(rms(t.data as Float32Array, 0, t.data.length), 1e-3)),
        rate: rates.weight,
      });
      put(node.inputs[1], each);
      if (node.op === 'BatchNormalization') put(node.inputs[2], each);
    }
  }
  return [...found.values()];
}

/**
 * Constants that a network's beginning reads: its first layers in the order of the graph, with what follows each.
 * @param layers convolutions and matrix products
 */
export function beginningParameters({ graph: { nodes, initializers } }: Model, layers: number): ReadonlySet<string> {
  if (layers === 0) return new Set();
  let seen = 0;
  const end = nodes.findIndex(({ op, domain }) => domain === '' && LAYERS.has(op) && ++seen > layers);
  const beginning = end < 0 ? nodes : nodes.slice(0, end);
  return new Set(beginning.flatMap(({ inputs }) => inputs).filter((name) => initializers.has(name)));
}

/** Outputs of layers with biases: what {@link trainableWeights} wants σ of. */
export function biasedOutputs(model: Model): readonly string[] {
  return model.graph.nodes.flatMap((node) => (LAYERS.has(node.op) && (node.inputs[2] ?? '') !== '' ? [node.outputs[0]!] : []));
}

/** The variables as inputs of the network, in place of constants of the same names. */
export function asInputs(model: Model, variables: readonly Pick<Variable, 'name' | 'dims'>[]): Model {
  const { graph } = model;
  const names = new Set(variables.map(({ name }) => name));
  const own = new Set(graph.inputs.map(({ name }) => name));
  const inputs = variables.filter(({ name }) => !own.has(name)).map(({ name, dims }) => valueInfo(name, 'float32', dims));
  const initializers = new Map([...graph.initializers].filter(([name]) => !names.has(name)));
  return withGraph(model, { inputs: [...graph.inputs, ...inputs], initializers });
}

/** Variables as feeds of these inputs; they read the very arrays that training changes. */
export function variableFeeds(variables: readonly Pick<Variable, 'name' | 'dims'>[], values: Values): Tensors {
  return Object.fromEntries(variables.map(({ name, dims }) => [name, { dtype: 'float32' as const, dims, data: values[name]! }]));
}

/** The network with other values of some constants. */
export function withValues(model: Model, values: Values): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [name, data] of Object.entries(values)) {
    const before = initializers.get(name);
    if (before) initializers.set(name, tensor(name, 'float32', before.dims, data.slice()));
  }
  return withGraph(model, { initializers });
}
