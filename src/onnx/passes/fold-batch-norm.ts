/** BatchNormalization into the layer before it: y = s · (W x + b − mean) + beta with s = gamma / √(var + ε). */
import { attrFloat, attrInt, consumers, producers, withGraph } from '../build';
import { fromNumbers } from '../evaluate/arrays';
import { toFloat32 } from '../float';
import type { Graph, Model, Node, Tensor } from '../graph';
import { freshNames } from './rewrite';

interface Affine {
  /** One factor and one offset per output channel. */
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

function isFloat(t: Tensor | undefined): t is Tensor {
  return t?.dtype === 'float32' || t?.dtype === 'float16';
}

/** The normalisation as scale and shift; null where its parameters aren't constants or it is in training mode. */
function affineOf(bn: Node, graph: Graph, used: ReadonlySet<string>): Affine | null {
  const parameters = bn.inputs.slice(1, 5).map((name) => graph.initializers.get(name));
  if (parameters.length !== 4 || !parameters.every(isFloat)) return null;
  if (attrInt(bn, 'training_mode', 0) !== 0 || attrInt(bn, 'spatial', 1) !== 1) return null;
  if (bn.outputs.slice(1).some((name) => used.has(name))) return null;
  const [gamma, beta, mean, variance] = parameters.map(toFloat32);
  const epsilon = attrFloat(bn, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma!, (g, i) => g / Math.sqrt(variance![i]! + epsilon));
  return { scale, shift: Float64Array.from(beta!, (b, i) => b - mean![i]! * scale[i]!) };
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

function fold(layer: Node, bn: Node, affine: Affine, graph: Graph, name: (old: string, suffix: string) => string): Folded | null {
  const [x, weightName, biasName = ''] = layer.inputs as readonly [string, string, string?];
  const w = graph.initializers.get(weightName);
  const channels = affine.scale.length;
  const channelOf = isFloat(w) && channelIndex(layer, w);
  const bias = biasName !== '' && !graph.initializers.has(biasName) ? null : biasOf(graph.initializers.get(biasName), channels);
  if (!w || !channelOf || !bias || channelOf(w.data.length - 1) !== channels - 1) return null;
  // Gemm computes α·A·B + β·C; β goes into the new bias.
  const beta = layer.op === 'Gemm' ? attrFloat(layer, 'beta', 1) : 1;
  const data = toFloat32(w);
  const weight = fromNumbers(
    w.dtype,
    w.dims,
    Array.from(data, (v, i) => v * affine.scale[channelOf(i)]!),
  )!;
  const shift = fromNumbers(
    w.dtype,
    [channels],
    Array.from(bias, (b, c) => b * beta * affine.scale[c]! + affine.shift[c]!),
  )!;
  const [newWeight, newBias] = [name(weightName, ''), name(biasName || weightName, biasName ? '' : '_bias')];
  const { beta: _, ...attributes } = layer.attributes;
  const merged = { ...layer, attributes, inputs: [x, newWeight, newBias], outputs: [bn.outputs[0]!] };
  return {
    layer: merged,
    tensors: [
      { ...weight, name: newWeight },
      { ...shift, name: newBias },
    ],
  };
}

/**
 * Conv, ConvTranspose or Gemm with constant weights, followed only by a BatchNormalization in inference mode, become one
 * layer that keeps the first one's name. Computed in float64, stored in the weight's type. Others stay as they are.
 */
export function foldBatchNorm(model: Model): Model {
  const { graph } = model;
  const made = producers(graph);
  const readers = consumers(graph);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const used = new Set([...readers.keys(), ...outputs]);
  const fresh = freshNames(graph);
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node | null>();
  for (const bn of graph.nodes) {
    if (bn.op !== 'BatchNormalization' || bn.domain !== '') continue;
    const middle = bn.inputs[0]!;
    const layer = made.get(middle);
    if (!layer || layer.domain !== '' || replaced.has(layer) || outputs.has(middle) || readers.get(middle)?.length !== 1) continue;
    const affine = affineOf(bn, graph, used);
    // A weight that only this layer reads keeps its name.
    const name = (old: string, suffix: string) =>
      suffix === '' && readers.get(old)?.length === 1 ? old : fresh(`${old}${suffix || '_bn'}`);
    const folded = affine && fold(layer, bn, affine, graph, name);
    if (!folded) continue;
    replaced.set(layer, folded.layer);
    replaced.set(bn, null);
    for (const t of folded.tensors) initializers.set(t.name, t);
  }
  if (replaced.size === 0) return model;
  const nodes = graph.nodes.flatMap((n) => (replaced.has(n) ? (replaced.get(n) ?? []) : n));
  return withGraph(model, { nodes, initializers });
}
