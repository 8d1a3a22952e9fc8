/** Small networks by code, and the two sides of the proof: the pruned graph, and the original with weights zeroed. */
import { createRandom } from '../../../src/numerics';
import {
  type AttributeValue,
  type Dim,
  type Model,
  makeModel,
  type Node,
  node,
  type Tensor,
  tensor,
  valueInfo,
  withGraph,
} from '../../../src/onnx';
import { channelGroups } from '../../../src/steps/prune';
import { keptIndices, type Labels } from '../../../src/steps/prune/space';
import type { Trace } from '../../../src/steps/prune/trace';
import { maxDifference, randomFeeds, runModel } from '../../onnx/ort';

/** Collects nodes and seeded weights; every method gives the name of its output. */
export class Net {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  readonly #random;

  constructor(seed = 1) {
    this.#random = createRandom(seed);
  }

  floats(name: string, dims: readonly number[], scale = 1, offset = 0): string {
    const count = dims.reduce((a, b) => a * b, 1);
    this.initializers.push(
      tensor(
        name,
        'float32',
        dims,
        Float32Array.from({ length: count }, () => offset + scale * this.#random.normal()),
      ),
    );
    return name;
  }

  values(name: string, values: readonly number[]): string {
    this.initializers.push(tensor(name, 'float32', [values.length], Float32Array.from(values)));
    return name;
  }

  ints(name: string, values: readonly number[]): string {
    this.initializers.push(tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)));
    return name;
  }

  op(type: string, output: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    this.nodes.push(node(type, inputs, [output], attributes));
    return output;
  }

  /** k×k convolution with bias, padded to keep the size. */
  conv(output: string, x: string, from: number, to: number, k = 1, attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    const group = typeof attributes.group === 'number' ? attributes.group : 1;
    const w = this.floats(`${output}_w`, [to, from / group, k, k], 1 / Math.sqrt((from / group) * k * k));
    const b = this.floats(`${output}_b`, [to], 0.5);
    const pad = (k - 1) / 2;
    return this.op('Conv', output, [x, w, b], { pads: [pad, pad, pad, pad], ...attributes });
  }

  /** Depthwise 3×3. */
  depthwise(output: string, x: string, channels: number, multiplier = 1): string {
    return this.conv(output, x, channels, channels * multiplier, 3, { group: channels });
  }

  silu(output: string, x: string): string {
    return this.op('Mul', output, [x, this.op('Sigmoid', `${output}_s`, [x])]);
  }

  model(outputs: readonly (readonly [string, readonly Dim[]])[], opset = 13, input: readonly number[] = [1, 3, 8, 8]): Model {
    return makeModel({
      inputs: [valueInfo('x', 'float32', input)],
      outputs: outputs.map(([name, shape]) => valueInfo(name, 'float32', shape)),
      nodes: this.nodes,
      initializers: this.initializers,
      opset,
    });
  }
}

/** Zeroes these indices of one axis. */
export function zeroed(t: Tensor, axis: number, gone: ReadonlySet<number>): Tensor {
  const inner = t.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const data = Float32Array.from(t.data as Float32Array, (value, i) => (gone.has(Math.floor(i / inner) % t.dims[axis]!) ? 0 : value));
  return { ...t, data };
}

/** The same model with some initializers replaced. */
export function withTensors(model: Model, replacements: Readonly<Record<string, Tensor>>): Model {
  return withGraph(model, { initializers: new Map([...model.graph.initializers, ...Object.entries(replacements)]) });
}

/** The original with the weights that read removed channels zeroed (per use, so that shared weights stay apart). */
export function masked(trace: Trace, removed: ReadonlySet<number>): Model {
  const { model } = trace;
  const nodes = [...model.graph.nodes];
  const extra = new Map(model.graph.initializers);
  for (const layer of trace.layers) {
    if (!layer.in || layer.inAxis === null) continue;
    const gone = goneIndices(trace, layer.in, removed);
    const own = nodes[layer.node]!;
    const weight = extra.get(own.inputs[layer.weight]!)!;
    const name = `${weight.name}_masked_${layer.node}`;
    extra.set(name, { ...zeroed(weight, layer.inAxis, gone), name });
    nodes[layer.node] = { ...own, inputs: own.inputs.with(layer.weight, name) };
  }
  return withGraph(model, { nodes, initializers: extra });
}

export function goneIndices(trace: Trace, labels: Labels, removed: ReadonlySet<number>): Set<number> {
  const kept = new Set(keptIndices(trace.space, labels, removed));
  return new Set(Array.from(labels.keys()).filter((i) => !kept.has(i)));
}

/** Largest difference between two models' outputs on seeded inputs (Infinity when their shapes differ). */
export async function difference(a: Model, b: Model, seed = 7): Promise<number> {
  const feeds = randomFeeds(a, undefined, seed);
  return maxDifference(await runModel(a, feeds), await runModel(b, feeds));
}

/** Sizes of an initializer by the node that reads it. */
export function weightDims(model: Model, nodeName: string, input = 1): readonly number[] {
  const reader = model.graph.nodes.find((each) => each.name === nodeName)!;
  return model.graph.initializers.get(reader.inputs[input]!)!.dims;
}

/** Groups that may be pruned, by the node that makes them: [channels, …]. */
export function prunable(model: Model, protectedNodes: readonly string[] = []): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const group of channelGroups(model, { protectedNodes }).groups)
    if (group.reason === null) found[group.source] = [...(found[group.source] ?? []), group.channels];
  return found;
}
