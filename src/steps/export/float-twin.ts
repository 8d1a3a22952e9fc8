/** The float network inside a QDQ network: its quantized weights as floats, its activations unquantized. */
import { dequantize, integerLimits, type QParams } from '../../numerics';
import { attrInt, type Model, type Node, removeDead, type Tensor, tensor, toNumbers, withGraph } from '../../onnx';

function isPair(node: Node): boolean {
  return node.domain === '' && (node.op === 'QuantizeLinear' || node.op === 'DequantizeLinear');
}

/** The float values behind a DequantizeLinear of stored integers, under the constant's own name. */
function floats(node: Node, stored: Tensor, model: Model): Tensor {
  const [, scaleName, zeroName] = node.inputs;
  const scale = toNumbers(model.graph.initializers.get(scaleName!)!);
  const zero = model.graph.initializers.get(zeroName ?? '');
  const dtype = stored.dtype as QParams['dtype'];
  const [qmin, qmax] = integerLimits(dtype);
  const axis = scale.length > 1 ? attrInt(node, 'axis', 1) : null;
  const params: QParams = { dtype, scale, zeroPoint: zero ? toNumbers(zero) : scale.map(() => 0), axis, qmin, qmax };
  return tensor(node.outputs[0]!, 'float32', stored.dims, dequantize({ dims: stored.dims, data: toNumbers(stored) }, params));
}

/**
 * The weights as the quantization left them (repaired, rounded), in a float network of the same structure: what a
 * toolchain that quantizes by itself is given, so that repairs reach the device. Weights lie on their int8 grid; a
 * symmetric per-channel quantizer finds the same integers again.
 */
export function floatTwin(qdq: Model): Model {
  const { graph } = qdq;
  const constants: Tensor[] = [];
  const sources = new Map<string, string>();
  for (const node of graph.nodes) {
    if (!isPair(node)) continue;
    const stored = node.op === 'DequantizeLinear' ? graph.initializers.get(node.inputs[0]!) : undefined;
    if (stored) constants.push(floats(node, stored, qdq));
    else sources.set(node.outputs[0]!, node.inputs[0]!);
  }
  const source = (name: string): string => {
    const before = sources.get(name);
    return before === undefined ? name : source(before);
  };
  // A quantized graph output was renamed before its pair; it takes its own name back.
  const renamed = new Map(graph.outputs.flatMap(({ name }) => (source(name) === name ? [] : [[source(name), name] as const])));
  const made = new Set(graph.nodes.filter((node) => !isPair(node)).flatMap(({ outputs }) => outputs));
  const to = (name: string) => {
    const from = source(name);
    return made.has(from) ? (renamed.get(from) ?? from) : from;
  };
  const nodes = graph.nodes
    .filter((node) => !isPair(node))
    .map((node) => ({ ...node, inputs: node.inputs.map(to), outputs: node.outputs.map((name) => renamed.get(name) ?? name) }));
  const initializers = new Map([...graph.initializers, ...constants.map((constant) => [constant.name, constant] as const)]);
  return removeDead(withGraph(qdq, { nodes, initializers }));
}
