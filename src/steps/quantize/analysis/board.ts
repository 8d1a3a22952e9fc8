/**
 * A switchboard: one session in which every quantizer can be on or off, and on any grid, from run to run. What is
 * on is given as a plan, so that `run(feeds, state)` answers as `buildQdq(state.float, state.plan)` would, without a new
 * session for each of the hundreds of plans that an analysis asks about. Each value passes an If: off, it is copied; on,
 * it is rounded by Div, Round, Clip and Mul, which gives QuantizeLinear's and DequantizeLinear's values exactly. Constants are inputs.
 */
import { fakeQuant, integerLimits, type QParams, REPORT_IT, StudioError } from '../../../numerics';
import { type Model, serializeModel, type Tensor, toFloat32 } from '../../../onnx';
import { addTaps, type Engine, type RunTensor, type Session, type Tensors } from '../../../runtime';
import type { QuantPlan } from '../plan-types';
import type { QuantState } from '../repairs/types';
import { type BoardGraph, buildBoard, constantKey, constantOf } from './board-graph';
import { findStarts, type Start } from './starts';

/** Exact values of one image, from which the rest of the network can be run. */
export interface Carried {
  readonly values: Tensors;
}

export interface Board {
  /**
   * @param state whose plan quantizes no value or constant that the board was not opened for; constants that it
   *   quantizes come from its float network, all others from the board's own
   * @param values intermediate values wanted besides the outputs, as their readers see them; of those given to openBoard
   * @param carried of the same image: what lies before everything quantized or wanted is not computed again
   */
  run(feeds: Tensors, state: QuantState, values?: readonly string[], carried?: Carried): Promise<Record<string, RunTensor>>;
  /** With nothing on: the outputs, `values`, and what later runs of this image can start from. */
  carry(feeds: Tensors, values?: readonly string[]): Promise<{ outputs: Record<string, RunTensor>; carried: Carried }>;
  release(): Promise<void>;
}

export interface BoardOptions {
  /** The same network with the weights that constants have while they are not quantized; default: the board's own. */
  readonly exact?: Model;
  /** Whether runs may start half way; a few more sessions. Default false. */
  readonly starts?: boolean;
}

const scalar = (value: number): RunTensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
const ON: RunTensor = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };
const OFF: RunTensor = { dtype: 'bool', dims: [], data: Uint8Array.of(0) };
const ONE = scalar(1);

/** Opened part of the board: the whole, or from a start on. */
interface Part {
  /** First float node in it. */
  readonly node: number;
  readonly session: Session;
  readonly outputs: readonly string[];
}

/**
 * @param float whose nodes the board has
 * @param plans what shall be switchable: everything that one of them quantizes
 * @param taps intermediate values that runs may ask for
 * @throws StudioError of a network that doesn't load
 */
