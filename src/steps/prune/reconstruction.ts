/**
 * Output reconstruction: what the layers that read a block lose of their output when it goes and the remaining channels are
 * fitted again by least squares. With G the inputs' covariance and w the weights that read the block S, that is
 * Σ w_S · ((G⁻¹)_SS)⁻¹ · w_Sᵀ (Optimal Brain Surgeon, Hassibi and Stork 1992, for a whole layer), over the layer's output energy
 * Σ w · G · wᵀ. Taps of a larger kernel count as inputs of their own with the same covariance.
 */
import { cholesky, solveCholesky } from '../../numerics';
import { node, serializeModel, type Tensor, tensor, toFloat32, withGraph } from '../../onnx';
import type { RunTensor } from '../../runtime';
import type { StepContext } from '../types';
import type { Pricing } from './plan';
import { find } from './space';
import type { Layer, Trace } from './trace';
import { constants } from './trace-model';

/** Ridge on the covariance, relative to its mean diagonal: few images say nothing sure about rare directions. */
const RIDGE = 1e-3;

interface Reader {
  readonly layer: Layer;
  /** Covariance of the inputs, C × C. */
  readonly covariance: Float64Array;
  /** Σ over outputs and taps of w · wᵀ, C × C: the cost needs no more of the weights. */
  readonly weights: Float64Array;
  /** Σ w · G · wᵀ. */
  readonly energy: number;
  readonly roots: readonly number[];
}

/** Σ over outputs and taps of the products of two inputs' weights. */
function weightProducts(weight: Tensor, { inAxis }: Layer, channels: number): Float64Array {
  const data = toFloat32(weight);
  const inner = weight.dims.slice(inAxis! + 1).reduce((a, b) => a * b, 1);
  const length = weight.dims[inAxis!]!;
  const outer = data.length / inner / length;
  const products = new Float64Array(channels * channels);
  for (let o = 0; o < outer; o++)
    for (let k = 0; k < inner; k++)
      for (let i = 0; i < length; i++) {
        const a = data[(o * length + i) * inner + k]!;
        for (let j = 0; j <= i; j++) products[i * channels + j]! += a * data[(o * length + j) * inner + k]!;
      }
  for (let i = 0; i < length; i++) for (let j = 0; j < i; j++) products[j * channels + i] = products[i * channels + j]!;
  return products;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** Covariances of values over their channels, from products that the graph computes. */
async function covariances(trace: Trace, values: ReadonlyMap<string, number>, inputs: readonly RunTensor[], ctx: StepContext) {
  const { graph } = trace.model;
  const rows = (axis: number, rank: number): number[] => [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const entries = [...values.keys()];
  const axes = tensor('reconstruction:axes', 'int64', [1], BigInt64Array.of(1n));
  // Axes became an input with opset 18.
  const [reducedInput, reducedAttributes]: [string[], Readonly<Record<string, number | readonly number[]>>] =
    (trace.model.opsets[''] ?? 1) >= 18 ? [[axes.name], { keepdims: 1 }] : [[], { axes: [1], keepdims: 1 }];
  const parts = entries.map((value, at) => {
    const axis = values.get(value)!;
    const { dims, labels } = trace.layouts.get(value)!;
    const name = (role: string) => `reconstruction:${at}:${role}`;
    const shape = tensor(name('shape'), 'int64', [2], BigInt64Array.of(BigInt(labels[axis]!.length), -1n));
    return {
      initializers: [shape],
      nodes: [
        node('Transpose', [value], [name('first')], { perm: rows(axis, dims.length) }),
        node('Reshape', [name('first'), shape.name], [name('rows')]),
        node('Transpose', [name('rows')], [name('columns')], { perm: [1, 0] }),
        node('MatMul', [name('rows'), name('columns')], [name('products')]),
        node('ReduceMean', [name('rows'), ...reducedInput], [name('mean')], reducedAttributes),
        node('Shape', [name('rows')], [name('size')]),
      ],
      outputs: [name('products'), name('mean'), name('size')] as const,
    };
  });
  const wanted = parts.flatMap(({ outputs }) => outputs);
  const model = withGraph(trace.model, {
    nodes: [...graph.nodes, ...parts.flatMap(({ nodes }) => nodes)],
    initializers: new Map([
      ...graph.initializers,
      ...[axes, ...parts.flatMap(({ initializers }) => initializers)].map((t) => [t.name, t] as const),
    ]),
    outputs: wanted.map((name) => ({ name, dtype: null, shape: null })),
    valueInfo: new Map(),
  });
  const found = new Map<string, Float64Array>();
  const session = await ctx.engine.create(serializeModel(model));
  try {
    for (const [done, image] of inputs.entries()) {
      ctx.cancel.throwIfAborted();
      ctx.progress({ step: 'prune', label: 'Judging channels', done, total: inputs.length });
      const results = await session.run({ [graph.inputs[0]!.name]: image });
      for (const [at, value] of entries.entries()) {
        const [products, means, size] = parts[at]!.outputs.map((name) => results[name]!.data);
        const mean = means as Float32Array;
        const columns = Number((size as BigInt64Array)[1]!);
        const own = found.get(value) ?? new Float64Array(mean.length ** 2);
        found.set(value, own);
        // Centred per image: what a bias could make up for anywhere costs nothing.
        for (let i = 0; i < mean.length; i++)
          for (let j = 0; j < mean.length; j++)
            own[i * mean.length + j]! += (products as Float32Array)[i * mean.length + j]! / columns - mean[i]! * mean[j]!;
      }
    }
  } finally {
    await session.release();
  }
  return found;
}

/** Cholesky factor of the covariance of some inputs, with the ridge; null where it isn't definite. */
function factor({ covariance, roots }: Reader, kept: readonly number[]): Float64Array | null {
  const n = roots.length;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += covariance[i * n + i]!;
  const ridge = Math.max((RIDGE * trace) / n, Number.MIN_VALUE);
  const k = kept.length;
  const system = new Float64Array(k * k);
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) system[a * k + b] = covariance[kept[a]! * n + kept[b]!]!;
    system[a * k + a]! += ridge;
  }
  return cholesky(system, k);
}

