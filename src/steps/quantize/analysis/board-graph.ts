/** The graph of a switchboard: an If for each value that may be rounded, an input for each constant. */
import {
  type Graph,
  inferShapes,
  type Model,
  type Node,
  node,
  reads,
  type Tensor,
  type ValueInfo,
  valueInfo,
  withGraph,
} from '../../../onnx';
import type { QuantPlan } from '../plan-types';

/** Names of the inputs that switch one value's quantizer and set its grid. */
export interface Switch {
  readonly value: string;
  readonly on: string;
  readonly scale: string;
  readonly lo: string;
  readonly hi: string;
}

/** A constant that became an input, and what it is while it is not quantized. */
export interface Dial {
  readonly input: string;
  readonly node: string;
  readonly at: number;
  readonly exact: Tensor;
}

export interface BoardGraph {
  readonly model: Model;
  readonly switches: readonly Switch[];
  readonly dials: ReadonlyMap<string, Dial>;
  /** A float value's name as its readers see it. */
  readAs(value: string): string;
  /** The part that runs from float node `start` on: its inputs are those of `crossing` and the switches in it. */
  from(start: number, crossing: readonly ValueInfo[]): Model;
}

export const constantKey = (nodeName: string, input: number): string => `${nodeName}|${input}`;

/** The constant that a node reads there; undefined where it has none. */
export function constantOf(graph: Graph): (node: string, at: number) => Tensor | undefined {
  const byName = new Map(graph.nodes.map((n) => [n.name, n]));
  return (name, at) => graph.initializers.get(byName.get(name)?.inputs[at] ?? '');
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

/** @param exact the same network with the weights that constants have while they are not quantized */
export function buildBoard(float: Model, exact: Model, plans: readonly QuantPlan[]): BoardGraph {
  const { graph } = float;
  const prefix = freshPrefix(float);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const shapes = inferShapes(float);
  const switches = [...new Set(plans.flatMap((plan) => [...plan.activations.keys()]))].map((value, i): Switch => {
    const on = `${prefix}_${i}`;
    return { value, on, scale: `${on}_scale`, lo: `${on}_lo`, hi: `${on}_hi` };
  });
  const byValue = new Map(switches.map((s) => [s.value, s]));
  const written = (value: string): string => (byValue.has(value) && outputs.has(value) ? `${byValue.get(value)!.on}_in` : value);
  const readAs = (value: string): string => (byValue.has(value) && !outputs.has(value) ? `${byValue.get(value)!.on}_read` : value);

  const own = constantOf(graph);
  const teachers = constantOf(exact.graph);
  const dials = new Map<string, Dial>();
  const controls: ValueInfo[] = switches.flatMap(({ on, scale, lo, hi }) => [
    valueInfo(on, 'bool', []),
    ...[scale, lo, hi].map((name) => valueInfo(name, 'float32', [])),
  ]);
  for (const { node: name, input: at } of plans.flatMap(({ constants }) => constants)) {
    const key = constantKey(name, at);
    if (dials.has(key)) continue;
    const found = own(name, at)!;
    // Repairs may give a layer the bias that it lacked.
    const none = { ...found, data: new Float32Array(found.data.length) };
    const dial = { input: `${prefix}_c${dials.size}`, node: name, at, exact: teachers(name, at) ?? none };
    dials.set(key, dial);
    controls.push(valueInfo(dial.input, 'float32', found.dims));
  }
  const pair = (value: string): Node[] => {
    const s = byValue.get(value);
    return s ? [switchNode(written(value), readAs(value), s, shapes.get(value)?.shape ?? null)] : [];
  };
  const steps = graph.nodes.map((n) => [
    {
      ...n,
      inputs: n.inputs.map((name, i) => dials.get(constantKey(n.name, i))?.input ?? readAs(name)),
      outputs: n.outputs.map(written),
    },
    ...n.outputs.flatMap(pair),
  ]);
  const assemble = (nodes: readonly Node[], inputs: readonly ValueInfo[]): Model => {
    const made = new Set(nodes.flatMap((n) => n.outputs));
    const used = new Set([...nodes.flatMap(reads), ...outputs]);
    return withGraph(float, {
      inputs: [...inputs, ...controls.filter(({ name }) => used.has(name))],
      outputs: graph.outputs.filter(({ name }) => made.has(name)),
      nodes,
      initializers: new Map([...graph.initializers].filter(([name]) => used.has(name))),
      valueInfo: new Map([...graph.valueInfo].filter(([name]) => made.has(name))),
    });
  };
  return {
    model: assemble([...graph.inputs.flatMap(({ name }) => pair(name)), ...steps.flat()], graph.inputs),
    switches,
    dials,
    readAs,
    from: (start, crossing) =>
      assemble(
        steps.slice(start).flat(),
        crossing.map((info) => ({ ...info, name: readAs(info.name) })),
      ),
  };
}
