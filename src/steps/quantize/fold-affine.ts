/** Folds constant per-channel Mul, Div, Add and Sub after a convolution into its weights and bias: the same function. */
import { attrInt, type Graph, type Model, type Node, type Tensor, tensor, toFloat32, withGraph } from '../../onnx';
import { type GraphIndex, indexGraph } from './graph-index';

/** Factor and offset per output channel: y = factor · conv(x) + offset. */
interface Affine {
  readonly factor: Float64Array;
  readonly offset: Float64Array;
  readonly nodes: readonly Node[];
  readonly output: string;
}

/** A constant that applies to whole channels of an [N, C, spatial…] value: one number, or C of them. */
function perChannel(constant: Tensor | undefined, channels: number, rank: number): Float32Array | null {
  if (constant?.dtype !== 'float32') return null;
  const { dims } = constant;
  const values = toFloat32(constant);
  if (values.length === 1 && dims.length <= rank) return new Float32Array(channels).fill(values[0]!);
  if (values.length !== channels || dims.length > rank || dims.length < rank - 1) return null;
  // Aligned to the right, C must stand on axis 1 and nothing else be wider than 1.
  const axis = dims.length - (rank - 1);
  return dims.every((d, i) => d === (i === axis ? channels : 1)) ? values : null;
}

function follow(index: GraphIndex, start: string, channels: number, rank: number): Affine {
  const factor = new Float64Array(channels).fill(1);
  const offset = new Float64Array(channels);
  const nodes: Node[] = [];
  let output = start;
  for (;;) {
    const next = index.soleConsumer(output);
    if (next?.domain !== '' || next.inputs.length !== 2 || !['Mul', 'Div', 'Add', 'Sub'].includes(next.op)) break;
    const swapped = next.inputs[1] === output;
    if (swapped && next.op !== 'Mul' && next.op !== 'Add') break;
    const values = perChannel(index.constant(next.inputs[swapped ? 0 : 1]!), channels, rank);
    if (!values || (next.op === 'Div' && values.some((v) => v === 0))) break;
    for (let c = 0; c < channels; c++) {
      const v = values[c]!;
      if (next.op === 'Add') offset[c]! += v;
      else if (next.op === 'Sub') offset[c]! -= v;
      else {
        const scale = next.op === 'Mul' ? v : 1 / v;
        factor[c]! *= scale;
        offset[c]! *= scale;
      }
    }
    nodes.push(next);
    output = next.outputs[0]!;
  }
  return { factor, offset, nodes, output };
}

/** Output channel of each weight element along the flat array, as a function of its index. */
function channelOf(conv: Node, weight: Tensor): (i: number) => number {
  const inner = weight.dims.slice(2).reduce((a, b) => a * b, 1);
  if (conv.op === 'Conv') return (i) => Math.floor(i / (inner * weight.dims[1]!));
  const perGroup = weight.dims[1]!;
  const inPerGroup = weight.dims[0]! / attrInt(conv, 'group', 1);
  return (i) => Math.floor(Math.floor(i / (inner * perGroup)) / inPerGroup) * perGroup + (Math.floor(i / inner) % perGroup);
}

/** @returns the same model where nothing folds; the folded Conv takes over the last folded node's output name */
export function foldAffine(model: Model): Model {
  const { graph } = model;
  const index = indexGraph(graph);
  const initializers = new Map(graph.initializers);
  const dropped = new Set<Node>();
  const replaced = new Map<Node, Node>();
  for (const conv of graph.nodes) {
    const folded = foldOne(index, conv, initializers);
    if (!folded) continue;
    replaced.set(conv, folded.node);
    for (const node of folded.dropped) dropped.add(node);
  }
  if (replaced.size === 0) return model;
  const nodes = graph.nodes.filter((node) => !dropped.has(node)).map((node) => replaced.get(node) ?? node);
  return withGraph(model, { nodes, initializers: unreadRemoved(nodes, initializers, graph) });
}

function foldOne(index: GraphIndex, conv: Node, initializers: Map<string, Tensor>): { node: Node; dropped: readonly Node[] } | null {
  if (conv.domain !== '' || (conv.op !== 'Conv' && conv.op !== 'ConvTranspose')) return null;
  const weight = index.constant(conv.inputs[1] ?? '');
  const bias = index.constant(conv.inputs[2] ?? '');
  if (weight?.dtype !== 'float32' || (conv.inputs[2] && bias?.dtype !== 'float32')) return null;
  const channels = conv.op === 'Conv' ? weight.dims[0]! : weight.dims[1]! * attrInt(conv, 'group', 1);
  const { factor, offset, nodes, output } = follow(index, conv.outputs[0]!, channels, weight.dims.length);
  if (nodes.length === 0) return null;
  const channel = channelOf(conv, weight);
  const newWeight = toFloat32(weight).map((w, i) => w * factor[channel(i)]!);
  const old = bias ? toFloat32(bias) : new Float32Array(channels);
  const newBias = old.map((b, c) => b * factor[c]! + offset[c]!);
  const name = (base: string): string => {
    let wanted = base;
    for (let i = 1; initializers.has(wanted); i++) wanted = `${base}_${i}`;
    return wanted;
  };
  const weightName = name(`${weight.name}_folded`);
  initializers.set(weightName, tensor(weightName, 'float32', weight.dims, newWeight));
  const biasName = name(`${conv.name}_bias_folded`);
  initializers.set(biasName, tensor(biasName, 'float32', [channels], newBias));
  return { node: { ...conv, inputs: [conv.inputs[0]!, weightName, biasName], outputs: [output] }, dropped: nodes };
}

function unreadRemoved(nodes: readonly Node[], initializers: ReadonlyMap<string, Tensor>, before: Graph): ReadonlyMap<string, Tensor> {
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...before.outputs.map(({ name }) => name)]);
  const wasRead = new Set(before.nodes.flatMap((node) => node.inputs));
  // Only what folding made unread goes; what a subgraph alone reads was never in a node's inputs.
  return new Map([...initializers].filter(([name]) => read.has(name) || (before.initializers.has(name) && !wasRead.has(name))));
}
