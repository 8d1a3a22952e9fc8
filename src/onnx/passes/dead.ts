/** Removing what doesn't matter, and cutting a network short. */
import { StudioError } from '../../numerics';
import { withGraph } from '../build';
import type { Model, Node } from '../graph';
import { inferShapes } from '../infer/infer';
import { reads } from '../topology';
import { renameReads } from './rewrite';

/** Without nodes and weights that no output depends on. Inputs stay, used or not: they are the model's interface. */
export function removeDead(model: Model): Model {
  const { graph } = model;
  const live = new Set(graph.outputs.map((o) => o.name));
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => live.has(name))) continue;
    kept.push(node);
    for (const name of reads(node)) live.add(name);
  }
  const nodes = kept.length === graph.nodes.length ? graph.nodes : kept.reverse();
  const made = new Set([...graph.inputs.map((i) => i.name), ...nodes.flatMap((n) => n.outputs)]);
  return withGraph(model, {
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => live.has(name))),
    valueInfo: new Map([...graph.valueInfo].filter(([name]) => made.has(name))),
  });
}

/** True where the node hands its first input on unchanged in inference. */
function passesThrough(node: Node, model: Model, used: ReadonlySet<string>): boolean {
  if (node.domain !== '' || node.inputs[0] === undefined || node.inputs[0] === '') return false;
  if (node.op === 'Identity') return true;
  if (node.op !== 'Dropout' || used.has(node.outputs[1] ?? '')) return false;
  const training = node.inputs[2] ?? '';
  return training === '' || model.graph.initializers.get(training)?.data[0] === 0;
}

/**
 * Without Identity nodes and Dropout (which does nothing in inference). One that joins an input or a weight directly to
 * an output stays.
 */
export function removeIdentity(model: Model): Model {
  const { graph } = model;
  const used = new Set([...graph.nodes.flatMap(reads), ...graph.outputs.map((o) => o.name)]);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const made = new Set(graph.nodes.flatMap((n) => n.outputs));
  /** What each bypassed value is read as instead; sources that took an output's name. */
  const source = new Map<string, string>();
  const resolve = (name: string): string => source.get(name) ?? name;
  const renamed = new Map<string, string>();
  const kept = graph.nodes.filter((node) => {
    if (!passesThrough(node, model, used)) return true;
    const from = resolve(node.inputs[0]!);
    const to = node.outputs[0]!;
    if (!outputs.has(to)) {
      source.set(to, from);
      return false;
    }
    if (!made.has(from) || outputs.has(from) || renamed.has(from)) return true;
    renamed.set(from, to);
    return false;
  });
  if (kept.length === graph.nodes.length) return model;
  const names = new Map([...[...source].map(([to, from]) => [to, renamed.get(from) ?? from] as const), ...renamed]);
  const nodes = renameReads(kept, names).map((node) =>
    node.outputs.some((name) => renamed.has(name)) ? { ...node, outputs: node.outputs.map((name) => renamed.get(name) ?? name) } : node,
  );
  const valueInfo = new Map([...graph.valueInfo].filter(([name]) => !names.has(name)));
  return withGraph(model, { nodes, valueInfo });
}

/**
 * The part of the network that computes `values`, which become its outputs in this order; inputs that they don't need go.
 * @throws StudioError 'bad-option' for a name that no node produces
 */
export function cutAt(model: Model, values: readonly string[]): Model {
  const made = new Set(model.graph.nodes.flatMap((n) => n.outputs));
  const missing = values.find((name) => name === '' || !made.has(name));
  if (missing !== undefined)
    throw new StudioError('bad-option', `The network computes no value "${missing}" to cut at.`, 'Name the output of a node.');
  if (values.length === 0) throw new StudioError('bad-option', 'Cutting needs at least one value to end at.', 'Name the output of a node.');
  const shapes = inferShapes(model);
  const outputs = [...new Set(values)].map((name) => shapes.get(name) ?? { name, dtype: null, shape: null });
  const cut = removeDead(withGraph(model, { outputs }));
  const read = new Set(cut.graph.nodes.flatMap(reads));
  return withGraph(cut, { inputs: cut.graph.inputs.filter((input) => read.has(input.name)) });
}
