/** Appends nodes and constants to a graph that grows: names, the operators' opset forms, shapes given by the caller. */
import { type Attribute, type AttributeValue, type Graph, type Node, node, type Tensor, tensor } from '../onnx';

export type Dims = readonly number[];

export const product = (dims: Dims): number => dims.reduce((a, b) => a * b, 1);

/**
 * The backend whose fastest forms are emitted; any backend runs any form. Sums over an image: in WASM GlobalAveragePool takes a
 * quarter of ReduceSum's time (0.17 against 0.65 ns a value), in onnxruntime-node twice as long (0.21 against 0.11).
 */
export type Target = 'node' | 'wasm' | 'webgpu';

export class Emitter {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  /** Prefix of the names of what is emitted next: the layer whose gradient it is. */
  scope = '';
  readonly #taken: Set<string>;
  readonly #count = new Map<string, number>();
  readonly #known = new Map<string, string>();

  constructor(
    graph: Graph,
    readonly opset: number,
    readonly target: Target = 'node',
  ) {
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.outputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
    ]);
  }

  /** A name that nothing in the graph has. */
  fresh(base: string): string {
    let name = base;
    for (let i = this.#count.get(base) ?? 2; this.#taken.has(name); i++) {
      name = `${base}_${i}`;
      this.#count.set(base, i + 1);
    }
    this.#taken.add(name);
    return name;
  }

  emitMany(op: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, AttributeValue>> = {}): string[] {
    const name = this.fresh(`${this.scope}/${op}`);
    const names = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => this.fresh(`${name}:${i}`));
    this.nodes.push(node(op, inputs, names, attributes, name));
    return names;
  }

  emit(op: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.emitMany(op, inputs, 1, attributes)[0]!;
  }

  #constant(key: string, base: string, make: (name: string) => Tensor): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.fresh(base);
    this.constants.set(name, make(name));
    this.#known.set(key, name);
    return name;
  }

  /** A float32 constant. */
  floats(dims: Dims, values: ArrayLike<number>): string {
    const data = Float32Array.from(values);
    const key = data.length <= 64 ? `f[${dims.join()}]${data.join()}` : this.fresh('constant');
    return this.#constant(key, 'autodiff/floats', (name) => tensor(name, 'float32', dims, data));
  }

  scalar(value: number): string {
    return this.#constant(`s${Object.is(value, -0) ? '-0' : value}`, `autodiff/scalar_${value}`, (name) =>
      tensor(name, 'float32', [], Float32Array.of(value)),
    );
  }

  /** An 8-bit scalar. */
  integer(dtype: 'uint8' | 'int8', value: number): string {
    const data = dtype === 'uint8' ? Uint8Array.of(value) : Int8Array.of(value);
    return this.#constant(`${dtype}${value}`, `autodiff/${dtype}_${value}`, (name) => tensor(name, dtype, [], data));
  }

  /** An int64 vector. */
  ints(values: Dims): string {
    return this.#constant(`i${values.join()}`, `autodiff/ints_${values.join('_')}`, (name) =>
      tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)),
    );
  }

  add = (a: string, b: string): string => this.emit('Add', [a, b]);
  sub = (a: string, b: string): string => this.emit('Sub', [a, b]);
  mul = (a: string, b: string): string => this.emit('Mul', [a, b]);
  div = (a: string, b: string): string => this.emit('Div', [a, b]);
  neg = (a: string): string => this.emit('Neg', [a]);

  /** `x` times a number. */
  times(x: string, factor: number): string {
    return factor === 1 ? x : factor === -1 ? this.neg(x) : this.mul(x, this.scalar(factor));
  }

  reshape(x: string, dims: Dims): string {
    return this.emit('Reshape', [x, this.ints(dims)]);
  }

  transpose(x: string, perm: Dims): string {
    return perm.every((p, i) => p === i) ? x : this.emit('Transpose', [x], { perm });
  }

  expand(x: string, dims: Dims): string {
    return this.emit('Expand', [x, this.ints(dims)]);
  }

  reduceSum(x: string, axes: Dims, keep: boolean): string {
    return this.emit('ReduceSum', [x, this.ints(axes)], { keepdims: keep ? 1 : 0 });
  }

  /** [n, c, …] → [n, c, 1, …]: sums over the places, of which there is at least one axis, divided by {@link placesShare}. */
  sumPlaces(x: string, dims: Dims): string {
    if (this.target === 'wasm') return this.emit('GlobalAveragePool', [x]);
    return this.reduceSum(
      x,
      dims.slice(2).map((_, i) => i + 2),
      true,
    );
  }

  /** What {@link sumPlaces} has to be multiplied by. */
  placesShare(dims: Dims): number {
    return this.target === 'wasm' ? product(dims.slice(2)) : 1;
  }

  /** Sum of all values, a scalar. */
  sumAll(x: string, dims: Dims): string {
    if (this.target !== 'wasm' || dims.length < 3) return this.emit('ReduceSum', [x], { keepdims: 0 });
    return this.times(this.emit('ReduceSum', [this.sumPlaces(x, dims)], { keepdims: 0 }), this.placesShare(dims));
  }

  /** ReduceMean or ReduceMax, whose axes became an input with opset 18. */
  reduce(op: 'ReduceMean' | 'ReduceMax', x: string, axes: Dims, keep: boolean): string {
    const keepdims = keep ? 1 : 0;
    return this.opset >= 18 ? this.emit(op, [x, this.ints(axes)], { keepdims }) : this.emit(op, [x], { axes, keepdims });
  }

  slice(x: string, axes: Dims, starts: Dims, ends: Dims, steps: Dims = axes.map(() => 1)): string {
    const extra = steps.every((s) => s === 1) ? [] : [this.ints(steps)];
    return this.emit('Slice', [x, this.ints(starts), this.ints(ends), this.ints(axes), ...extra]);
  }

  /** Constant padding, begins of every axis, then ends. */
  pad(x: string, pads: Dims, value = 0): string {
    return pads.every((p) => p === 0) ? x : this.emit('Pad', [x, this.ints(pads), this.scalar(value)]);
  }

  split(x: string, axis: number, sizes: Dims): string[] {
    return sizes.length === 1 ? [x] : this.emitMany('Split', [x, this.ints(sizes)], sizes.length, { axis });
  }

  concat(parts: readonly string[], axis: number): string {
    return parts.length === 1 ? parts[0]! : this.emit('Concat', parts, { axis });
  }

  /** 1 where the condition holds, else 0. */
  indicator(op: 'Equal' | 'Less' | 'LessOrEqual' | 'Greater' | 'GreaterOrEqual', a: string, b: string): string {
    return this.emit('Cast', [this.emit(op, [a, b])], { to: FLOAT });
  }

  zeros(dims: Dims): string {
    return this.expand(this.scalar(0), dims);
  }

  /** The gradient of a value of shape `to` that was broadcast: `g`, of shape `from`, summed over the repeated axes. */
  reduceTo(g: string, from: Dims, to: Dims): string {
    if (from.join() === to.join()) return g;
    const lead = from.length - to.length;
    const axes = from.flatMap((size, i) => (i < lead || (to[i - lead] === 1 && size !== 1) ? [i] : []));
    const summed = axes.length === 0 ? g : this.reduceSum(g, axes, true);
    return lead === 0 ? summed : this.reshape(summed, to);
  }
}

/** TensorProto.DataType of float32. */
export const FLOAT: Attribute = { type: 'int', value: 1 };
