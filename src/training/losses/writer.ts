import {
  type AttributeValue,
  type Model,
  type Node,
  node,
  removeDead,
  type Tensor,
  tensor,
  type ValueInfo,
  valueInfo,
  withGraph,
} from '../../onnx';

/** Only nodes that `values` need; they are the outputs in place of the model's own. */
export function cutTo(model: Model, values: readonly string[]): Model {
  return removeDead(withGraph(model, { outputs: values.map((name) => valueInfo(name, 'float32', null)) }));
}

/** Appends nodes to a model; values get names under `prefix` that the model doesn't use. */
export class GraphWriter {
  readonly #model: Model;
  readonly #prefix: string;
  readonly #nodes: Node[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #initializers: Tensor[] = [];
  readonly #taken: Set<string>;

  constructor(model: Model, prefix: string) {
    const { graph } = model;
    this.#model = model;
    this.#prefix = prefix;
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
    ]);
  }

  /** The model's opset. */
  get opset(): number {
    return this.#model.opsets[''] ?? 1;
  }

  #name(base: string): string {
    let name = `${this.#prefix}/${base}`;
    for (let n = 2; this.#taken.has(name); n++) name = `${this.#prefix}/${base}_${n}`;
    this.#taken.add(name);
    return name;
  }

  /** Adds a node with one output and returns that. */
  add(op: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    const output = this.#name(op);
    this.#nodes.push(node(op, inputs, [output], attributes));
    return output;
  }

  floats(base: string, dims: readonly number[], values: ArrayLike<number>): string {
    const name = this.#name(base);
    this.#initializers.push(tensor(name, 'float32', dims, Float32Array.from(values)));
    return name;
  }

  scalar(value: number): string {
    return this.floats('scalar', [], [value]);
  }

  ints(values: readonly number[]): string {
    const name = this.#name('ints');
    this.#initializers.push(tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)));
    return name;
  }

  /** A float32 graph input of exactly this name. */
  input(name: string, shape: ValueInfo['shape']): string {
    this.#inputs.push(valueInfo(name, 'float32', shape));
    return name;
  }

  /** Entries `from`…`to` − 1 along `axis`. */
  slice(value: string, axis: number, from: number, to: number): string {
    return this.add('Slice', [value, this.ints([from]), this.ints([to]), this.ints([axis])]);
  }

  /** Sum of all entries, a scalar. */
  sum(value: string): string {
    return this.add('ReduceSum', [value], { keepdims: 0 });
  }

  /** Largest entry along one axis, which stays with size 1. */
  max(value: string, axis: number): string {
    return this.opset >= 18
      ? this.add('ReduceMax', [value, this.ints([axis])], { keepdims: 1 })
      : this.add('ReduceMax', [value], { axes: [axis], keepdims: 1 });
  }

  /** a + b + … */
  total(values: readonly string[]): string {
    return values.reduce((a, b) => this.add('Add', [a, b]));
  }

  /** The model with everything added; `outputs` in place of its own. */
  done(outputs: readonly ValueInfo[] = this.#model.graph.outputs): Model {
    const { graph } = this.#model;
    return withGraph(this.#model, {
      inputs: [...graph.inputs, ...this.#inputs],
      nodes: [...graph.nodes, ...this.#nodes],
      initializers: new Map([...graph.initializers, ...this.#initializers.map((t) => [t.name, t] as const)]),
      outputs,
    });
  }

  /** Gives a value a name of the caller's choice. */
  as(value: string, name: string): string {
    this.#nodes.push(node('Identity', [value], [name]));
    this.#taken.add(name);
    return name;
  }
}
