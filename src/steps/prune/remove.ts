/**
 * Cuts channels out of a model: the same operators on narrower tensors, no masks. Constants are copied where they
 * change and shared where they don't.
 */
import { StudioError } from '../../numerics';
import { type Attribute, attrTensor, type Model, type Node, reads, type Tensor, toNumbers, withGraph } from '../../onnx';
import { find, keptIndices, type Labels } from './space';
import type { Edit, Trace } from './trace';
import { constants } from './trace-model';

/** The indices `keep` of one axis. */
export function takeIndices(tensor: Tensor, axis: number, keep: readonly number[]): Tensor {
  const { dims } = tensor;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const length = dims[axis]!;
  const source = tensor.data as Float32Array;
  const data = new (source.constructor as Float32ArrayConstructor)(outer * keep.length * inner);
  for (let o = 0; o < outer; o++)
    keep.forEach((index, k) => {
      const from = (o * length + index) * inner;
      data.set(source.subarray(from, from + inner), (o * keep.length + k) * inner);
    });
  return { ...tensor, dims: dims.with(axis, keep.length), data };
}

function intTensor(name: string, values: readonly number[], like?: Tensor): Tensor {
  if (like?.dtype === 'int32') return { ...like, name, data: Int32Array.from(values) };
  return { name, dtype: 'int64', dims: like?.dims ?? [values.length], data: BigInt64Array.from(values, BigInt) };
}

/** New contents of one input or attribute of one node. */
interface Rewrites {
  readonly inputs: Map<number, Tensor>;
  readonly attributes: Map<string, Attribute>;
}

function applyCount(
  edit: Edit & { kind: 'count' },
  node: Node,
  current: (input: number) => Tensor,
  rewrites: Rewrites,
  value: number,
): void {
  if ('input' in edit.at) {
    const tensor = current(edit.at.input);
    const values = toNumbers(tensor);
    values[edit.entry] = value;
    rewrites.inputs.set(edit.at.input, intTensor(tensor.name, values, tensor));
    return;
  }
  const name = edit.at.attribute;
  const attribute = rewrites.attributes.get(name) ?? node.attributes[name];
  if (attribute?.type === 'ints') rewrites.attributes.set(name, { type: 'ints', value: attribute.value.with(edit.entry, value) });
  else rewrites.attributes.set(name, { type: 'int', value });
}

function applySplit(node: Node, opset: number, sizes: readonly number[], rewrites: Rewrites): void {
  if (opset < 13) rewrites.attributes.set('split', { type: 'ints', value: sizes });
  else rewrites.inputs.set(1, intTensor(node.inputs[1] || `${node.name}_split`, sizes));
}

/** Edits of one node → its new constants and attributes. Every slice starts from the original constant. */
function rewriteNode(
  trace: Trace,
  node: Node,
  edits: readonly Edit[],
  removed: ReadonlySet<number>,
  known: ReadonlyMap<string, Tensor>,
): Rewrites {
  const rewrites: Rewrites = { inputs: new Map(), attributes: new Map() };
  const current = (input: number): Tensor => rewrites.inputs.get(input) ?? known.get(node.inputs[input]!)!;
  const kept = (labels: Labels): number[] => keptIndices(trace.space, labels, removed);
  for (const edit of edits) {
    if (edit.kind === 'slice') {
      const keep = kept(edit.labels);
      if (keep.length < edit.labels.length) rewrites.inputs.set(edit.input, takeIndices(current(edit.input), edit.axis, keep));
    } else if (edit.kind === 'count') applyCount(edit, node, current, rewrites, kept(edit.labels).length);
    else if (edit.kind === 'split')
      applySplit(
        node,
        trace.model.opsets[''] ?? 1,
        edit.parts.map((part) => kept(part).length),
        rewrites,
      );
    else {
      const position = new Map(kept(edit.labels).map((index, at) => [index, at]));
      const tensor = current(edit.input);
      const values = toNumbers(tensor)
        .map((value) => position.get(value < 0 ? value + edit.labels.length : value))
        .filter((value) => value !== undefined);
      rewrites.inputs.set(edit.input, intTensor(tensor.name, values, { ...tensor, dims: [values.length] }));
    }
  }
  return rewrites;
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.dtype !== b.dtype || a.dims.length !== b.dims.length || a.dims.some((dim, i) => dim !== b.dims[i])) return false;
  const [left, right] = [a.data as ArrayLike<unknown>, b.data as ArrayLike<unknown>];
  for (let i = 0; i < left.length; i++) if (!Object.is(left[i], right[i])) return false;
  return true;
}

/** Names for the new constants: uses of one constant that end up equal share one; others get a suffix. */
function createNamer(trace: Trace): { place(name: string, tensor: Tensor): string; readonly placed: ReadonlyMap<string, Tensor> } {
  const { graph } = trace.model;
  const taken = new Set([...graph.initializers.keys(), ...graph.inputs.map((i) => i.name), ...graph.nodes.flatMap((n) => n.outputs)]);
  const variants = new Map<string, Tensor[]>();
  const placed = new Map<string, Tensor>();
  return {
    placed,
    place(name, tensor) {
      const list = variants.get(name) ?? [];
      variants.set(name, list);
      const equal = list.find((other) => sameTensor(other, tensor));
      if (equal) return equal.name;
      let free = `${name}_pruned`;
      for (let i = 2; taken.has(free); i++) free = `${name}_pruned${i}`;
      taken.add(free);
      const own = { ...tensor, name: free };
      list.push(own);
      placed.set(free, own);
      return free;
    },
  };
}

