/** A network's weights before and after: what each layer's look like, and what pruning and quantizing left of them. */
import { dequantize, integerLimits, type QuantDType } from '../../numerics';
import { attrInt, type Graph, type Model, type Node, producers, type Tensor, toNumbers } from '../../onnx';
import { partName } from '../parts';

/** Weights of one layer, all of its parts. */
export interface WeightSide {
  readonly dims: readonly number[];
  /** Lowest and highest value of each output channel. */
  readonly channels: { readonly low: readonly number[]; readonly high: readonly number[] };
  /** Counts over {@link LayerWeights.range}, equal-width bins. */
  readonly histogram: readonly number[];
}

export interface LayerWeights {
  /** Of both histograms: from the lowest to the highest value of either side. */
  readonly range: readonly [number, number];
  readonly before: WeightSide;
  /** In the quantized network as its integers say, else in the compressed one; null without either, or where the layer is gone. */
  readonly after: WeightSide | null;
  /** 'int8' …; null where `after` is float. */
  readonly dtype: string | null;
  /** Scales that the layer's weights have. */
  readonly scales: number;
  /** Signal to noise of rounding them, dB; null where `after` is float. */
  readonly sqnr: number | null;
}

export interface WeightModels {
  readonly original: Model;
  readonly compressed: Model | null;
  readonly quantized: Model | null;
}

const BINS = 96;
const LAYERS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Values of a weight, and the channel of each. */
interface Values {
  readonly dims: readonly number[];
  readonly axis: number;
  readonly data: Float32Array;
  readonly dtype: string | null;
  readonly scales: number;
}

/** Axis of the output channels. */
function channelAxis(node: Node, rank: number): number {
  if (node.op === 'ConvTranspose') return 1;
  if (node.op === 'Gemm') return attrInt(node, 'transB', 0) === 1 ? 0 : 1;
  return node.op === 'MatMul' ? rank - 1 : 0;
}

function dequantized(q: Tensor, scale: Tensor, zero: Tensor | undefined, axis: number): Float32Array {
  const scales = [...toNumbers(scale)];
  const dtype = q.dtype as QuantDType;
  const [qmin, qmax] = integerLimits(dtype);
  const zeroPoint = zero ? [...toNumbers(zero)] : scales.map(() => 0);
  const params = { dtype, scale: scales, zeroPoint, axis: scales.length === 1 ? null : axis, qmin, qmax };
  return dequantize({ dims: q.dims, data: toNumbers(q) }, params);
}

/** The constant weights of every layer, by node. */
function weightsOf(graph: Graph): ReadonlyMap<string, Values> {
  const { nodes, initializers } = graph;
  const makers = producers(graph);
  const found = new Map<string, Values>();
  for (const node of nodes) {
    if (!LAYERS.has(node.op) || node.domain !== '') continue;
    const name = node.inputs[1] ?? '';
    const own = initializers.get(name);
    if (own?.dtype === 'float32') {
      const axis = channelAxis(node, own.dims.length);
      found.set(node.name, { dims: own.dims, axis, data: own.data as Float32Array, dtype: null, scales: 0 });
      continue;
    }
    const maker = makers.get(name);
    if (maker?.op !== 'DequantizeLinear') continue;
    const [q, scale, zero] = maker.inputs.map((input) => initializers.get(input));
    if (!q || !scale) continue;
    const data = dequantized(q, scale, zero, attrInt(maker, 'axis', 1));
    found.set(node.name, { dims: q.dims, axis: channelAxis(node, q.dims.length), data, dtype: q.dtype, scales: scale.data.length });
  }
  return found;
}

/** A layer's own weights, or those of the parts that a repair cut it into. */
function partsOf(weights: ReadonlyMap<string, Values>, node: string): readonly Values[] {
  const whole = weights.get(node);
  if (whole) return [whole];
  const parts: Values[] = [];
  for (let part = weights.get(partName(node, 1)); part; part = weights.get(partName(node, parts.length + 1))) parts.push(part);
  return parts;
}

function extremes(parts: readonly Values[]): WeightSide['channels'] {
  const low: number[] = [];
  const high: number[] = [];
  for (const { dims, axis, data } of parts) {
    const channels = dims[axis] ?? 1;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const first = low.length;
    for (let c = 0; c < channels; c++) {
      low.push(Number.POSITIVE_INFINITY);
      high.push(Number.NEGATIVE_INFINITY);
    }
    for (let i = 0; i < data.length; i++) {
      const c = first + (Math.floor(i / inner) % channels);
      if (data[i]! < low[c]!) low[c] = data[i]!;
      if (data[i]! > high[c]!) high[c] = data[i]!;
    }
  }
  return { low, high };
}

function side(parts: readonly Values[], channels: WeightSide['channels'], [lo, hi]: readonly [number, number]): WeightSide {
  const histogram = Array.from({ length: BINS }, () => 0);
  const width = (hi - lo) / BINS || 1;
  for (const { data } of parts) for (const v of data) histogram[Math.min(BINS - 1, Math.max(0, Math.floor((v - lo) / width)))]!++;
  const { dims, axis } = parts[0]!;
  return { dims: dims.map((d, i) => (i === axis ? channels.low.length : d)), channels, histogram };
}

/** Over parts with equal dims; null where they differ. */
function noise(exact: readonly Values[], rounded: readonly Values[]): number | null {
  let [signal, error] = [0, 0];
  if (exact.length !== rounded.length) return null;
  for (const [i, { data }] of exact.entries()) {
    const other = rounded[i]!.data;
    if (other.length !== data.length) return null;
    for (let j = 0; j < data.length; j++) {
      signal += data[j]! ** 2;
      error += (data[j]! - other[j]!) ** 2;
    }
  }
  return error > 0 ? 10 * Math.log10(signal / error) : null;
}

/** Every layer with constant weights of the original, by node name. */
export function compareWeights({ original, compressed, quantized }: WeightModels): ReadonlyMap<string, LayerWeights> {
  const start = weightsOf(original.graph);
  const float = compressed ? weightsOf(compressed.graph) : null;
  const rounded = quantized ? weightsOf(quantized.graph) : null;
  const layers = new Map<string, LayerWeights>();
  for (const [node, values] of start) {
    const exact = float ? partsOf(float, node) : [];
    const integers = rounded ? partsOf(rounded, node) : [];
    const end = integers.length > 0 ? integers : exact;
    const before = extremes([values]);
    const after = end.length > 0 ? extremes(end) : null;
    const range = [Math.min(...before.low, ...(after?.low ?? [])), Math.max(...before.high, ...(after?.high ?? []))] as const;
    const dtype = end[0]?.dtype ?? null;
    layers.set(node, {
      range,
      before: side([values], before, range),
      after: after && side(end, after, range),
      dtype,
      scales: end.reduce((sum, { scales }) => sum + scales, 0),
      sqnr: dtype === null ? null : noise(exact, integers),
    });
  }
  return layers;
}
