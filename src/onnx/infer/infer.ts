/** Shape inference with constant propagation: what is known of every value before anything runs. */
import type { DType } from '../../numerics';
import { evaluate } from '../evaluate';
import type { Dim, Graph, Model, Node, Tensor, ValueInfo } from '../graph';
import { opType } from '../ops';
import { subgraphs } from '../topology';
import { type Context, count, type Fact, MAX_PARTIAL, type Output, sameDim, shapeError, UNKNOWN } from './facts';
import { RULES } from './rules';

/** How much may be computed while shapes are inferred. */
export interface Limits {
  /** Elements of one node's outputs. */
  readonly elements: number;
  /** Elements read and made by all nodes together. */
  readonly work: number;
}

/** Shape vectors, slice bounds and small index lists are computed; data is left to {@link foldConstants}. */
const INFERRED: Limits = { elements: 4096, work: 2 ** 21 };

/** Far above any network's largest value, and small enough that products of sizes stay exact. */
const MAX_ELEMENTS = 2 ** 40;

/** Hand their data on without a copy. */
const FREE: ReadonlySet<string> = new Set(['Constant', 'Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

export interface Inference {
  readonly facts: ReadonlyMap<string, Fact>;
  /** For each node, in order, what its rule was given and what it answered. */
  readonly steps: readonly { readonly context: Context; readonly outputs: readonly Output[] }[];
}

/** @throws StudioError 'bad-model' for a size that no value can have */
function checkSizes(node: Node, outputs: readonly Output[]): void {
  for (const { shape } of outputs) {
    const wrong = shape?.find((d) => typeof d === 'number' && !(d >= 0 && Number.isInteger(d)));
    if (wrong !== undefined) throw shapeError(node, `its output would have the size ${wrong}`);
    const elements = shape?.reduce<number>((product, d) => (typeof d === 'number' ? product * d : product), 1) ?? 0;
    if (elements > MAX_ELEMENTS) throw shapeError(node, `its output [${shape!.join(', ')}] would be larger than any memory`);
  }
}

/** Elements that computing a node reads and makes. */
function costOf({ node, inputs }: Context, outputs: readonly Output[]): number {
  if (FREE.has(node.op)) return 0;
  const made = outputs.reduce((sum, { shape }) => sum + (shape ? count(shape) || 0 : 0), 0);
  return inputs.reduce((sum, fact) => sum + (fact?.constant?.data.length ?? 0), made);
}

function constantFact(t: Tensor): Fact {
  return { dtype: t.dtype, shape: t.dims, constant: t, fixed: true };
}

/** A shape vector whose every element is known is an ordinary constant. */
function settle(name: string, output: Output, fixed: boolean): Fact {
  const { dtype, shape, partial } = output;
  if (!partial || partial.length > MAX_PARTIAL || !partial.every(Number.isSafeInteger)) return { ...output, fixed };
  const dims = shape?.length === 0 ? [] : [partial.length];
  const data = dtype === 'int32' ? Int32Array.from(partial as number[]) : BigInt64Array.from(partial as number[], BigInt);
  return { dtype, shape: dims, fixed: true, constant: { name, dtype: dtype === 'int32' ? 'int32' : 'int64', dims, data } };
}

/** What inference says, completed by what the file declares where inference knows less. */
function complete(found: Output, declared: ValueInfo | undefined): Output {
  if (!declared) return found;
  const dtype: DType | null = found.dtype ?? declared.dtype;
  const { shape } = found;
  if (!shape) return { ...found, dtype, shape: declared.shape };
  if (declared.shape?.length !== shape.length) return { ...found, dtype };
  const dims: Dim[] = shape.map((d, i) => sameDim(d, declared.shape![i]!));
  return { ...found, dtype, shape: dims };
}

function inferNode(context: Context): readonly Output[] {
  const op = opType(context.node);
  return op === null ? context.node.outputs.map(() => UNKNOWN) : RULES[op].infer(context);
}

function inferGraph(graph: Graph, opset: number, limits: Limits): Inference {
  let left = limits.work;
  const facts = new Map<string, Fact>();
  for (const { name, dtype, shape } of graph.inputs) facts.set(name, { dtype, shape, fixed: false });
  for (const [name, t] of graph.initializers) facts.set(name, constantFact(t));
  const declared = new Map([...graph.valueInfo, ...graph.outputs.map((o) => [o.name, o] as const)]);
  const steps = graph.nodes.map((node: Node) => {
    const inputs = node.inputs.map((name) => (name === '' ? null : (facts.get(name) ?? { ...UNKNOWN, fixed: false })));
    const context: Context = { node, opset, inputs };
    const outputs = inferNode(context);
    checkSizes(node, outputs);
    const known = opType(node) !== null && subgraphs(node).length === 0;
    const fixed = known && node.op !== 'DynamicQuantizeLinear' && inputs.every((fact) => fact === null || fact.fixed);
    const cost = fixed ? costOf(context, outputs) : 0;
    const made = fixed && cost <= left ? evaluate(context, outputs, limits.elements) : null;
    if (made) left -= cost;
    node.outputs.forEach((name, i) => {
      if (name === '') return;
      const t = made?.[i];
      facts.set(name, t ? constantFact({ ...t, name }) : settle(name, complete(outputs[i] ?? UNKNOWN, declared.get(name)), fixed));
    });
    return { context, outputs: node.outputs.map((name, i) => (name === '' ? UNKNOWN : (facts.get(name) ?? outputs[i]!))) };
  });
  return { facts, steps };
}

/**
 * Everything that is known about the top-level graph's values.
 * @param limits up to which constants are computed on the way; what is beyond stays a node
 * @throws StudioError 'bad-model' where shapes contradict each other, naming the node and the sizes
 */
export function infer(model: Model, limits: Limits = INFERRED): Inference {
  return inferGraph(model.graph, model.opsets[''] ?? 0, limits);
}

/**
 * Types and shapes of all inputs, weights and node outputs by name; unknown dimensions are null or their symbol.
 * @throws StudioError 'bad-model' where shapes contradict each other
 */
export function inferShapes(model: Model): ReadonlyMap<string, ValueInfo> {
  return new Map([...infer(model).facts].map(([name, { dtype, shape }]) => [name, { name, dtype, shape }]));
}
