/** One network in which scale and zero point of every activation are inputs, so that trying a range needs no new session. */
import { fakeQuant, integerLimits, type QParams } from '../../../../numerics';
import { type Model, type Node, node, serializeModel, tensor, toFloat32, type ValueInfo, valueInfo, withGraph } from '../../../../onnx';
import type { Tensors } from '../../../../runtime';
import { type OutputError, outputError } from '../../../output-error';
import type { QuantPlan } from '../../plan-types';
import { buildQdq } from '../../qdq';
import type { RepairContext } from '../types';

/** The float network with the values that its constants have after quantization. */
function withRoundedConstants(float: Model, plan: QuantPlan): Model {
  const { graph } = float;
  const initializers = new Map(graph.initializers);
  const inputs = new Map<string, Map<number, string>>();
  for (const { node, input, tensor: name, params } of plan.constants) {
    const source = graph.initializers.get(name)!;
    const rounded = `bonsai_${node}_${input}_rounded`;
    initializers.set(rounded, tensor(rounded, 'float32', source.dims, fakeQuant({ dims: source.dims, data: toFloat32(source) }, params)));
    inputs.set(node, (inputs.get(node) ?? new Map()).set(input, rounded));
  }
  const nodes = graph.nodes.map((n) => {
    const replaced = inputs.get(n.name);
    return replaced ? { ...n, inputs: n.inputs.map((name, i) => replaced.get(i) ?? name) } : n;
  });
  return withGraph(float, { nodes, initializers });
}

/** Names of the three inputs that the values of one scale read. */
interface ParamInputs {
  readonly scale: string;
  readonly low: string;
  readonly high: string;
}

/** What these inputs are for given parameters: scale, and the smallest and largest integer less the zero point. */
function paramTensors({ scale, zeroPoint, dtype }: QParams): Record<keyof ParamInputs, Float32Array> {
  const [qmin, qmax] = integerLimits(dtype);
  return {
    scale: Float32Array.from(scale),
    low: Float32Array.of(qmin - zeroPoint[0]!),
    high: Float32Array.of(qmax - zeroPoint[0]!),
  };
}

/**
 * The quantized network of `plan` with the parameters of some groups as inputs. Pairs become Div → Round → Clip → Mul,
 * which is bit for bit what they compute, in forms that ONNX Runtime may optimize (around pairs with float weights it
 * quantizes these again, per tensor). Weights and biases are constants with their rounded values: a bias on the scale of
 * another input range differs by less than 2⁻³¹ of it.
 * @param roots each group by the value that its members' `sharesWith` names
 */
export function adjustable(
  float: Model,
  plan: QuantPlan,
  roots: ReadonlySet<string>,
): { readonly model: Model; readonly inputs: ReadonlyMap<string, ParamInputs> } {
  const qdq = buildQdq(withRoundedConstants(float, plan), { ...plan, constants: [] });
  const outputs = new Set(qdq.graph.outputs.map(({ name }) => name));
  const quantizers = new Map(qdq.graph.nodes.filter(({ op }) => op === 'QuantizeLinear').map((n) => [n.outputs[0]!, n]));
  const inputs = new Map<string, ParamInputs>();
  const added: ValueInfo[] = [];
  const initializers = new Map(qdq.graph.initializers);
  const named = (root: string): ParamInputs => ({
    scale: `bonsai_${root}_scale`,
    low: `bonsai_${root}_low`,
    high: `bonsai_${root}_high`,
  });
  for (const { value, params, sharesWith } of plan.activations.values()) {
    if (sharesWith !== null) continue;
    const names = named(value);
    const given = paramTensors(params);
    for (const key of ['scale', 'low', 'high'] as const) {
      if (roots.has(value)) added.push(valueInfo(names[key], 'float32', []));
      else initializers.set(names[key], tensor(names[key], 'float32', [], given[key]));
    }
    if (roots.has(value)) inputs.set(value, names);
  }
  const nodes = qdq.graph.nodes.flatMap((n): readonly Node[] => {
    if (quantizers.has(n.outputs[0]!)) return [];
    const quantizer = n.op === 'DequantizeLinear' ? quantizers.get(n.inputs[0]!) : undefined;
    if (!quantizer) return [n];
    const output = n.outputs[0]!;
    const { value, sharesWith } = plan.activations.get(outputs.has(output) ? output : quantizer.inputs[0]!)!;
    const { scale, low, high } = named(sharesWith ?? value);
    const step = (name: string): string => `bonsai_${value}_${name}`;
    return [
      node('Div', [quantizer.inputs[0]!, scale], [step('divided')]),
      node('Round', [step('divided')], [step('rounded')]),
      node('Clip', [step('rounded'), low, high], [step('clipped')]),
      node('Mul', [step('clipped'), scale], [output], {}, step('scaled')),
    ];
  });
  return { model: withGraph(qdq, { nodes, initializers, inputs: [...qdq.graph.inputs, ...added] }), inputs };
}

/** Runs the adjustable network on a few images. */
export interface Trials {
  readonly images: number;
  /** Output error of one image under the given parameters, one entry per root. */
  error(params: ReadonlyMap<string, QParams>, image: number): Promise<number>;
  release(): Promise<void>;
}

/** Opens the network, and asks the teacher about `count` images spread over `ctx.fit`. */
export async function openTrials(
  float: Model,
  plan: QuantPlan,
  roots: ReadonlySet<string>,
  count: number,
  ctx: Pick<RepairContext, 'engine' | 'cancel' | 'teacher' | 'spec' | 'fit'>,
): Promise<Trials> {
  const feeds: Tensors[] = [];
  const errors: OutputError[] = [];
  const images = Math.min(count, ctx.fit.count);
  const teacher = await ctx.engine.create(serializeModel(ctx.teacher));
  try {
    for (let i = 0; i < images; i++) {
      ctx.cancel.throwIfAborted();
      const feed = await ctx.fit.at(Math.floor((i * ctx.fit.count) / images));
      feeds.push(feed);
      errors.push(outputError(ctx.spec, await teacher.run(feed)));
    }
  } finally {
    await teacher.release();
  }
  const { model, inputs } = adjustable(float, plan, roots);
  const session = await ctx.engine.create(serializeModel(model));
  return {
    images,
    async error(params, image) {
      ctx.cancel.throwIfAborted();
      const given = Object.fromEntries(
        [...inputs].flatMap(([root, names]) => {
          const given = paramTensors(params.get(root)!);
          return (['scale', 'low', 'high'] as const).map((key) => [names[key], { dtype: 'float32', dims: [], data: given[key] }] as const);
        }),
      );
      return errors[image]!(await session.run({ ...feeds[image]!, ...given }));
    },
    release: () => session.release(),
  };
}