/** What a layer loses without the channels in `gone`, relative to its output. */
function lossWithout(reader: Reader, gone: (root: number) => boolean): number {
  const { covariance, weights, energy, roots } = reader;
  const n = roots.length;
  const out = roots.flatMap((root, i) => (gone(root) ? [i] : []));
  if (out.length === 0 || energy === 0) return 0;
  const kept = roots.flatMap((root, i) => (gone(root) ? [] : [i]));
  const l = factor(reader, kept);
  if (!l) return 1;
  // Schur complement: covariance of the lost channels that the kept ones don't explain.
  let total = 0;
  for (const i of out) {
    const explained = Float64Array.from(kept, (at) => covariance[at * n + i]!);
    solveCholesky(l, kept.length, explained);
    for (const j of out) {
      let rest = covariance[i * n + j]!;
      kept.forEach((at, c) => {
        rest -= explained[c]! * covariance[at * n + j]!;
      });
      total += rest * weights[i * n + j]!;
    }
  }
  return Math.max(total, 0) / energy;
}

/** The same for each input alone: Σ w² / (G⁻¹)_cc. */
function lossEach(reader: Reader): Float64Array {
  const { weights, energy, roots } = reader;
  const n = roots.length;
  const l = factor(reader, [...roots.keys()]);
  return Float64Array.from(roots, (_, i) => {
    if (!l || energy === 0) return 0;
    const unit = new Float64Array(n);
    unit[i] = 1;
    solveCholesky(l, n, unit);
    return weights[i * n + i]! / unit[i]! / energy;
  });
}

export interface Reconstruction {
  readonly pricing: Pricing;
  /** Class root → relative loss of its readers when it goes alone. */
  readonly scores: ReadonlyMap<number, number>;
}

/** @param inputs at least one image */
export async function reconstructionOn(trace: Trace, inputs: readonly RunTensor[], ctx: StepContext): Promise<Reconstruction> {
  const known = constants(trace.model);
  const reading = trace.layers.filter((layer) => {
    if (!layer.in || layer.inAxis === null) return false;
    const labels = trace.layouts.get(trace.model.graph.nodes[layer.node]!.inputs[layer.data]!)?.labels[layer.dataAxis];
    return labels?.length === layer.in.length;
  });
  const inputOf = (layer: Layer): string => trace.model.graph.nodes[layer.node]!.inputs[layer.data]!;
  const found = await covariances(trace, new Map(reading.map((layer) => [inputOf(layer), layer.dataAxis])), inputs, ctx);
  const readers = reading.map((layer): Reader => {
    const covariance = found.get(inputOf(layer))!;
    const weight = known.get(trace.model.graph.nodes[layer.node]!.inputs[layer.weight]!)!;
    const weights = weightProducts(weight, layer, layer.in!.length);
    return {
      layer,
      covariance,
      weights,
      energy: dot(covariance, weights),
      roots: Array.from(layer.in!, (atom) => find(trace.space, atom)),
    };
  });
  const scores = new Map<number, number>();
  for (const reader of readers)
    lossEach(reader).forEach((loss, i) => {
      const root = reader.roots[i]!;
      scores.set(root, (scores.get(root) ?? 0) + loss);
    });
  const before = new Map<Reader, { readonly size: number; readonly loss: number }>();
  const lossSoFar = (reader: Reader, gone: ReadonlySet<number>): number => {
    const known = before.get(reader);
    if (known?.size === gone.size) return known.loss;
    const loss = lossWithout(reader, (root) => gone.has(root));
    before.set(reader, { size: gone.size, loss });
    return loss;
  };
  const pricing: Pricing = async (gone, next) => {
    ctx.cancel.throwIfAborted();
    const lost = (root: number): boolean => gone.classes.has(root) || next.classes.has(root);
    if ([...next.classes].some((root) => !scores.has(root))) return Number.POSITIVE_INFINITY;
    let cost = 0;
    for (const reader of readers)
      if (reader.roots.some((root) => next.classes.has(root))) cost += lossWithout(reader, lost) - lossSoFar(reader, gone.classes);
    return cost;
  };
  return { pricing, scores };
}
