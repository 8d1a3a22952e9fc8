/** Writes a plan into the graph: QuantizeLinear/DequantizeLinear pairs, int8 weights, int32 biases. */
import { type QParams, quantize } from '../../numerics';
import { type Model, type Node, node, reads, type Tensor, tensor, toFloat32, upgradeOpset, type ValueInfo, withGraph } from '../../onnx';
import { type ConstantQuant, isWide, type QuantPlan } from './plan-types';

/** QuantizeLinear and DequantizeLinear take 16-bit integers from this opset on. */
const OPSET_OF_16_BITS = 21;

/** Hands out names that the graph doesn't use yet. */
function namer(model: Model): (wanted: string) => string {
  const { graph } = model;
  const taken = new Set<string>([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.valueInfo.keys(),
    ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
  ]);
  return (wanted) => {
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
    taken.add(name);
    return name;
  };
}

class Writer {
  readonly initializers: Map<string, Tensor>;
  readonly unique: (wanted: string) => string;
  /** DequantizeLinear outputs of constants already written, by content, so that equal readers share one. */
  readonly #written = new Map<string, string>();
  readonly #pairs = new Map<string, readonly [scale: string, zero: string]>();

  constructor(model: Model) {
    this.initializers = new Map(model.graph.initializers);
    this.unique = namer(model);
  }

  add(wanted: string, make: (name: string) => Tensor): string {
    const name = this.unique(wanted);
    this.initializers.set(name, make(name));
    return name;
  }

  /** Scale and zero point initializers: scalars per tensor, vectors per channel. */
  params(base: string, params: QParams): readonly [string, string] {
    const dims = params.axis === null ? [] : [params.scale.length];
    const scale = this.add(`${base}_scale`, (name) => tensor(name, 'float32', dims, Float32Array.from(params.scale)));
    const zero = this.add(`${base}_zero_point`, (name) => tensor(name, params.dtype, dims, integersOf(params)));
    return [scale, zero];
  }

  /** Values of one shared scale read the same two initializers. */
  sharedParams(root: string, params: QParams): readonly [string, string] {
    const known = this.#pairs.get(root);
    if (known) return known;
    const pair = this.params(root, params);
    this.#pairs.set(root, pair);
    return pair;
  }

  /** The dequantized form of a constant; returns the value to read and the node to place before its first reader. */
  constant(source: Tensor, { params }: ConstantQuant): { value: string; node: Node | null } {
    const key = `${source.name}|${params.dtype}|${params.axis}|${params.scale.join()}|${params.zeroPoint.join()}`;
    const known = this.#written.get(key);
    if (known !== undefined) return { value: known, node: null };
    const data = quantize({ dims: source.dims, data: toFloat32(source) }, params);
    const quantized = this.add(`${source.name}_quantized`, (name) => tensor(name, params.dtype, source.dims, data));
    const pair = this.params(source.name, params);
    const value = this.unique(`${source.name}_DequantizeLinear_Output`);
    const attributes: Record<string, number> = params.axis === null ? {} : { axis: params.axis };
    const written = {
      value,
      node: node('DequantizeLinear', [quantized, ...pair], [value], attributes, this.unique(`${source.name}_DequantizeLinear`)),
    };
    this.#written.set(key, value);
    return written;
  }
}

function integersOf(params: QParams): Tensor['data'] {
  switch (params.dtype) {
    case 'int8':
      return Int8Array.from(params.zeroPoint);
    case 'uint8':
      return Uint8Array.from(params.zeroPoint);
    case 'int16':
      return Int16Array.from(params.zeroPoint);
    case 'uint16':
      return Uint16Array.from(params.zeroPoint);
    case 'int32':
      return Int32Array.from(params.zeroPoint);
  }
}

/** Raised only where a 16-bit tensor is planned: older tools read the 8-bit form. */
function expressible(model: Model, plan: QuantPlan): Model {
  const wide = [...plan.activations.values(), ...plan.constants].some(({ params }) => isWide(params));
  return wide ? upgradeOpset(model, OPSET_OF_16_BITS) : model;
}

/**
 * The QDQ form of `model` (opset ≥ 13, float32; opset 21 where the plan has 16-bit tensors). Every planned value passes a QuantizeLinear/DequantizeLinear pair
 * before any node reads it; the values keep their names, so both networks can be compared tensor by tensor. Only a
 * graph output that is quantized is renamed before its pair, which then carries the output's name.
 */
export function buildQdq(float: Model, plan: QuantPlan): Model {
  const model = expressible(float, plan);
  const { graph } = model;
  const writer = new Writer(model);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const renamed = new Map<string, string>();
  const readAs = new Map<string, string>();
  for (const { value } of plan.activations.values()) {
    if (outputs.has(value)) renamed.set(value, writer.unique(`${value}_QuantizeLinear_Input`));
    else readAs.set(value, writer.unique(`${value}_DequantizeLinear_Output`));
  }
  const pair = (value: string): Node[] => {
    const planned = plan.activations.get(value);
    if (!planned) return [];
    const params = writer.sharedParams(planned.sharesWith ?? value, planned.params);
    const quantized = writer.unique(`${value}_QuantizeLinear_Output`);
    return [
      node('QuantizeLinear', [renamed.get(value) ?? value, ...params], [quantized], {}, writer.unique(`${value}_QuantizeLinear`)),
      node('DequantizeLinear', [quantized, ...params], [readAs.get(value) ?? value], {}, writer.unique(`${value}_DequantizeLinear`)),
    ];
  };
  const constants = new Map(plan.constants.map((c) => [`${c.node}|${c.input}`, c]));
  const nodes: Node[] = graph.inputs.flatMap(({ name }) => pair(name));
  for (const original of graph.nodes) {
    const inputs = original.inputs.map((name, i) => {
      const constant = constants.get(`${original.name}|${i}`);
      if (!constant) return readAs.get(name) ?? name;
      const written = writer.constant(graph.initializers.get(name)!, constant);
      if (written.node) nodes.push(written.node);
      return written.value;
    });
    nodes.push({ ...original, inputs, outputs: original.outputs.map((name) => renamed.get(name) ?? name) });
    for (const output of original.outputs) nodes.push(...pair(output));
  }
  // Constants that only their quantized form is read from are dropped; subgraphs may still read any.
  const read = new Set(nodes.flatMap(reads));
  for (const output of outputs) read.add(output);
  const initializers = new Map([...writer.initializers].filter(([name]) => read.has(name)));
  const valueInfo = new Map(graph.valueInfo);
  for (const [value, name] of renamed) {
    const info = graph.outputs.find((output) => output.name === value) as ValueInfo;
    valueInfo.set(name, { ...info, name });
  }
  return withGraph(model, { nodes, initializers, valueInfo });
}
