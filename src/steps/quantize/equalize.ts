/**
 * Cross-layer equalization (Nagel et al. 2019, "Data-free quantization through weight equalization and bias
 * correction"): channels between two layers are rescaled, s·f(x / s) = f(x), so that their weights' ranges agree. Exact
 * where the activation in between is positively homogeneous: none, Relu, LeakyRelu, PRelu.
 */
import { attrFloat, attrInt, type Model, type Node, type Tensor, tensor, toFloat32, withGraph } from '../../onnx';
import { type GraphIndex, indexGraph } from './graph-index';
import { fuseActivation } from './patterns';
import { isLayer } from './tail';

/** Two layers with one activation between them and nobody else reading. */
interface Pair {
  readonly first: Node;
  readonly second: Node;
}

/** Rounds of rescaling: chains of many pairs settle well before. */
const ROUNDS = 20;
/** Factors of one channel stay within 2^±LIMIT, so that float32 keeps its precision through whatever follows. */
const LIMIT = 20;

const HOMOGENEOUS = new Set(['Relu', 'LeakyRelu', 'PRelu']);
/** Move or pick values of a channel without changing them, or average them. */
const CHANNELWISE = new Set(['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool']);

function activationName(nodes: readonly Node[]): string {
  const ops = nodes.map(({ op }) => op).join('+');
  if (ops === 'Sigmoid+Mul') return 'SiLU';
  return ops.length > 12 ? 'HardSwish or the like' : ops;
}

/** Slopes must be per channel or one: what differs within a channel still scales with it, what mixes channels would not. */
function isExact(index: GraphIndex, node: Node): boolean {
  return HOMOGENEOUS.has(node.op) && (node.op !== 'PRelu' || index.constant(node.inputs[1]!) !== undefined);
}

/** Weight and bias of a Conv or Gemm as [outputs, inputs of a group, taps]; null for other forms. */
interface Weights {
  readonly node: Node;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly outputs: number;
  readonly groups: number;
  /** Input channels of one group. */
  readonly inputs: number;
  readonly taps: number;
  /** Stored [inputs, outputs] (Gemm without transB). */
  readonly transposed: boolean;
}

function weightsOf(index: GraphIndex, node: Node): Weights | null {
  if (node.domain !== '' || !isLayer(index, node)) return null;
  const weight = index.constant(node.inputs[1]!)!;
  const bias = node.inputs[2] ? index.constant(node.inputs[2]) : null;
  const alone = (t: Tensor): boolean => index.consumers(t.name).length === 1 && !index.isOutput(t.name);
  if (weight.dtype !== 'float32' || bias === undefined || !alone(weight) || (bias && (bias.dtype !== 'float32' || !alone(bias))))
    return null;
  if (node.op === 'Conv') {
    const [outputs, inputs] = weight.dims as [number, number];
    const taps = weight.data.length / (outputs * inputs);
    return { node, weight, bias, outputs, groups: attrInt(node, 'group', 1), inputs, taps, transposed: false };
  }
  const plain = node.op === 'Gemm' && attrFloat(node, 'alpha', 1) === 1 && attrFloat(node, 'beta', 1) === 1;
  if (!plain) return null;
  const transposed = attrInt(node, 'transB', 0) === 0;
  const [outputs, inputs] = (transposed ? [...weight.dims].reverse() : weight.dims) as [number, number];
  // A bias of one number for all outputs can't be divided by channel.
  if (bias && bias.data.length !== outputs) return null;
  return { node, weight, bias, outputs, groups: 1, inputs, taps: 1, transposed };
}

/** Follows a layer's output to the next layer. @returns the pair, or why there is none (null: no layer follows at all) */
function follow(index: GraphIndex, first: Node): Pair | string | null {
  const { nodes, output } = fuseActivation(index, first.outputs[0]!, () => false);
  let value = output;
  let next = index.soleConsumer(value);
  while (next && next.domain === '' && CHANNELWISE.has(next.op) && next.outputs.filter((name) => name !== '').length === 1) {
    value = next.outputs[0]!;
    next = index.soleConsumer(value);
  }
  if (!next || next.inputs[0] !== value || !isLayer(index, next)) return null;
  const exact = nodes.length === 0 || (nodes.length === 1 && isExact(index, nodes[0]!));
  return exact ? { first, second: next } : activationName(nodes);
}

/** A layer's weights while they change: [outputs, inputs, taps] in double precision. */
class Layer {
  readonly shape: Weights;
  readonly #values: Float64Array;
  readonly #bias: Float64Array | null;

  constructor(shape: Weights) {
    this.shape = shape;
    const data = toFloat32(shape.weight);
    const { outputs, inputs, transposed } = shape;
    this.#values = Float64Array.from(data, (_, i) => data[transposed ? (i % inputs) * outputs + Math.floor(i / inputs) : i]!);
    this.#bias = shape.bias && Float64Array.from(toFloat32(shape.bias));
  }

  get inputChannels(): number {
    return this.shape.groups * this.shape.inputs;
  }

