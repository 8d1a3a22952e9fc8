/** One network in which scale and zero point of every activation are inputs, so that trying a range needs no new session. */
import { fakeQuant, integerLimits, type QParams } from '../../../../numerics';
import { type Model, type Node, node, serializeModel, tensor, toFloat32, type ValueInfo, valueInfo, withGraph } from '../../../../onnx';
import type { RunTensor, Tensors } from '../../../../runtime';
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

/** Values rounded this much finer than planned are as good as not quantized. */
const FINER = 2 ** -12;
const UNBOUNDED = Math.fround(3e38);

/** Runs the adjustable network on some images. */
export interface Trials {
  readonly images: number;
  /** Error of the outputs against the same network without quantized activations, while one group alone is quantized. */
  alone(root: string, params: QParams, image: number): Promise<number>;
  /** Error of the outputs against the teacher with everything quantized; groups that aren't given are as planned. */
  together(params: ReadonlyMap<string, QParams>, image: number): Promise<number>;
  release(): Promise<void>;
}

type TrialContext = Pick<RepairContext, 'engine' | 'cancel' | 'teacher' | 'spec'>;

/** What the teacher says of each image. */
async function teacherErrors(feeds: readonly Tensors[], ctx: TrialContext): Promise<readonly OutputError[]> {
  const teacher = await ctx.engine.create(serializeModel(ctx.teacher));
  try {
    const errors: OutputError[] = [];
    for (const feed of feeds) {
      ctx.cancel.throwIfAborted();
      errors.push(outputError(ctx.spec, await teacher.run(feed)));
    }
    return errors;
  } finally {
    await teacher.release();
  }
}

/** Opens one session over every scale of the plan. */
export async function openTrials(float: Model, plan: QuantPlan, feeds: readonly Tensors[], ctx: TrialContext): Promise<Trials> {
  const planned = new Map([...plan.activations.values()].flatMap(({ value, params, sharesWith }) => (sharesWith ? [] : [[value, params]])));
  const errors = await teacherErrors(feeds, ctx);
  const { model, inputs } = adjustable(float, plan, new Set(planned.keys()));
  const session = await ctx.engine.create(serializeModel(model));
  const scalar = (data: Float32Array): RunTensor => ({ dtype: 'float32', dims: [], data });
  const given = (root: string, values: Record<keyof ParamInputs, Float32Array>): [string, RunTensor][] => {
    const names = inputs.get(root)!;
    return (['scale', 'low', 'high'] as const).map((key) => [names[key], scalar(values[key])]);
  };
  const quantized = (root: string, params: QParams) => given(root, paramTensors(params));
  const floating = [...planned].flatMap(([root, { scale }]) =>
    given(root, { scale: Float32Array.of(scale[0]! * FINER), low: Float32Array.of(-UNBOUNDED), high: Float32Array.of(UNBOUNDED) }),
  );
  const run = (image: number, params: readonly [string, RunTensor][]) => {
    ctx.cancel.throwIfAborted();
    return session.run({ ...feeds[image]!, ...Object.fromEntries(params) });
  };
  const references = new Map<number, OutputError>();
  const reference = async (image: number): Promise<OutputError> => {
    const known = references.get(image) ?? outputError(ctx.spec, await run(image, floating));
    references.set(image, known);
    return known;
  };
  return {
    images: feeds.length,
    alone: async (root, params, image) => (await reference(image))(await run(image, [...floating, ...quantized(root, params)])),
    together: async (params, image) => {
      const all = [...planned].flatMap(([root, own]) => quantized(root, params.get(root) ?? own));
      return errors[image]!(await run(image, all));
    },
    release: () => session.release(),
  };
}