export async function openBoard(
  float: Model,
  plans: readonly QuantPlan[],
  taps: readonly string[],
  engine: Engine,
  options: BoardOptions = {},
): Promise<Board> {
  const { graph } = float;
  const { exact = float } = options;
  const board = buildBoard(float, exact, plans);
  const { switches, dials, readAs } = board;
  const switchable = new Set(switches.map(({ value }) => value));
  const positions = { value: positionsOf(graph.nodes.map((n) => n.outputs)), node: positionsOf(graph.nodes.map((n) => [n.name])) };
  const starts = options.starts ? findStarts(float) : [];
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const wanted = [...taps, ...starts.flatMap(({ crossing }) => crossing.map(({ name }) => name))];
  const tappable = [...new Set(wanted)].filter((value) => !inputs.has(value) || switchable.has(value));
  const parts = await openParts(board, starts, tappable, positions.value, engine);
  const outputNames = graph.outputs.map(({ name }) => name);
  const constantTensor = constantCache();
  const grid = gridCache();

  /** Position of the first float node that the plan or the wanted values concern; −1: a graph input. */
  const firstOf = ({ activations, constants }: QuantPlan, values: readonly string[]): number => {
    let first = Number.POSITIVE_INFINITY;
    for (const value of activations.keys()) first = Math.min(first, positions.value.get(value) ?? -1);
    for (const constant of constants) first = Math.min(first, positions.node.get(constant.node)!);
    for (const value of values) first = Math.min(first, positions.value.get(value) ?? -1);
    return first;
  };
  const controls = ({ float: weights, plan }: QuantState): Record<string, RunTensor> => {
    const all: Record<string, RunTensor> = {};
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
    return all;
  };
  const nothing: QuantState = { float: exact, plan: { activations: new Map(), constants: [], layers: [], notes: [] } };

  const run: Board['run'] = async (feeds, state, values = [], carried) => {
    if ([...state.plan.activations.keys()].some((value) => !switchable.has(value)))
      throw new StudioError('runtime', 'This plan quantizes a value that the switchboard was not opened for.', REPORT_IT);
    const first = carried ? firstOf(state.plan, values) : -1;
    const part = parts.findLast(({ node }) => node === 0 || node <= first)!;
    const names = values.map((value) => [value, readAs(value)] as const);
    const fetches = [...new Set([...part.outputs, ...names.map(([, name]) => name)])];
    const results = await part.session.run({ ...feeds, ...carried?.values, ...controls(state) }, fetches);
    const answer: Record<string, RunTensor> = {};
    for (const name of outputNames) answer[name] = results[name] ?? carried!.values[name]!;
    for (const [value, name] of names) answer[value] = results[name]!;
    return answer;
  };
  return {
    run,
    async carry(feeds, values = []) {
      const crossing = tappable.filter((value) => starts.some((start) => start.crossing.some(({ name }) => name === value)));
      const results = await run(feeds, nothing, [...new Set([...values, ...crossing])]);
      const kept = Object.fromEntries(crossing.map((value) => [readAs(value), results[value]!]));
      const outputs = Object.fromEntries([...outputNames, ...values].map((name) => [name, results[name]!]));
      return { outputs, carried: { values: { ...kept, ...Object.fromEntries(outputNames.map((name) => [name, results[name]!])) } } };
    },
    release: async () => {
      await Promise.all(parts.map(({ session }) => session.release()));
    },
  };
}

function positionsOf(names: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  return new Map(names.flatMap((list, i) => list.map((name) => [name, i] as const)));
}

/** Sessions of the whole board and from each start on; each can show the taps that it makes. */
async function openParts(
  board: BoardGraph,
  starts: readonly Start[],
  taps: readonly string[],
  positions: ReadonlyMap<string, number>,
  engine: Engine,
): Promise<readonly Part[]> {
  const parts: Part[] = [];
  const open = async (node: number, model: Model): Promise<void> => {
    const own = taps.filter((value) => node === 0 || (positions.get(value) ?? -1) >= node).map(board.readAs);
    const session = await engine.create(serializeModel(addTaps(model, own)), { optimization: 'disabled' });
    parts.push({ node, session, outputs: model.graph.outputs.map(({ name }) => name) });
  };
  try {
    await open(0, board.model);
    for (const { node, crossing } of starts) await open(node, board.from(node, crossing));
    return parts;
  } catch (error) {
    await Promise.all(parts.map(({ session }) => session.release()));
    throw error;
  }
}

/** Scale, lowest and highest integer of a grid as they are fed; each made once. */
function gridCache(): (params: QParams) => readonly [RunTensor, RunTensor, RunTensor] {
  const made = new WeakMap<QParams, readonly [RunTensor, RunTensor, RunTensor]>();
  return (params) => {
    const known = made.get(params);
    if (known) return known;
    const zero = params.zeroPoint[0]!;
    const [qmin, qmax] = integerLimits(params.dtype);
    const tensors = [scalar(params.scale[0]!), scalar(qmin - zero), scalar(qmax - zero)] as const;
    made.set(params, tensors);
    return tensors;
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