/** Every axis keeps at least one channel and nothing fixed goes. */
function checkRemoval(trace: Trace, removed: ReadonlySet<number>): void {
  for (const root of removed) {
    const reason = trace.space.reason[root];
    if (reason) throw new StudioError('bad-option', `These channels can't be removed: ${reason}.`, 'Leave them out of the plan.');
  }
  for (const [value, { labels }] of trace.layouts)
    for (const own of labels)
      if (own && own.length > 0 && own.every((atom) => removed.has(find(trace.space, atom))))
        throw new StudioError('bad-option', `Tensor "${value}" would lose all its ${own.length} channels.`, 'Keep at least one.');
}

/**
 * The model without the classes `removed` (roots of `trace.space`).
 * @throws StudioError 'bad-option' when a class is fixed or a tensor would become empty
 */
export function applyRemoval(trace: Trace, removed: ReadonlySet<number>): Model {
  checkRemoval(trace, removed);
  const { model } = trace;
  const known = constants(model);
  const byNode = new Map<number, Edit[]>();
  for (const edit of trace.edits) byNode.set(edit.node, [...(byNode.get(edit.node) ?? []), edit]);
  const namer = createNamer(trace);
  const nodes = model.graph.nodes.map((node, index) => {
    const edits = byNode.get(index);
    if (!edits) return node;
    const { inputs, attributes } = rewriteNode(trace, node, edits, removed, known);
    const names = [...node.inputs];
    for (const [input, tensor] of inputs) {
      const original = known.get(node.inputs[input] ?? '');
      if (original && sameTensor(original, tensor)) continue;
      while (names.length <= input) names.push('');
      names[input] = namer.place(tensor.name, tensor);
    }
    const { num_outputs: _, ...rest } = node.attributes;
    const base = node.op === 'Split' && names[1] ? rest : node.attributes;
    return { ...node, inputs: names, attributes: { ...base, ...Object.fromEntries(attributes) } };
  });
  return tidy(withGraph(model, { nodes }), namer.placed);
}

/** Adds the new constants, drops those nobody reads any more, and gives a lone replacement its old name back. */
function tidy(model: Model, placed: ReadonlyMap<string, Tensor>): Model {
  const read = new Set(model.graph.outputs.map((output) => output.name));
  for (const node of model.graph.nodes) for (const name of reads(node)) read.add(name);
  const nodes = model.graph.nodes.filter((node) => !(node.op === 'Constant' && attrTensor(node, 'value') && !read.has(node.outputs[0]!)));
  const dropped = new Set([...model.graph.initializers.keys()].filter((name) => !read.has(name)));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const rename = new Map<string, string>();
  for (const name of placed.keys()) {
    const original = name.replace(/_pruned\d*$/, '');
    if (!read.has(original) && !made.has(original) && ![...rename.values()].includes(original)) rename.set(name, original);
  }
  const initializers = new Map<string, Tensor>();
  for (const [name, tensor] of model.graph.initializers) if (!dropped.has(name)) initializers.set(name, tensor);
  for (const [name, tensor] of placed) {
    const final = rename.get(name) ?? name;
    initializers.set(final, { ...tensor, name: final });
  }
  const renamed = nodes.map((node) =>
    node.inputs.some((name) => rename.has(name)) ? { ...node, inputs: node.inputs.map((name) => rename.get(name) ?? name) } : node,
  );
  return withGraph(model, { nodes: renamed, initializers, valueInfo: new Map() });
}

/** Channels of one value, by index on one of its axes. */
export interface Removal {
  readonly value: string;
  /** Default 1. */
  readonly axis?: number;
  readonly indices: readonly number[];
}

/**
 * A smaller model without these channels and everything coupled to them.
 * @throws StudioError 'bad-option' when a value carries no prunable channels there, an index is out of range, the
 *   channels are fixed, or a tensor would become empty
 */
export function removeFrom(trace: Trace, removals: readonly Removal[]): Model {
  const removed = new Set<number>();
  for (const { value, axis = 1, indices } of removals) {
    const labels = trace.layouts.get(value)?.labels[axis];
    if (!labels)
      throw new StudioError('bad-option', `Value "${value}" has no prunable channels on axis ${axis}.`, 'Name the output of a Conv.');
    for (const index of indices) {
      const atom = labels[index];
      if (atom === undefined)
        throw new StudioError(
          'bad-option',
          `Value "${value}" has ${labels.length} channels on axis ${axis}, not channel ${index}.`,
          'Count from 0.',
        );
      removed.add(find(trace.space, atom));
    }
  }
  return applyRemoval(trace, removed);
}
