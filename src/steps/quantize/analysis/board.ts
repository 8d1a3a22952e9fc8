/**
 * A switchboard: one session in which every quantizer can be on or off, and on any grid, from run to run. What is
 * on is given as a plan, so that `run(feeds, state)` answers as `buildQdq(state.float, state.plan)` would, without a new
 * session for each of the hundreds of plans that an analysis asks about. Each value passes an If: off, it is copied; on,
 * it is rounded by Div, Round, Clip and Mul, which gives QuantizeLinear's and DequantizeLinear's values exactly. Constants are inputs.
 */
import { fakeQuant, integerLimits, type QParams, StudioError } from '../../../numerics';
import {
  type Graph,
  inferShapes,
  type Model,
  type Node,
  node,
  reads,
  serializeModel,
  type Tensor,
  toFloat32,
  type ValueInfo,
  valueInfo,
  withGraph,
} from '../../../onnx';
import { addTaps, type Engine, type RunTensor, type Tensors } from '../../../runtime';
import type { QuantPlan } from '../plan-types';
import type { QuantState } from '../repairs/types';

export interface Board {
  /**
   * @param state whose plan quantizes no value or constant that the board was not opened for; constants that it
   *   quantizes come from its float network, all others from the board's own
   * @param values intermediate values wanted besides the outputs, as their readers see them; of those given to openBoard
   */
  run(feeds: Tensors, state: QuantState, values?: readonly string[]): Promise<Record<string, RunTensor>>;
  release(): Promise<void>;
}

/** A prefix that no name of the graph begins with. */
function freshPrefix({ graph }: Model): string {
  const names = [
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
  ];
  let prefix = 'board';
  while (names.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}

const scalar = (value: number): RunTensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
const ON: RunTensor = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };
const OFF: RunTensor = { dtype: 'bool', dims: [], data: Uint8Array.of(0) };
const ONE = scalar(1);

const constantKey = (nodeName: string, input: number): string => `${nodeName}|${input}`;

interface Switch {
  readonly value: string;
  readonly on: string;
  readonly scale: string;
  readonly lo: string;
  readonly hi: string;
}

interface Dial {
  readonly input: string;
  readonly node: string;
  readonly at: number;
  readonly exact: Tensor;
}

/** The constant that a node reads there; undefined where it has none. */
function constantOf(graph: Graph): (node: string, at: number) => Tensor | undefined {
  const byName = new Map(graph.nodes.map((n) => [n.name, n]));
  return (name, at) => graph.initializers.get(byName.get(name)?.inputs[at] ?? '');
}

function branch(name: string, output: string, nodes: readonly Node[], shape: ValueInfo['shape']): Graph {
  return { name, inputs: [], outputs: [valueInfo(output, 'float32', shape)], nodes, initializers: new Map(), valueInfo: new Map() };
}

function switchNode(from: string, to: string, s: Switch, shape: ValueInfo['shape']): Node {
  const [a, b, c, x, y] = ['divided', 'rounded', 'clipped', 'on_out', 'off_out'].map((part) => `${s.on}_${part}`);
  const rounding = [
    node('Div', [from, s.scale], [a!]),
    node('Round', [a!], [b!]),
    node('Clip', [b!, s.lo, s.hi], [c!]),
    node('Mul', [c!, s.scale], [x!]),
  ];
  return node(
    'If',
    [s.on],
    [to],
    {
      then_branch: { type: 'graph', value: branch(`${s.on}_then`, x!, rounding, shape) },
      else_branch: { type: 'graph', value: branch(`${s.on}_else`, y!, [node('Identity', [from], [y!])], shape) },
    },
    `${s.on}_switch`,
  );
}

/** Values and constants that any of the plans quantizes. */
function union(plans: readonly QuantPlan[]): { values: ReadonlySet<string>; constants: ReadonlyMap<string, readonly [string, number]> } {
  const values = new Set(plans.flatMap((plan) => [...plan.activations.keys()]));
  const constants = new Map(
    plans.flatMap((plan) => plan.constants.map((c) => [constantKey(c.node, c.input), [c.node, c.input] as const] as const)),
  );
  return { values, constants };
}

/**
 * @param float whose nodes the board has
 * @param plans what shall be switchable: everything that one of them quantizes
 * @param taps intermediate values that runs may ask for
 * @param exact the same network with the weights that constants have while they are not quantized
 * @throws StudioError of a network that doesn't load
 */
