/** What each layer costs: multiply-accumulates, parameters, bytes of activations. */
import { bytesPerElement } from '../dtypes';
import type { Dim, Model } from '../graph';
import { opType } from '../ops';
import { type Context, count, type Fact, type Output } from './facts';
import { infer } from './infer';
import { RULES } from './rules';

export interface Layer {
  readonly name: string;
  readonly op: string;
  readonly inputShapes: readonly (readonly (number | null)[] | null)[];
  /** Of the first output; null where it can't be inferred. */
  readonly shape: readonly (number | null)[] | null;
  /** Elements of its weights and biases; a tensor that several layers use counts at the first. */
  readonly parameters: number;
  /** Of Conv, ConvTranspose, Gemm, MatMul and their quantized kin; other operators count 0. */
  readonly macs: number;
  /** Of all outputs in their own types (float32 where the type is unknown); constants count 0. */
  readonly activationBytes: number;
}

export interface Analysis {
  readonly layers: readonly Layer[];
  readonly parameters: number;
  readonly macs: number;
  readonly activationBytes: number;
}

function numbersOf(shape: readonly Dim[] | null | undefined): readonly (number | null)[] | null {
  return shape?.map((d) => (typeof d === 'number' ? d : null)) ?? null;
}

/** A vector along the channel axis (1, or the last one up to rank 3): the form in which Add and Mul carry biases and scales. */
function isPerChannel(weight: Fact, out: readonly Dim[] | null | undefined): boolean {
  const dims = weight.shape;
  if (!dims || !out || out.length < 2 || dims.length > out.length || weight.dtype?.startsWith('float') !== true) return false;
  const axis = out.length >= 4 ? 1 : out.length - 1;
  const at = axis - (out.length - dims.length);
  return at >= 0 && typeof dims[at] === 'number' && dims[at]! > 1 && dims.every((d, i) => i === at || d === 1);
}

const PER_CHANNEL = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** Names of a node's inputs that are weights. */
function weightInputs({ node, inputs }: Context, outputs: readonly Output[]): readonly string[] {
  const op = opType(node);
  if (op === null) return [];
  const positions = RULES[op].weights ?? [];
  if (inputs.every((fact) => fact === null || fact.fixed)) return [];
  return node.inputs.filter((name, i) => {
    const fact = inputs[i];
    if (name === '' || !fact?.fixed) return false;
    return positions.includes(i) || (PER_CHANNEL.has(op) && isPerChannel(fact, outputs[0]?.shape));
  });
}

function known(n: number): number {
  return Number.isNaN(n) ? 0 : n;
}

/**
 * Layers in graph order, Constant nodes and other constant parts included (they cost nothing).
 * @throws StudioError 'bad-model' where shapes contradict each other
 */
export function analyze(model: Model): Analysis {
  const { facts, steps } = infer(model);
  const counted = new Set<string>();
  const layers = steps.map(({ context, outputs }): Layer => {
    const { node } = context;
    const op = opType(node);
    const fresh = [...new Set(weightInputs(context, outputs))].filter((name) => !counted.has(name));
    for (const name of fresh) counted.add(name);
    const live = node.outputs.map((name) => facts.get(name)).filter((fact) => fact && !fact.fixed);
    return {
      name: node.name,
      op: node.op,
      inputShapes: context.inputs.map((fact) => numbersOf(fact?.shape)),
      shape: numbersOf(outputs[0]?.shape),
      parameters: fresh.reduce((sum, name) => sum + known(count(facts.get(name)!.shape)), 0),
      macs: op && live.length > 0 ? known(RULES[op].macs?.(context, outputs) ?? 0) : 0,
      activationBytes: live.reduce((sum, fact) => sum + known(count(fact!.shape)) * bytesPerElement(fact!.dtype ?? 'float32'), 0),
    };
  });
  const total = (of: (layer: Layer) => number) => layers.reduce((sum, layer) => sum + of(layer), 0);
  return { layers, parameters: total((l) => l.parameters), macs: total((l) => l.macs), activationBytes: total((l) => l.activationBytes) };
}
