/** Where in a detector a node lives: backbone (before anything is upsampled), neck, head (what leads to the outputs only). */
import { type Model, type Node, producers } from '../../onnx';

export type Region = 'backbone' | 'neck' | 'head';

const UPSAMPLES = new Set(['Resize', 'Upsample', 'ConvTranspose', 'DepthToSpace']);
/** A head ends (seen from the outputs) where features are joined, cut or pooled. */
const JOINS = new Set(['Concat', 'Split', 'Slice', 'MaxPool', 'AveragePool', 'GlobalAveragePool', ...UPSAMPLES]);
const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

function strided(node: Node): boolean {
  const strides = node.attributes.strides;
  return strides?.type === 'ints' && strides.value.some((stride) => stride > 1);
}

/** Pools, joins, strides, or fuses what was joined just before. */
function joins(node: Node, producer: ReadonlyMap<string, Node>): boolean {
  if (JOINS.has(node.op) || strided(node)) return true;
  if (node.op === 'Add') return node.inputs.every((input) => producer.has(input));
  return WEIGHTED.has(node.op) && producer.get(node.inputs[0]!)?.op === 'Concat';
}

/** The last weighted layers before the outputs, found by walking up. */
function lastLayers(model: Model, producer: ReadonlyMap<string, Node>): Node[] {
  const found = new Set<Node>();
  const seen = new Set<string>();
  const stack = model.graph.outputs.map((output) => output.name);
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const node = producer.get(name);
    if (!node) continue;
    if (WEIGHTED.has(node.op)) found.add(node);
    else stack.push(...node.inputs);
  }
  return [...found];
}

/** Region of every node, by name. */
export function regions(model: Model): ReadonlyMap<string, Region> {
  const { nodes } = model.graph;
  const producer = producers(model.graph);
  const head = new Set<Node>();
  const stack = lastLayers(model, producer);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (head.has(node)) continue;
    head.add(node);
    for (const name of node.inputs) {
      const before = producer.get(name);
      if (before && !joins(before, producer)) stack.push(before);
    }
  }
  const upsampled = new Set<string>();
  const found = new Map<string, Region>();
  for (const node of nodes) {
    const below = UPSAMPLES.has(node.op) || node.inputs.some((name) => upsampled.has(name));
    if (below) for (const output of node.outputs) upsampled.add(output);
    found.set(node.name, head.has(node) ? 'head' : below ? 'neck' : 'backbone');
  }
  return found;
}