export async function openBoard(
  float: Model,
  plans: readonly QuantPlan[],
  taps: readonly string[],
  engine: Engine,
  exact: Model = float,
): Promise<Board> {
  const { graph } = float;
  const prefix = freshPrefix(float);
  const { values, constants } = union(plans);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const shapes = inferShapes(float);
  const switches = [...values].map((value, i): Switch => {
    const on = `${prefix}_${i}`;
    return { value, on, scale: `${on}_scale`, lo: `${on}_lo`, hi: `${on}_hi` };
  });
  const byValue = new Map(switches.map((s) => [s.value, s]));
  const written = (value: string): string => (byValue.has(value) && outputs.has(value) ? `${byValue.get(value)!.on}_in` : value);
  const readAs = (value: string): string => (byValue.has(value) && !outputs.has(value) ? `${byValue.get(value)!.on}_read` : value);
  const dials = new Map<string, Dial>();
  const inputs = [...graph.inputs];
  for (const { on, scale, lo, hi } of switches) {
    inputs.push(valueInfo(on, 'bool', []));
    for (const name of [scale, lo, hi]) inputs.push(valueInfo(name, 'float32', []));
  }
  const own = constantOf(graph);
  const teachers = constantOf(exact.graph);
  for (const [key, [nodeName, at]] of constants) {
    const found = own(nodeName, at)!;
    // Repairs may give a layer the bias that it lacked.
    const none = { ...found, data: new Float32Array(found.data.length) };
    const dial = { input: `${prefix}_c${dials.size}`, node: nodeName, at, exact: teachers(nodeName, at) ?? none };
    dials.set(key, dial);
    inputs.push(valueInfo(dial.input, 'float32', found.dims));
  }
  const pair = (value: string): Node[] => {
    const s = byValue.get(value);
    return s ? [switchNode(written(value), readAs(value), s, shapes.get(value)?.shape ?? null)] : [];
  };
  const nodes = [
    ...graph.inputs.flatMap(({ name }) => pair(name)),
    ...graph.nodes.flatMap((n) => [
      {
        ...n,
        inputs: n.inputs.map((name, i) => dials.get(constantKey(n.name, i))?.input ?? readAs(name)),
        outputs: n.outputs.map(written),
      },
      ...n.outputs.flatMap(pair),
    ]),
  ];
  const used = new Set([...nodes.flatMap(reads), ...outputs]);
  const initializers = new Map([...graph.initializers].filter(([name]) => used.has(name)));
  const board = withGraph(float, { inputs, nodes, initializers });
  const tapped = addTaps(board, taps.filter((value) => !graph.inputs.some(({ name }) => name === value) || byValue.has(value)).map(readAs));
  const session = await engine.create(serializeModel(tapped), { optimization: 'disabled' });
  const constantTensor = constantCache();
  const gridTensors = new WeakMap<QParams, readonly [RunTensor, RunTensor, RunTensor]>();
  const grid = (params: QParams): readonly [RunTensor, RunTensor, RunTensor] => {
    const known = gridTensors.get(params);
    if (known) return known;
    const zero = params.zeroPoint[0]!;
    const [qmin, qmax] = integerLimits(params.dtype);
    const made = [scalar(params.scale[0]!), scalar(qmin - zero), scalar(qmax - zero)] as const;
    gridTensors.set(params, made);
    return made;
  };

  return {
    async run(feeds, { float: weights, plan }, wanted = []) {
      const all: Record<string, RunTensor> = { ...feeds };
      for (const { value, on, scale, lo, hi } of switches) {
        const planned = plan.activations.get(value);
        const [s, a, b] = planned ? grid(planned.params) : [ONE, ONE, ONE];
        all[on] = planned ? ON : OFF;
        all[scale] = s;
        all[lo] = a;
        all[hi] = b;
      }
      const planned = new Map(plan.constants.map((c) => [constantKey(c.node, c.input), c.params]));
      const constant = constantOf(weights.graph);
      for (const [key, dial] of dials) {
        const params = planned.get(key) ?? null;
        all[dial.input] = constantTensor(params ? constant(dial.node, dial.at)! : dial.exact, params);
      }
      if (plan.activations.size > 0 && [...plan.activations.keys()].some((value) => !byValue.has(value)))
        throw new StudioError('runtime', 'This plan quantizes a value that the switchboard was not opened for.');
      const named = wanted.map((value) => [value, readAs(value)] as const);
      const results = await session.run(all, [...new Set([...outputs, ...named.map(([, name]) => name)])]);
      const answer: Record<string, RunTensor> = {};
      for (const name of outputs) answer[name] = results[name]!;
      for (const [value, name] of named) answer[value] = results[name]!;
      return answer;
    },
    release: () => session.release(),
  };
}

/** Constants as they are fed: exact, or rounded by the given parameters; each made once. */
function constantCache(): (source: Tensor, params: QParams | null) => RunTensor {
  const exact = new WeakMap<Tensor, RunTensor>();
  const rounded = new WeakMap<Tensor, WeakMap<QParams, RunTensor>>();
  return (source, params) => {
    const plain = exact.get(source) ?? { dtype: 'float32' as const, dims: source.dims, data: toFloat32(source) };
    exact.set(source, plain);
    if (!params) return plain;
    const known = rounded.get(source) ?? new WeakMap<QParams, RunTensor>();
    rounded.set(source, known);
    const made = known.get(params) ?? {
      dtype: 'float32' as const,
      dims: source.dims,
      data: fakeQuant({ dims: source.dims, data: plain.data as Float32Array }, params),
    };
    known.set(params, made);
    return made;
  };
}
