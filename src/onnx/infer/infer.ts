/** Shape inference with constant propagation: what is known of every value before anything runs. */
import type { DType } from '../../numerics';
import { evaluate } from '../evaluate';
import type { Dim, Graph, Model, Node, Tensor, ValueInfo } from '../graph';
import { opType } from '../ops';
import { subgraphs } from '../topology';
import { type Context, type Fact, MAX_PARTIAL, type Output, sameDim, UNKNOWN } from './facts';
import { RULES } from './rules';

/** Shape vectors, slice bounds and small index lists are computed; data is left to {@link foldConstants}. */
const MAX_INFERRED = 4096;

export interface Inference {
  readonly facts: ReadonlyMap<string, Fact>;
  /** For each node, in order, what its rule was given and what it answered. */
  readonly steps: readonly { readonly context: Context; readonly outputs: readonly Output[] }[];
}

function constantFact(t: Tensor): Fact {
  return { dtype: t.dtype, shape: t.dims, constant: t, fixed: true };
}

/** A shape vector whose every element is known is an ordinary constant. */
function settle(name: string, output: Output, fixed: boolean): Fact {
  const { dtype, shape, partial } = output;
  if (!partial || partial.length > MAX_PARTIAL || !partial.every((v) => typeof v === 'number')) return { ...output, fixed };
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

function inferGraph(graph: Graph, opset: number, limit: number): Inference {
  const facts = new Map<string, Fact>();
  for (const { name, dtype, shape } of graph.inputs) facts.set(name, { dtype, shape, fixed: false });
  for (const [name, t] of graph.initializers) facts.set(name, constantFact(t));
  const declared = new Map([...graph.valueInfo, ...graph.outputs.map((o) => [o.name, o] as const)]);
  const steps = graph.nodes.map((node: Node) => {
    const inputs = node.inputs.map((name) => (name === '' ? null : (facts.get(name) ?? { ...UNKNOWN, fixed: false })));
    const context: Context = { node, opset, inputs };
    const outputs = inferNode(context);
    const known = opType(node) !== null && subgraphs(node).length === 0;
    const fixed = known && node.op !== 'DynamicQuantizeLinear' && inputs.every((fact) => fact === null || fact.fixed);
    const made = fixed ? evaluate(context, outputs, limit) : null;
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
 * @param limit elements up to which constants are computed on the way
 * @throws StudioError 'bad-model' where shapes contradict each other, naming the node and the sizes
 */
export function infer(model: Model, limit: number = MAX_INFERRED): Inference {
  return inferGraph(model.graph, model.opsets[''] ?? 0, limit);
}

/**
 * Types and shapes of all inputs, weights and node outputs by name; unknown dimensions are null or their symbol.
 * @throws StudioError 'bad-model' where shapes contradict each other
 */
export function inferShapes(model: Model): ReadonlyMap<string, ValueInfo> {
  return new Map([...infer(model).facts].map(([name, { dtype, shape }]) => [name, { name, dtype, shape }]));
}
