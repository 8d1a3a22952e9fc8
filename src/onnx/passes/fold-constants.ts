/** Constant folding: what can be computed now becomes a weight. */
import { withGraph } from '../build';
import { MAX_FOLDED } from '../evaluate';
import type { Model, Tensor } from '../graph';
import { infer } from '../infer/infer';
import { reads } from '../topology';

/** Elements that folding may touch however small the file, and how often it may touch those that the file holds. */
const SMALL_WORK = 2 ** 23;
const PASSES = 8;

/**
 * Every node whose outputs follow from constants and known shapes (Constant nodes, Shape chains, Transpose, Reshape or
 * arithmetic of weights) is replaced by its result. QuantizeLinear and DequantizeLinear are never folded: they are the
 * quantization. A node that makes a graph output stays, and so does what would be far larger than the file.
 * @throws StudioError 'bad-model' where shapes contradict each other
 */
export function foldConstants(model: Model): Model {
  const { graph } = model;
  const held = [...graph.initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
  const { facts } = infer(model, { elements: MAX_FOLDED, work: SMALL_WORK + PASSES * held });
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const nodes = graph.nodes.filter((node) =>
    node.outputs.some((name) => name !== '' && (outputs.has(name) || facts.get(name)?.constant === undefined)),
  );
  if (nodes.length === graph.nodes.length) return model;
  const used = new Set(nodes.flatMap(reads));
  const kept = new Set(nodes.flatMap((n) => n.outputs));
  const initializers = new Map<string, Tensor>(graph.initializers);
  for (const name of used) {
    const t = facts.get(name)?.constant;
    if (t && !kept.has(name) && !initializers.has(name)) initializers.set(name, { ...t, name });
  }
  const valueInfo = new Map([...graph.valueInfo].filter(([name]) => kept.has(name)));
  return withGraph(model, { nodes, initializers, valueInfo });
}
