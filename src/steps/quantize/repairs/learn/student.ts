/** The student: the quantized network as a float graph whose scales, zero points and biases can be trained. */
import { fakeQuantNode } from '../../../../autodiff';
import { fakeQuant } from '../../../../numerics';
import { attrString, type Model, type Node, producers, type Tensor, tensor, toFloat32, withGraph } from '../../../../onnx';
import { asInputs, type Variable } from '../../../../training';
import type { ActivationQuant, ConstantQuant, QuantPlan } from '../../plan-types';
import { biasDims, gainsOf, trainableBiases } from './affine';

/** Step sizes by kind, in units per step at the schedule's peak (../shared/lab.md §8). */
export interface LearnRates {
  /** Of log scales (unit 1) and of zero points (unit {@link ZERO_UNIT}). */
  readonly scale: number;
  /** Of biases (unit: σ of the channel before its activation). */
  readonly bias: number;
  /** Of weight scales, as factors (unit 1); 0 = they stay. */
  readonly gain: number;
}

/** Steps of the integer grid that count as one for a zero point. */
const ZERO_UNIT = 80;

/** A channel's weight scale never gets nearer to 0 than this part of what it was. */
const LEAST_GAIN = 0.05;

/** Names of a shared scale's parameters in the student's graph. */
export const scaleName = (root: string): string => `learn/scale/${root}`;
export const isScaleName = (name: string): boolean => name.startsWith('learn/scale/');
export const zeroName = (root: string): string => `learn/zero_point/${root}`;

export const rootOf = ({ value, sharesWith }: ActivationQuant): string => sharesWith ?? value;

