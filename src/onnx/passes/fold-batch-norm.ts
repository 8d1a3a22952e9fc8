/**
 * BatchNormalization into the layer before it: y = s · (W x + b − mean) + beta with s = gamma / √(var + ε). The same for
 * Add, Sub, Mul and Div by constants per channel, the form in which some exporters write biases and normalisation.
 */
import { attrFloat, attrInt, consumers, withGraph } from '../build';
import { fromNumbers } from '../evaluate/arrays';
import { toFloat32 } from '../float';
import type { Model, Node, Tensor } from '../graph';
import { freshNames } from './rewrite';

type Weights = ReadonlyMap<string, Tensor>;

interface Affine {
  /** Which input is the data. */
  readonly data: number;
  /** One factor and one offset per output channel. */
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

function isFloat(t: Tensor | undefined): t is Tensor {
  return t?.dtype === 'float32' || t?.dtype === 'float16';
}

/** The normalisation as scale and shift; null where its parameters aren't constants or it is in training mode. */
function normalization(bn: Node, weights: Weights, used: ReadonlySet<string>): Affine | null {
  const parameters = bn.inputs.slice(1, 5).map((name) => weights.get(name));
  if (parameters.length !== 4 || !parameters.every(isFloat)) return null;
  if (attrInt(bn, 'training_mode', 0) !== 0 || attrInt(bn, 'spatial', 1) !== 1) return null;
  if (bn.outputs.slice(1).some((name) => used.has(name))) return null;
  const [gamma, beta, mean, variance] = parameters.map(toFloat32);
  const epsilon = attrFloat(bn, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma!, (g, i) => g / Math.sqrt(variance![i]! + epsilon));
  return { data: 0, scale, shift: Float64Array.from(beta!, (b, i) => b - mean![i]! * scale[i]!) };
}

/** x + c, x − c, c · x or x / c with one constant for all or one per channel of a value of this rank and width. */
function constantOperand(node: Node, weights: Weights, rank: number, channels: number): Affine | null {
  const at = weights.has(node.inputs[0]!) ? 0 : 1;
  const t = weights.get(node.inputs[at]!);
  if (!isFloat(t) || t.dims.length > rank || (at === 0 && (node.op === 'Sub' || node.op === 'Div'))) return null;
  const axis = 1 - (rank - t.dims.length);
  if (t.dims.some((d, i) => d !== 1 && (i !== axis || d !== channels))) return null;
  const c = toFloat32(t);
  const each = (f: (v: number) => number) => Float64Array.from({ length: channels }, (_, i) => f(c[c.length === 1 ? 0 : i]!));
  const data = 1 - at;
  switch (node.op) {
    case 'Add':
      return { data, scale: each(() => 1), shift: each((v) => v) };
    case 'Sub':
      return { data, scale: each(() => 1), shift: each((v) => -v) };
    case 'Mul':
      return { data, scale: each((v) => v), shift: each(() => 0) };
    default:
      return { data, scale: each((v) => 1 / v), shift: each(() => 0) };
  }
}

/** Output channel of each weight element; null where the weight isn't of the expected form. */
function channelIndex(layer: Node, w: Tensor): ((i: number) => number) | null {
  const { dims } = w;
  const area = dims.slice(2).reduce((a, b) => a * b, 1);
  switch (layer.op) {
    case 'Conv': {
      const inner = dims[1]! * area;
      return (i) => Math.floor(i / inner);
    }
    case 'ConvTranspose': {
      // [in, out / group, …]: the input channel tells the group.
      const group = attrInt(layer, 'group', 1);
      const [inputs, perGroup] = [dims[0]!, dims[1]!];
      return (i) => {
        const out = Math.floor(i / area);
        return Math.floor(Math.floor(out / perGroup) / (inputs / group)) * perGroup + (out % perGroup);
      };
    }
    case 'Gemm':
      if (dims.length !== 2) return null;
      return attrInt(layer, 'transB', 0) ? (i) => Math.floor(i / dims[1]!) : (i) => i % dims[1]!;
    default:
      return null;
  }
}

/** Bias values per output channel: zeros when absent, repeated when one value serves all; null for other shapes. */
function biasOf(t: Tensor | undefined, channels: number): Float64Array | null {
  if (!t) return new Float64Array(channels);
  if (!isFloat(t) || (t.data.length !== channels && t.data.length !== 1) || t.dims.slice(0, -1).some((d) => d !== 1)) return null;
  const data = toFloat32(t);
  return Float64Array.from({ length: channels }, (_, c) => data[data.length === 1 ? 0 : c]!);
}

interface Folded {
  readonly layer: Node;
  readonly tensors: readonly Tensor[];
}

/** Null where the layer's weights aren't constants of the expected form. `rename` gives the new tensors' names. */
function fold(
  layer: Node,
  output: string,
  affine: Affine,
  weights: Weights,
  rename: (old: string, suffix: string) => string,
): Folded | null {
  const [x, weightName, biasName = ''] = layer.inputs as readonly [string, string, string?];
  const w = weights.get(weightName);
  const channels = affine.scale.length;
  const channelOf = isFloat(w) && channelIndex(layer, w);
  const bias = biasName !== '' && !weights.has(biasName) ? null : biasOf(weights.get(biasName), channels);
  if (!w || !channelOf || !bias || channelOf(w.data.length - 1) !== channels - 1) return null;
  // Gemm computes α·A·B + β·C; β goes into the new bias.
  const beta = layer.op === 'Gemm' ? attrFloat(layer, 'beta', 1) : 1;
  const weight = fromNumbers(
    w.dtype,
    w.dims,
    Array.from(toFloat32(w), (v, i) => v * affine.scale[channelOf(i)]!),
  )!;
  const shift = fromNumbers(
    w.dtype,
    [channels],
    Array.from(bias, (b, c) => b * beta * affine.scale[c]! + affine.shift[c]!),
  )!;
  const names = [rename(weightName, ''), biasName ? rename(biasName, '') : rename(weightName, '_bias')] as const;
  const { beta: _, ...attributes } = layer.attributes;
  const merged = { ...layer, attributes, inputs: [x, ...names], outputs: [output] };
  return {
    layer: merged,
    tensors: [
      { ...weight, name: names[0] },
      { ...shift, name: names[1] },
    ],
  };
}

const ARITHMETIC = new Set(['Add', 'Sub', 'Mul', 'Div']);
const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm']);

/** Output channels of a layer, NaN where they aren't known from its weight. */
function widthOf(layer: Node, w: Tensor): number {
  const index = channelIndex(layer, w);
  return index && w.data.length > 0 ? index(w.data.length - 1) + 1 : Number.NaN;
}

/**
 * Conv, ConvTranspose or Gemm with constant weights, followed only by a BatchNormalization in inference mode or by
 * arithmetic with constants per channel, become one layer that keeps the first one's name. Computed in float64, stored
 * in the weight's type. Others stay as they are.
 */
export function foldBatchNorm(model: Model): Model {
  const { graph } = model;
  const readers = consumers(graph);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const used = new Set([...readers.keys(), ...outputs]);
  const fresh = freshNames(graph);
  const weights = new Map(graph.initializers);
  const own = new Set<string>();
  // A weight that only this layer reads keeps its name.
  const rename = (old: string, suffix: string) => {
    const name = suffix === '' && (own.has(old) || readers.get(old)?.length === 1) ? old : fresh(`${old}${suffix || '_bn'}`);
    own.add(name);
    return name;
  };
  const nodes: (Node | null)[] = [...graph.nodes];
  const slot = new Map(nodes.flatMap((n, i) => n!.outputs.map((name) => [name, i] as const)));
  graph.nodes.forEach((next, at) => {
    const isNorm = next.op === 'BatchNormalization';
    if (next.domain !== '' || (!isNorm && !ARITHMETIC.has(next.op))) return;
    const data = isNorm || !weights.has(next.inputs[0]!) ? 0 : 1;
    const middle = next.inputs[data]!;
    const before = slot.get(middle);
    const layer = before === undefined ? null : nodes[before];
    const w = weights.get(layer?.inputs[1] ?? '');
    if (!layer || !w || layer.domain !== '' || !LAYERS.has(layer.op) || outputs.has(middle) || readers.get(middle)?.length !== 1) return;
    const affine = isNorm ? normalization(next, weights, used) : constantOperand(next, weights, w.dims.length, widthOf(layer, w));
    const folded = affine?.data === data ? fold(layer, next.outputs[0]!, affine, weights, rename) : null;
    if (!folded) return;
    nodes[before!] = folded.layer;
    nodes[at] = null;
    slot.set(next.outputs[0]!, before!);
    for (const t of folded.tensors) weights.set(t.name, t);
  });
  const kept = nodes.filter((n) => n !== null);
  if (kept.length === graph.nodes.length) return model;
  const made = new Set(kept.flatMap((n) => n.outputs));
  const valueInfo = new Map([...graph.valueInfo].filter(([name]) => made.has(name)));
  return withGraph(model, { nodes: kept, initializers: weights, valueInfo });
}
