/** One network in which every activation's scale and zero point are inputs, so that trying a range needs no new session. */
import { fakeQuant, type QParams } from '../../../../numerics';
import { type Model, serializeModel, tensor, toFloat32, valueInfo, withGraph } from '../../../../onnx';
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

/** Names of the two inputs that a group of values with one scale reads. */
export interface ParamInputs {
  readonly scale: string;
  readonly zeroPoint: string;
}

/**
 * The quantized network of `plan` with the parameters of some groups as inputs (scalars, types as in the plan). Weights and
 * biases are constants with their rounded values: a bias on the scale of another input range differs by less than 2⁻³¹ of it.
 * @param roots each group by the value that its members' `sharesWith` names
 */
export function adjustable(
  float: Model,
  plan: QuantPlan,
  roots: ReadonlySet<string>,
): { readonly model: Model; readonly inputs: ReadonlyMap<string, ParamInputs> } {
  const qdq = buildQdq(withRoundedConstants(float, plan), { ...plan, constants: [] });
  const outputs = new Set(qdq.graph.outputs.map(({ name }) => name));
  const values = new Map(qdq.graph.nodes.filter(({ op }) => op === 'QuantizeLinear').map((n) => [n.outputs[0]!, n]));
  const inputs = new Map<string, ParamInputs>();
  for (const dequantizer of qdq.graph.nodes) {
    const quantizer = dequantizer.op === 'DequantizeLinear' ? values.get(dequantizer.inputs[0]!) : undefined;
    if (!quantizer) continue;
    const planned = plan.activations.get(outputs.has(dequantizer.outputs[0]!) ? dequantizer.outputs[0]! : quantizer.inputs[0]!);
    const root = planned && (planned.sharesWith ?? planned.value);
    if (root !== undefined && roots.has(root)) inputs.set(root, { scale: quantizer.inputs[1]!, zeroPoint: quantizer.inputs[2]! });
  }
  const initializers = new Map(qdq.graph.initializers);
  const added = [...inputs].flatMap(([root, names]) => {
    initializers.delete(names.scale);
    initializers.delete(names.zeroPoint);
    return [valueInfo(names.scale, 'float32', []), valueInfo(names.zeroPoint, plan.activations.get(root)!.params.dtype as 'uint8', [])];
  });
  return { model: withGraph(qdq, { initializers, inputs: [...qdq.graph.inputs, ...added] }), inputs };
}

/** Runs the adjustable network on a few images. */
export interface Trials {
  readonly images: number;
  /** Output error of one image under the given parameters, one entry per root. */
  error(params: ReadonlyMap<string, QParams>, image: number): Promise<number>;
  release(): Promise<void>;
}

function zeroTensor({ dtype, zeroPoint }: QParams): RunTensor {
  const data = dtype === 'int8' ? Int8Array.from(zeroPoint) : Uint8Array.from(zeroPoint);
  return { dtype: dtype as 'uint8', dims: [], data };
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
        [...inputs].flatMap(([root, names]): [string, RunTensor][] => {
          const chosen = params.get(root)!;
          return [
            [names.scale, { dtype: 'float32', dims: [], data: Float32Array.from(chosen.scale) }],
            [names.zeroPoint, zeroTensor(chosen)],
          ];
        }),
      );
      return errors[image]!(await session.run({ ...feeds[image]!, ...given }));
    },
    release: () => session.release(),
  };
}