/** Operators that hand values on as they are: what they make lies on their input's grid already. */
const MOVES = new Set([
  ...['MaxPool', 'GlobalMaxPool', 'ReduceMax', 'ReduceMin', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Split'],
  ...['Gather', 'GatherElements', 'GatherND', 'Expand', 'Tile', 'Identity', 'Dropout', 'DepthToSpace', 'SpaceToDepth', 'Concat'],
]);

const moves = (node: Node): boolean =>
  node.domain === '' && (MOVES.has(node.op) || (node.op === 'Resize' && attrString(node, 'mode', 'nearest') === 'nearest'));

/** Pixels 0…255 on their own grid: already integers. */
const isExactInput = ({ params }: ActivationQuant): boolean =>
  params.scale[0] === 1 && params.zeroPoint[0] === 0 && params.qmin === 0 && params.qmax === 255;

/** Values that need a quantizer in the student: not those that lie on the grid already. */
function quantizedValues(model: Model, plan: QuantPlan): ReadonlySet<string> {
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const makers = producers(model.graph);
  return new Set(
    [...plan.activations.values()].flatMap((planned) => {
      const { value } = planned;
      if (inputs.has(value)) return isExactInput(planned) ? [] : [value];
      const maker = makers.get(value);
      if (!maker || !moves(maker)) return [value];
      const sources = maker.op === 'Concat' ? maker.inputs : maker.inputs.slice(0, 1);
      const onGrid = sources.every((name) => {
        const source = plan.activations.get(name);
        return source !== undefined && rootOf(source) === rootOf(planned);
      });
      return onGrid ? [] : [value];
    }),
  );
}

/** The constant that stands for a planned one in the student's graph. */
export const constantName = ({ node, input }: Pick<ConstantQuant, 'node' | 'input'>): string => `learn/constant/${node}/${input}`;

/** Float weights as the integers say, so that the float graph computes what the quantized one does. */
export function bakeConstants(model: Model, plan: QuantPlan): Model {
  const initializers = new Map(model.graph.initializers);
  const changed = new Map<string, Map<number, string>>();
  for (const constant of plan.constants) {
    const { node, input, tensor: name, role, params } = constant;
    if (role === 'bias') continue;
    const source = model.graph.initializers.get(name)!;
    const baked = constantName(constant);
    initializers.set(baked, tensor(baked, 'float32', source.dims, fakeQuant({ dims: source.dims, data: toFloat32(source) }, params)));
    const inputs = changed.get(node) ?? new Map<number, string>();
    changed.set(node, inputs.set(input, baked));
  }
  const nodes = model.graph.nodes.map((node) => {
    const inputs = changed.get(node.name);
    return inputs ? { ...node, inputs: node.inputs.map((name, i) => inputs.get(i) ?? name) } : node;
  });
  return withGraph(model, { nodes, initializers });
}

export interface Learnable {
  readonly variables: readonly Variable[];
  /** Parameters that stay as they are. */
  readonly fixed: readonly Tensor[];
}

/**
 * What is trained, at its present values. Fixed: scales of graph inputs (pixels say what they are) and of 16-bit values,
 * and zero points where the grid has to be symmetric.
 * @param sigma per channel, of each bias constant's layer before its activation
 * @param separate biases come in the shapes that {@link separateAffine} wants
 */
export function learnables(
  model: Model,
  plan: QuantPlan,
  sigma: ReadonlyMap<string, Float32Array>,
  rates: LearnRates,
  symmetric: boolean,
  separate = true,
): Learnable {
  const quantized = quantizedValues(model, plan);
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const variables: Variable[] = [];
  const fixed: Tensor[] = [];
  const roots = new Map<string, ActivationQuant[]>();
  for (const planned of plan.activations.values()) roots.set(rootOf(planned), [...(roots.get(rootOf(planned)) ?? []), planned]);
  for (const [root, members] of roots) {
    if (!members.some(({ value }) => quantized.has(value))) continue;
    const { params } = members[0]!;
    const frozen = params.qmax - params.qmin > 255 || members.some(({ value }) => inputs.has(value));
    const put = (name: string, data: Float32Array, variable: Omit<Variable, 'name' | 'dims' | 'data'> | null): void => {
      if (variable) variables.push({ name, dims: [], data, ...variable });
      else fixed.push(tensor(name, 'float32', [], data));
    };
    const unit = (size: number) => Float32Array.of(size);
    put(scaleName(root), Float32Array.of(Math.log(params.scale[0]!)), frozen ? null : { unit: unit(1), rate: rates.scale });
    const zero = { unit: unit(ZERO_UNIT), rate: rates.scale, min: params.qmin, max: params.qmax };
    put(zeroName(root), Float32Array.of(params.zeroPoint[0]!), frozen || symmetric ? null : zero);
  }
  const biases = trainableBiases(model, plan);
  for (const [name, spread] of biasDims(model, biases)) {
    const { data, dims: own } = model.graph.initializers.get(name)!;
    const dims = separate ? spread : own;
    const unit = sigma.get(name);
    if (unit) variables.push({ name, dims, data: Float32Array.from(data as Float32Array), unit, rate: rates.bias });
  }
  if (rates.gain > 0)
    for (const { name, dims } of gainsOf(model, plan).values()) {
      const data = new Float32Array(dims[1]!).fill(1);
      variables.push({ name, dims, data, unit: Float32Array.of(1), rate: rates.gain, min: LEAST_GAIN });
    }
  return { variables, fixed };
}

/** A FakeQuant behind every planned value; whatever read the value reads that. */
export function insertFakeQuant(model: Model, plan: QuantPlan, gradient: 'lsq' | 'pact' = 'lsq'): Model {
  const quantized = quantizedValues(model, plan);
  const { graph } = model;
  const readAs = new Map([...quantized].map((value) => [value, `${value}/fake_quant`]));
  const quantizer = (value: string): Node[] => {
    const planned = plan.activations.get(value);
    const output = readAs.get(value);
    if (!planned || output === undefined) return [];
    const { qmin, qmax } = planned.params;
    const root = rootOf(planned);
    return [fakeQuantNode(value, scaleName(root), zeroName(root), output, { qmin, qmax, gradient })];
  };
  const nodes = graph.inputs.flatMap(({ name }) => quantizer(name));
  for (const node of graph.nodes) {
    nodes.push({ ...node, inputs: node.inputs.map((name) => readAs.get(name) ?? name) });
    for (const output of node.outputs) nodes.push(...quantizer(output));
  }
  return withGraph(model, { nodes });
}

/** The variables become graph inputs, the fixed parameters constants. */
export function withVariables(model: Model, { variables, fixed }: Learnable): Model {
  const open = asInputs(model, variables);
  const initializers = new Map(open.graph.initializers);
  for (const constant of fixed) initializers.set(constant.name, constant);
  return withGraph(open, { initializers });
}
