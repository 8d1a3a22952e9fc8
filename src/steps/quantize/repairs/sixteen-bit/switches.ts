/** One network in which every activation's width is an input, so that a search needs one session, not one per choice. */
import {
  type Attribute,
  type Graph,
  type Model,
  type Node,
  node,
  serializeModel,
  tensor,
  upgradeOpset,
  valueInfo,
  withGraph,
} from '../../../../onnx';
import type { RunTensor, Tensors } from '../../../../runtime';
import { type OutputError, outputError } from '../../../output-error';
import type { ActivationQuant, QuantPlan } from '../../plan-types';
import { buildQdq } from '../../qdq';
import type { RepairContext } from '../types';
import type { WidthUnit } from './units';

const OPSET = 21;
const flagName = (unit: number): string => `bonsai_wide_${unit}`;

/** A quantizer pair as the branch of an If: reads the outer values, makes `output`. */
function branch(name: string, pair: readonly [Node, Node]): Attribute {
  const [quantizer, dequantizer] = pair;
  const inner = `${name}_q`;
  const output = `${name}_y`;
  const graph: Graph = {
    name,
    inputs: [],
    outputs: [valueInfo(output, 'float32', null)],
    nodes: [
      { ...quantizer, name: `${name}_QuantizeLinear`, outputs: [inner] },
      { ...dequantizer, name: `${name}_DequantizeLinear`, inputs: [inner, ...dequantizer.inputs.slice(1)], outputs: [output] },
    ],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  return { type: 'graph', value: graph };
}

/**
 * The QDQ network of `plan` where unit i is quantized as `wide` says while the boolean input i is true. Each pair becomes
 * an If whose branches are the two pairs, so either choice computes exactly what the exported network does.
 */
export function switchable(float: Model, plan: QuantPlan, wide: ReadonlyMap<string, ActivationQuant>, units: readonly WidthUnit[]): Model {
  const qdq = upgradeOpset(buildQdq(float, plan), OPSET);
  const unitOf = new Map(units.flatMap(({ values }, i) => values.map((value) => [value, i] as const)));
  const outputs = new Set(qdq.graph.outputs.map(({ name }) => name));
  const initializers = new Map(qdq.graph.initializers);
  const quantizers = new Map(qdq.graph.nodes.filter(({ op }) => op === 'QuantizeLinear').map((n) => [n.outputs[0]!, n]));
  const dropped = new Set<Node>();
  const replaced = new Map<Node, Node>();
  for (const dequantizer of qdq.graph.nodes) {
    const quantizer = dequantizer.op === 'DequantizeLinear' ? quantizers.get(dequantizer.inputs[0]!) : undefined;
    if (!quantizer) continue;
    const value = outputs.has(dequantizer.outputs[0]!) ? dequantizer.outputs[0]! : quantizer.inputs[0]!;
    const unit = unitOf.get(value);
    if (unit === undefined) continue;
    const { scale, zeroPoint, dtype } = wide.get(value)!.params;
    const params = [`bonsai_${value}_scale16`, `bonsai_${value}_zero16`] as const;
    initializers.set(params[0], tensor(params[0], 'float32', [], Float32Array.from(scale)));
    const zero = dtype === 'uint16' ? Uint16Array.from(zeroPoint) : Int16Array.from(zeroPoint);
    initializers.set(params[1], tensor(params[1], dtype, [], zero));
    const name = `bonsai_${value}`;
    const widePair = [
      { ...quantizer, inputs: [quantizer.inputs[0]!, ...params] },
      { ...dequantizer, inputs: [dequantizer.inputs[0]!, ...params] },
    ] as const;
    dropped.add(quantizer);
    const branches = { then_branch: branch(`${name}_16`, widePair), else_branch: branch(`${name}_8`, [quantizer, dequantizer]) };
    replaced.set(dequantizer, node('If', [flagName(unit)], dequantizer.outputs, branches, `${name}_If`));
  }
  const nodes = qdq.graph.nodes.filter((n) => !dropped.has(n)).map((n) => replaced.get(n) ?? n);
  const flags = units.map((_, i) => valueInfo(flagName(i), 'bool', []));
  return withGraph(qdq, { nodes, initializers, inputs: [...qdq.graph.inputs, ...flags] });
}

/** Measures choices of units. */
export interface Switches {
  readonly images: number;
  /** Mean output error over the first `images` with the units of `chosen` (by index) in 16 bits. */
  error(chosen: ReadonlySet<number>, images: number): Promise<number>;
  release(): Promise<void>;
}

const flag = (on: boolean): RunTensor => ({ dtype: 'bool', dims: [], data: Uint8Array.of(on ? 1 : 0) });

/** Opens the switchable network, and asks the teacher about up to `images` images spread over `ctx.fit`. */
export async function openSwitches(model: Model, units: number, images: number, ctx: RepairContext): Promise<Switches> {
  const count = Math.min(images, ctx.fit.count);
  const at = (i: number): Promise<Tensors> => ctx.fit.at(Math.floor((i * ctx.fit.count) / count));
  const errors: OutputError[] = [];
  const teacher = await ctx.engine.create(serializeModel(ctx.teacher));
  try {
    for (let i = 0; i < count; i++) {
      ctx.cancel.throwIfAborted();
      errors.push(outputError(ctx.spec, await teacher.run(await at(i))));
    }
  } finally {
    await teacher.release();
  }
  const session = await ctx.engine.create(serializeModel(model), { optimization: 'disabled' });
  return {
    images: count,
    async error(chosen, wanted) {
      const flags = Object.fromEntries(Array.from({ length: units }, (_, i) => [flagName(i), flag(chosen.has(i))]));
      const used = Math.min(wanted, count);
      let sum = 0;
      for (let i = 0; i < used; i++) {
        ctx.cancel.throwIfAborted();
        sum += errors[i]!(await session.run({ ...(await at(i)), ...flags }));
      }
      return sum / used;
    },
    release: () => session.release(),
  };
}