  /** First index of output `o`'s weights for input channel j of its group. */
  #at(o: number, j: number): number {
    return (o * this.shape.inputs + j) * this.shape.taps;
  }

  *#readers(channel: number): Iterable<number> {
    const { outputs, groups, inputs } = this.shape;
    const group = Math.floor(channel / inputs);
    for (let o = group * (outputs / groups); o < (group + 1) * (outputs / groups); o++) yield this.#at(o, channel % inputs);
  }

  outputRange(o: number): number {
    let bound = 0;
    for (let i = this.#at(o, 0); i < this.#at(o + 1, 0); i++) bound = Math.max(bound, Math.abs(this.#values[i]!));
    return bound;
  }

  inputRange(channel: number): number {
    let bound = 0;
    for (const start of this.#readers(channel))
      for (let t = 0; t < this.shape.taps; t++) bound = Math.max(bound, Math.abs(this.#values[start + t]!));
    return bound;
  }

  scaleOutput(o: number, factor: number): void {
    for (let i = this.#at(o, 0); i < this.#at(o + 1, 0); i++) this.#values[i]! *= factor;
    if (this.#bias) this.#bias[o]! *= factor;
  }

  scaleInput(channel: number, factor: number): void {
    for (const start of this.#readers(channel)) for (let t = 0; t < this.shape.taps; t++) this.#values[start + t]! *= factor;
  }

  tensors(): Tensor[] {
    const { weight, bias, outputs, inputs, transposed } = this.shape;
    const values = Float32Array.from(
      this.#values,
      (_, i) => this.#values[transposed ? (i % outputs) * inputs + Math.floor(i / outputs) : i]!,
    );
    const out = [tensor(weight.name, 'float32', weight.dims, values)];
    if (bias && this.#bias) out.push(tensor(bias.name, 'float32', bias.dims, Float32Array.from(this.#bias)));
    return out;
  }
}

/** Evens out one pair. @returns how far the worst channel was off, as a factor ≥ 1 */
function equalizePair(first: Layer, second: Layer, total: Float64Array): number {
  let worst = 1;
  for (let c = 0; c < first.shape.outputs; c++) {
    const [a, b] = [first.outputRange(c), second.inputRange(c)];
    if (!(a > 0 && b > 0 && Number.isFinite(a * b))) continue;
    const wanted = Math.sqrt(a / b);
    const limit = 2 ** LIMIT;
    const scale = Math.min(Math.max(wanted, 1 / (limit * total[c]!)), limit / total[c]!);
    total[c]! *= scale;
    first.scaleOutput(c, 1 / scale);
    second.scaleInput(c, scale);
    worst = Math.max(worst, scale, 1 / scale);
  }
  return worst;
}

export interface Equalized {
  /** Same nodes and value names, other weights; the model itself where nothing could be done. */
  readonly model: Model;
  /** What was evened out, and what was left out with its reason. */
  readonly notes: readonly string[];
}

/**
 * Evens out channel ranges between layers; the network's outputs stay (up to float32 rounding, 1e-4 relative).
 * @param model constants and BatchNorm folded, as steps/open gives it
 */
export function equalize(model: Model): Equalized {
  const index = indexGraph(model.graph);
  const layers = new Map<Node, Layer>();
  const layerOf = (node: Node): Layer | null => {
    const known = layers.get(node);
    if (known) return known;
    const shape = weightsOf(index, node);
    if (!shape) return null;
    const layer = new Layer(shape);
    layers.set(node, layer);
    return layer;
  };
  const pairs: { readonly first: Layer; readonly second: Layer; readonly total: Float64Array }[] = [];
  const refused = new Map<string, number>();
  for (const node of model.graph.nodes) {
    if (!isLayer(index, node)) continue;
    const found = follow(index, node);
    if (found === null) continue;
    if (typeof found === 'string') {
      refused.set(found, (refused.get(found) ?? 0) + 1);
      continue;
    }
    const [first, second] = [layerOf(found.first), layerOf(found.second)];
    if (first && second && second.inputChannels === first.shape.outputs)
      pairs.push({ first, second, total: new Float64Array(first.shape.outputs).fill(1) });
  }
  const left = [...refused].map(
    ([name, n]) =>
      `Equalization left out ${n} pair${n === 1 ? '' : 's'} of layers with ${name} in between: rescaling its input does not just rescale its output.`,
  );
  if (pairs.length === 0)
    return { model, notes: left.length > 0 ? left : ['Equalization found no two layers that only follow each other.'] };
  let spread = 1;
  for (let round = 0; round < ROUNDS; round++) {
    let worst = 1;
    for (const { first, second, total } of pairs) worst = Math.max(worst, equalizePair(first, second, total));
    if (round === 0) spread = worst;
    if (worst < 1.001) break;
  }
  const touched = new Set(pairs.flatMap(({ first, second }) => [first, second]));
  const initializers = new Map(model.graph.initializers);
  for (const layer of touched) for (const t of layer.tensors()) initializers.set(t.name, t);
  const factor = spread < 10 ? spread.toFixed(1) : Math.round(spread).toString();
  const done = `Channel ranges of ${pairs.length} pair${pairs.length === 1 ? '' : 's'} of layers were evened out (the worst channel by a factor of ${factor}).`;
  return { model: withGraph(model, { initializers }), notes: [done, ...left] };
}
