/**
 * What is trained behind each convolution: a bias per channel, and a factor per channel that becomes its weight scale. The
 * int8 weights themselves stay; both move out of the Conv, which then has only constants and runs fastest.
 */
import { type Model, node as makeNode, tensor as makeTensor, type Node, withGraph } from '../../../../onnx';
import type { ConstantQuant, QuantLayer, QuantPlan } from '../../plan-types';

type Dims = readonly number[];

const isConv = ({ op, domain }: Node): boolean => domain === '' && (op === 'Conv' || op === 'ConvTranspose');

/** The layer that a bias belongs to: its own node's, or the one before the Add that a matrix product's bias stands in. */
export function layerOfBias(model: Model, plan: QuantPlan): (bias: ConstantQuant) => QuantLayer | undefined {
  const byNode = new Map(plan.layers.map((layer) => [layer.node, layer]));
  const byOutput = new Map(plan.layers.map((layer) => [layer.rawOutput, layer]));
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  return ({ node }) => byNode.get(node) ?? nodes.get(node)?.inputs.flatMap((name) => byOutput.get(name) ?? [])[0];
}

/** Bias constants that only layers' bias inputs read. */
export function trainableBiases(model: Model, plan: QuantPlan): ReadonlySet<string> {
  const biases = plan.constants.filter(({ role }) => role === 'bias');
  const places = new Set(biases.map(({ node, input }) => `${node}|${input}`));
  const names = new Set(biases.map((constant) => constant.tensor));
  for (const node of model.graph.nodes)
    node.inputs.forEach((name, input) => {
      if (names.has(name) && !places.has(`${node.name}|${input}`)) names.delete(name);
    });
  return names;
}

/**
 * Shapes in which biases are trained: [1, C, 1, 1] where only convolutions read them, for the Add that takes their place
 * (see {@link separateAffine}), else their own.
 */
export function biasDims(model: Model, biases: ReadonlySet<string>): ReadonlyMap<string, Dims> {
  const { nodes, initializers } = model.graph;
  return new Map(
    [...biases].map((name) => {
      const { dims } = initializers.get(name)!;
      const readers = nodes.filter((node) => node.inputs.includes(name));
      const ranks = new Set(readers.map((node) => (isConv(node) ? initializers.get(node.inputs[1]!)?.dims.length : undefined)));
      const rank = ranks.size === 1 ? [...ranks][0] : undefined;
      return [name, rank === undefined ? dims : [1, dims[0]!, ...Array.from({ length: rank - 2 }, () => 1)]];
    }),
  );
}

export interface Gain {
  /** Graph input of the student. */
  readonly name: string;
  /** [1, C, 1, 1]. */
  readonly dims: Dims;
}

/** Convolutions with a weight scale per output channel and a weight of their own → their factor. */
export function gainsOf(model: Model, plan: QuantPlan): ReadonlyMap<string, Gain> {
  const { nodes, initializers } = model.graph;
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const readers = new Map<string, number>();
  for (const node of nodes) for (const name of node.inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const gains = new Map<string, Gain>();
  for (const { role, node, tensor, params } of plan.constants) {
    if (role !== 'weight' || params.axis !== 0 || byName.get(node)?.op !== 'Conv' || readers.get(tensor) !== 1) continue;
    const { dims } = initializers.get(tensor)!;
    gains.set(node, { name: `learn/gain/${node}`, dims: [1, dims[0]!, ...dims.slice(2).map(() => 1)] });
  }
  return gains;
}

/**
 * Factors and biases as Mul and Add behind their convolutions: with a constant weight and no varying bias, ONNX Runtime
 * lays a Conv out in blocks, which is several times as fast (measured: 24 → 2 ms for YOLOX-Nano's first).
 * @param dims shapes in which the trained biases and factors come
 */
export function separateAffine(model: Model, dims: ReadonlyMap<string, Dims>, gains: ReadonlyMap<string, Gain>): Model {
  const nodes = model.graph.nodes.flatMap((node): Node[] => {
    if (!isConv(node)) return [node];
    const bias = (dims.get(node.inputs[2] ?? '')?.length ?? 1) >= 3 ? node.inputs[2]! : null;
    const gain = gains.get(node.name)?.name ?? null;
    const factor = gain !== null && dims.has(gain) ? gain : null;
    if (bias === null && factor === null) return [node];
    // A constant bias under a factor would be scaled too; layers have trained ones or none, but for shared constants.
    if (factor !== null && bias === null && (node.inputs[2] ?? '') !== '') return [node];
    const [output] = node.outputs as readonly [string];
    const bare = `${output}/without_bias`;
    const scaled = factor === null || bias === null ? output : `${output}/scaled`;
    return [
      { ...node, inputs: node.inputs.slice(0, 2), outputs: [bare] },
      ...(factor === null ? [] : [makeNode('Mul', [bare, factor], [scaled], {}, `${node.name}/gain`)]),
      ...(bias === null ? [] : [makeNode('Add', [factor === null ? bare : scaled, bias], [output], {}, `${node.name}/bias`)]),
    ];
  });
  const initializers = new Map(model.graph.initializers);
  for (const [name, shape] of dims) {
    const bias = initializers.get(name);
    if (bias && shape.length >= 3) initializers.set(name, { ...bias, dims: shape });
  }
  for (const { name, dims: shape } of gains.values())
    if (dims.has(name)) initializers.set(name, makeTensor(name, 'float32', shape, new Float32Array(shape[1]!).fill(1)));
  return withGraph(model, { nodes, initializers });
}
