/**
 * Gates: extra inputs that multiply, in front of every layer that reads prunable channels and behind every residual branch.
 * A gate at 0 is what removal does; the derivative by a gate at 1 is Σ y · ∂/∂y over the channel's pixels. One session serves
 * every candidate.
 */
import { type Model, type Node, type ValueInfo, withGraph } from '../../onnx';
import type { RunTensor } from '../../runtime';
import type { Branch } from './branches';
import { find, type Labels } from './space';
import type { Trace } from './trace';

export interface Gate {
  /** Name of the extra input. */
  readonly input: string;
  /** Value that it multiplies. */
  readonly value: string;
  readonly axis: number;
  readonly dims: readonly number[];
  readonly labels: Labels;
}

/** Gate of a residual branch's output, one entry a channel. */
export interface BranchGate {
  readonly input: string;
  readonly dims: readonly number[];
}

export interface GatedModel {
  readonly model: Model;
  readonly gates: readonly Gate[];
  /** In the order of the branches. */
  readonly branches: readonly BranchGate[];
}

/** Readers whose input becomes another value: node index and input index → that value. */
type Rewired = Map<number, Map<number, string>>;

function rewire(readers: Rewired, node: number, input: number, value: string): void {
  const own = readers.get(node) ?? new Map<number, string>();
  own.set(input, value);
  readers.set(node, own);
}

/** The same network with gates; with all of them at 1 it computes the same. */
export function gatedModel(trace: Trace, branches: readonly Branch[] = []): GatedModel {
  const { graph } = trace.model;
  const gates = new Map<string, Gate>();
  const readers: Rewired = new Map();
  /** Gated value → what it multiplies. */
  const products = new Map<string, readonly [string, string]>();
  for (const layer of trace.layers) {
    if (!layer.in) continue;
    const value = graph.nodes[layer.node]!.inputs[layer.data]!;
    const layout = trace.layouts.get(value)!;
    const labels = layout.labels[layer.dataAxis]!;
    const input = `${value}_gate${layer.dataAxis}`;
    const dims = layout.dims.map((_, axis) => (axis === layer.dataAxis ? labels.length : 1));
    gates.set(input, { input, value, axis: layer.dataAxis, dims, labels });
    products.set(`${input}_out`, [value, input]);
    rewire(readers, layer.node, layer.data, `${input}_out`);
  }
  const behind = branches.map(({ value, sum, side, channels, rank }): BranchGate => {
    const input = `${value}_gate_branch`;
    products.set(`${input}_out`, [value, input]);
    rewire(readers, sum, side, `${input}_out`);
    return { input, dims: Array.from({ length: rank }, (_, axis) => (axis === 1 ? channels : 1)) };
  });
  const made = new Set<string>();
  const nodes = graph.nodes.flatMap((node, index): Node[] => {
    const own = readers.get(index);
    if (!own) return [node];
    const extra = [...new Set(own.values())].filter((name) => !made.has(name));
    for (const name of extra) made.add(name);
    return [
      ...extra.map((name) => ({ name, op: 'Mul', domain: '', inputs: products.get(name)!, outputs: [name], attributes: {} })),
      { ...node, inputs: node.inputs.map((name, i) => own.get(i) ?? name) },
    ];
  });
  const inputs = [...gates.values(), ...behind].map(({ input, dims }): ValueInfo => ({ name: input, dtype: 'float32', shape: dims }));
  const model = withGraph(trace.model, { nodes, inputs: [...graph.inputs, ...inputs], valueInfo: new Map() });
  return { model, gates: [...gates.values()], branches: behind };
}

/** A gate with 1 where `open` says so, else 0. */
export function gateTensor({ dims, labels }: Gate, open: (atom: number) => boolean): RunTensor {
  return { dtype: 'float32', dims, data: Float32Array.from(labels, (atom) => (open(atom) ? 1 : 0)) };
}

export function branchTensor({ dims }: BranchGate, open: boolean): RunTensor {
  return { dtype: 'float32', dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(open ? 1 : 0) };
}

/** Feeds with every gate open. */
export function openGates({ gates, branches }: GatedModel): Record<string, RunTensor> {
  return Object.fromEntries([
    ...gates.map((gate) => [gate.input, gateTensor(gate, () => true)] as const),
    ...branches.map((gate) => [gate.input, branchTensor(gate, true)] as const),
  ]);
}

/** Feeds of the gates that are shut when these classes and branches (by position) are gone. */
export function shutGates(
  { gates, branches }: GatedModel,
  trace: Trace,
  gone: { readonly classes: ReadonlySet<number>; readonly branches: ReadonlySet<number> },
): Record<string, RunTensor> {
  const shut = (atom: number): boolean => gone.classes.has(find(trace.space, atom));
  return Object.fromEntries([
    ...gates.filter(({ labels }) => labels.some(shut)).map((gate) => [gate.input, gateTensor(gate, (atom) => !shut(atom))] as const),
    ...[...gone.branches].map((at) => [branches[at]!.input, branchTensor(branches[at]!, false)] as const),
  ]);
}
