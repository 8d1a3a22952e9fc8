/**
 * Statistics computed inside the network's own graph: extremes by ReduceMax, a fixed sample by Gather, all joined in
 * ONE output. Copying the activations out would double the inference's time (ort-web.md §4); so would exact moments
 * and extremes of everything (measured: 2.9 times), so moments come from the sample and extremes are derived where
 * they follow from others'.
 */

import { elementsOf, type Planes, planesOf } from '../../kernels';
import { type Model, type Node, node, serializeModel, type Tensor, tensor, valueInfo, withGraph } from '../../onnx';
import { type Derivation, derivations } from './derive';
import type { MeasuredTensor } from './tensors';

/** Where one tensor's numbers lie in the joined output (element offsets; null = not there, derived). */
export interface Slot {
  readonly tensor: MeasuredTensor;
  readonly derivation: Derivation;
  readonly planes: Planes;
  /** Sampled values; null for a SiLU's gate. */
  readonly sample: number | null;
  /** Their number; all of them, in order, when it is the tensor's size. */
  readonly samples: number;
  readonly complete: boolean;
  /** Per channel. */
  readonly max: number | null;
  readonly negatedMin: number | null;
}

export interface StatsGraph {
  readonly bytes: Uint8Array;
  readonly output: string;
  readonly length: number;
  readonly slots: readonly Slot[];
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Neighbours sampled together: the most that divide `elements`. One copy of 8 costs ONNX Runtime as much as one of 1. */
export function runLength(elements: number): number {
  return [8, 4, 2].find((run) => elements % run === 0) ?? 1;
}

/**
 * `samples` different positions, ascending, spread evenly over the whole tensor and over all rows, columns and channels:
 * multiples of a step near the golden section of the size that shares no factor with it (Weyl sequence).
 */
export function samplePositions(elements: number, samples: number): Int32Array {
  let step = Math.max(1, Math.round(elements * ((Math.sqrt(5) - 1) / 2)));
  while (gcd(step, elements) !== 1) step--;
  return Int32Array.from({ length: Math.min(samples, elements) }, (_, i) => (i * step) % elements).sort();
}

/**
 * The network with a single output: its statistics.
 * @param samples values sampled per tensor and image; smaller tensors are taken whole
 */
export function buildStatsGraph(model: Model, tensors: readonly MeasuredTensor[], samples: number): StatsGraph {
  const { graph } = model;
  const opset = model.opsets[''] ?? 13;
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const parts: string[] = [];
  const slots: Slot[] = [];
  let length = 0;
  const prefix = freePrefix(model);
  const constant = (key: string, make: () => Tensor['data'], dtype: Tensor['dtype']): string => {
    const name = `${prefix}${key}`;
    if (!constants.has(name)) {
      const data = make();
      constants.set(name, tensor(name, dtype, [data.length], data));
    }
    return name;
  };
  const flatShape = constant('flat', () => new BigInt64Array([-1n]), 'int64');
  const emit = (op: string, inputs: readonly string[], attributes: Parameters<typeof node>[3] = {}): string => {
    const name = `${prefix}${nodes.length}`;
    nodes.push(node(op, inputs, [name], attributes));
    return name;
  };
  const join = (value: string, count: number): number => {
    parts.push(value);
    length += count;
    return length - count;
  };
  const reduceMax = (value: string, axes: readonly number[]): string => {
    if (opset < 18) return emit('ReduceMax', [value], { axes, keepdims: 0 });
    const list = constant(`axes_${axes.join('_')}`, () => BigInt64Array.from(axes, BigInt), 'int64');
    return emit('ReduceMax', [value, list], { keepdims: 0 });
  };
  const derived = derivations(graph, tensors);

  tensors.forEach((t, i) => {
    const planes = planesOf(t.dims);
    const elements = elementsOf(planes);
    const derivation = derived[i]!;
    if (derivation.kind === 'gate') {
      const { samples: count, complete } = slots[derivation.input]!;
      slots.push({ tensor: t, derivation, planes, sample: null, samples: count, complete, max: null, negatedMin: null });
      return;
    }
    const value = t.dtype === 'float32' ? t.name : emit('Cast', [t.name], { to: 1 });
    const flat = () => emit('Reshape', [value, flatShape]);
    if (elements <= samples || elements <= 2 * planes.channels) {
      slots.push({
        tensor: t,
        derivation,
        planes,
        sample: join(flat(), elements),
        samples: elements,
        complete: true,
        max: null,
        negatedMin: null,
      });
      return;
    }
    const run = runLength(elements);
    const positions = samplePositions(elements / run, Math.ceil(samples / run));
    const indices = constant(`positions_${elements}`, () => positions, 'int32');
    const runs = constant(`runs_${run}`, () => new BigInt64Array([-1n, BigInt(run)]), 'int64');
    const gathered = emit('Gather', [emit('Reshape', [value, runs]), indices], { axis: 0 });
    const count = positions.length * run;
    const sample = join(emit('Reshape', [gathered, flatShape]), count);
    // Per channel, or over everything where there is one.
    const column = (x: string): number => {
      const all = planes.channels === 1;
      const reduced = reduceMax(x, all ? [0] : t.dims.map((_, axis) => axis).filter((axis) => axis !== 1));
      return join(all ? emit('Reshape', [reduced, flatShape]) : reduced, planes.channels);
    };
    const source = planes.channels === 1 ? flat() : value;
    const isMeasured = derivation.kind === 'measured';
    const max = isMeasured ? column(source) : null;
    // ONNX Runtime's ReduceMin is slower than its ReduceMax on WASM; −max(−x) is the same number.
    const negatedMin = isMeasured ? column(emit('Neg', [source])) : null;
    slots.push({ tensor: t, derivation, planes, sample, samples: count, complete: false, max, negatedMin });
  });
  const output = `${prefix}statistics`;
  nodes.push(node('Concat', parts, [output], { axis: 0 }));
  const measured = withGraph(model, {
    nodes: [...graph.nodes, ...nodes],
    outputs: [valueInfo(output, 'float32', [length])],
    initializers: new Map([...graph.initializers, ...constants]),
  });
  return { bytes: serializeModel(measured), output, length, slots };
}

/** A prefix that no value of the model has. */
function freePrefix({ graph }: Model): string {
  const names = [...graph.initializers.keys(), ...graph.inputs.map((i) => i.name), ...graph.nodes.flatMap((n) => [n.name, ...n.outputs])];
  let prefix = 'calibrate_';
  while (names.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}
