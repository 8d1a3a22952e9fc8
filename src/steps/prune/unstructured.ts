/** Magnitude pruning of single weights, for comparison: the graph keeps its shape and its time; only its bytes compress. */
import { gzipSync } from 'fflate';
import { type Model, serializeModel, type Tensor, withGraph } from '../../onnx';
import type { Trace } from './trace';

export interface SparsityReport {
  /** Weights considered: those of convolutions and dense layers, without biases. */
  readonly weights: number;
  readonly zerosBefore: number;
  readonly zerosAfter: number;
  /** Bytes of the ONNX file, and after gzip. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly compressedBefore: number;
  readonly compressedAfter: number;
}

/** Names of float32 weights of layers. */
function layerWeights(trace: Trace): Tensor[] {
  const names = new Set(trace.layers.map((layer) => trace.model.graph.nodes[layer.node]!.inputs[layer.weight]!));
  return [...names].flatMap((name) => {
    const tensor = trace.model.graph.initializers.get(name);
    return tensor?.data instanceof Float32Array ? [tensor] : [];
  });
}

function zeros(tensors: Iterable<Tensor>): number {
  let total = 0;
  for (const { data } of tensors) for (const value of data as Float32Array) if (value === 0) total++;
  return total;
}

/** Each value over the root mean square of its tensor: layers whose weights are small as a whole aren't emptied. */
function relativeMagnitudes(tensor: Tensor): Float32Array {
  const data = tensor.data as Float32Array;
  let sum = 0;
  for (const value of data) sum += value * value;
  const scale = Math.sqrt(sum / data.length) || 1;
  return data.map((value) => Math.abs(value) / scale);
}

/**
 * Zeroes the fraction `sparsity` (0–1) of the layers' weights with the smallest magnitude relative to their layer.
 */
export function pruneWeights(trace: Trace, sparsity: number): { readonly model: Model; readonly report: SparsityReport } {
  const { model } = trace;
  const weights = layerWeights(trace);
  const magnitudes = weights.map(relativeMagnitudes);
  const all = new Float32Array(magnitudes.reduce((total, each) => total + each.length, 0));
  let offset = 0;
  for (const each of magnitudes) {
    all.set(each, offset);
    offset += each.length;
  }
  all.sort();
  const goal = Math.round(sparsity * all.length);
  const threshold = goal > 0 ? all[goal - 1]! : -1;
  // Values equal to the threshold go until the number is reached.
  let ties = goal - all.indexOf(threshold);
  const initializers = new Map(model.graph.initializers);
  weights.forEach((tensor, i) => {
    const data = (tensor.data as Float32Array).map((value, at) => {
      const own = magnitudes[i]![at]!;
      return own < threshold || (own === threshold && ties-- > 0) ? 0 : value;
    });
    initializers.set(tensor.name, { ...tensor, data });
  });
  const pruned = withGraph(model, { initializers });
  const [before, after] = [serializeModel(model), serializeModel(pruned)];
  return {
    model: pruned,
    report: {
      weights: all.length,
      zerosBefore: zeros(weights),
      zerosAfter: zeros(weights.map(({ name }) => initializers.get(name)!)),
      bytesBefore: before.length,
      bytesAfter: after.length,
      compressedBefore: gzipSync(before, { mtime: 0 }).length,
      compressedAfter: gzipSync(after, { mtime: 0 }).length,
    },
  };
}
