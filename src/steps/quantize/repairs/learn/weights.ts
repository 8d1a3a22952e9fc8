/**
 * Weights that are trained through their quantizer (straight-through; Jacob et al. 2018): the graph reads the quantized
 * weights as inputs, which are made here before each step, so that the graph itself needs no quantizer for them.
 */
import { fakeQuant } from '../../../../numerics';
import { type Model, toFloat32 } from '../../../../onnx';
import type { Values, Variable, VariableMap } from '../../../../training';
import { variableFeeds, weightUnit } from '../../../../training';
import type { ConstantQuant, QuantPlan } from '../../plan-types';
import { constantName } from './student';

export interface WeightTraining {
  /** Of weights; unit: the rms of the output channel. */
  readonly weight: number;
  /** Of the log scale of a layer with one scale. */
  readonly scale: number;
}

interface TrainedWeight {
  readonly constant: ConstantQuant;
  /** Input of the student's graph. */
  readonly input: string;
  readonly dims: readonly number[];
  /** Largest |weight| of each slice at the start. */
  readonly largest: Float64Array;
}

/** Variable: log of the scale of a weight with one scale. */
const logScaleName = (tensor: string): string => `learn/weight_scale/${tensor}`;

/** Slice index of an element: which scale it has. */
function sliceOf(dims: readonly number[], axis: number | null): (i: number) => number {
  if (axis === null) return () => 0;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  return (i) => Math.floor(i / inner) % dims[axis]!;
}

function largestOf(data: ArrayLike<number>, dims: readonly number[], axis: number | null): Float64Array {
  const slice = sliceOf(dims, axis);
  const largest = new Float64Array(axis === null ? 1 : dims[axis]!);
  for (let i = 0; i < data.length; i++) largest[slice(i)] = Math.max(largest[slice(i)]!, Math.abs(data[i]!));
  return largest;
}

/** Scales for the weights as they are now: learned where a layer has one, else following each channel's largest weight. */
function scalesNow({ constant, dims, largest }: TrainedWeight, values: Values): readonly number[] {
  const { axis, scale } = constant.params;
  const learned = values[logScaleName(constant.tensor)];
  if (learned) return [Math.fround(Math.exp(learned[0]!))];
  const now = largestOf(values[constant.tensor]!, dims, axis);
  return scale.map((s, c) => (largest[c]! > 0 && now[c]! > 0 ? Math.fround((s * now[c]!) / largest[c]!) : s));
}

export interface WeightTrainer {
  /** Inputs of the student's graph in place of the trained weights. */
  readonly weights: readonly { readonly name: string; readonly dims: readonly number[] }[];
  readonly variables: readonly Variable[];
  readonly map: VariableMap;
  /** The plan's constants with the scales of trained weights. */
  constants(plan: QuantPlan, values: Values): readonly ConstantQuant[];
}

/**
 * Adds the weights of `plan` that the student reads to what is trained.
 * @param student with a constant named by {@link constantName} for each weight
 * @param others variables that are inputs of the graph as they are
 */
export function weightTrainer(
  student: Model,
  source: Model,
  plan: QuantPlan,
  others: readonly Variable[],
  rates: WeightTraining,
): WeightTrainer {
  const read = new Set(student.graph.nodes.flatMap(({ inputs }) => inputs));
  const nodes = new Map(source.graph.nodes.map((node) => [node.name, node]));
  const weights = plan.constants.flatMap((constant): TrainedWeight[] => {
    const input = constantName(constant);
    if (constant.role !== 'weight' || !read.has(input)) return [];
    const { dims, data } = source.graph.initializers.get(constant.tensor)!;
    return [{ constant, input, dims, largest: largestOf(data as Float32Array, dims, constant.params.axis) }];
  });
  const trained = new Map<string, Variable>();
  for (const { constant, dims } of weights) {
    if (trained.has(constant.tensor)) continue;
    const t = source.graph.initializers.get(constant.tensor)!;
    const data = Float32Array.from(toFloat32(t));
    trained.set(constant.tensor, { name: constant.tensor, dims, data, unit: weightUnit(nodes.get(constant.node)!, t), rate: rates.weight });
    if (constant.params.axis === null) {
      const name = logScaleName(constant.tensor);
      const start = Float32Array.of(Math.log(constant.params.scale[0]!));
      trained.set(name, { name, dims: [], data: start, unit: Float32Array.of(1), rate: rates.scale });
    }
  }
  const quantizedNow = (weight: TrainedWeight, values: Values): Float32Array =>
    fakeQuant(
      { dims: weight.dims, data: values[weight.constant.tensor]! },
      { ...weight.constant.params, scale: scalesNow(weight, values) },
    );

  const map: VariableMap = {
    inputs: [...others.map(({ name }) => name), ...weights.map(({ input }) => input)],
    feeds: (values) => ({
      ...variableFeeds(others, values),
      ...Object.fromEntries(
        weights.map((weight) => [weight.input, { dtype: 'float32' as const, dims: weight.dims, data: quantizedNow(weight, values) }]),
      ),
    }),
    gradients(values, byInput) {
      const found: Record<string, Float32Array> = Object.fromEntries(others.map(({ name }) => [name, byInput[name]!]));
      for (const weight of weights) {
        const { constant, input, dims } = weight;
        const { tensor, params } = constant;
        const upstream = byInput[input]!;
        const scales = scalesNow(weight, values);
        const slice = sliceOf(dims, params.axis);
        const w = values[tensor]!;
        const own = (found[tensor] ??= new Float32Array(w.length));
        let toLogScale = 0;
        for (let i = 0; i < w.length; i++) {
          const s = scales[slice(i)]!;
          const t = w[i]! / s;
          const inside = t >= params.qmin - 0.5 && t <= params.qmax + 0.5;
          if (inside) own[i] = own[i]! + upstream[i]!;
          // LSQ (Esser et al. 2020): dŵ/ds = round(t) − t inside, the bound outside.
          const bound = t > 0 ? params.qmax : params.qmin;
          toLogScale += upstream[i]! * s * (inside ? Math.round(t) - t : bound);
        }
        const name = logScaleName(tensor);
        if (values[name]) found[name] = Float32Array.of((found[name]?.[0] ?? 0) + toLogScale);
      }
      return found;
    },
  };
  return {
    weights: weights.map(({ input, dims }) => ({ name: input, dims })),
    variables: [...others, ...trained.values()],
    map,
    constants: (current, values) => {
      const scales = new Map(weights.map((weight) => [weight.input, scalesNow(weight, values)]));
      return current.constants.map((constant) => {
        const scale = constant.role === 'weight' ? scales.get(constantName(constant)) : undefined;
        return scale ? { ...constant, params: { ...constant.params, scale } } : constant;
      });
    },
  };
}
