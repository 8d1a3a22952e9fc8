/** One image's statistics from the joined output of the statistics graph. */
import { elementsOf, rangeCpu } from '../../kernels';
import type { Model } from '../../onnx';
import type { Engine, Tensors } from '../../runtime';
import { sigmoid, siluRange } from './derive';
import { buildStatsGraph, type Slot } from './stats-graph';
import type { Contribution } from './streaming';
import type { MeasuredTensor } from './tensors';

/** Measures images one by one; whoever opens it closes it. */
export interface Measurer {
  /** One contribution per measured tensor, in their order; valid until the next call. */
  measure(feeds: Tensors): Promise<readonly Contribution[]>;
  close(): Promise<void>;
}

/** Extremes see every value (derived ones to float32 rounding, a SiLU's minimum see siluRange); the rest sees `samples` values per tensor. */
export async function openCpuMeasurer(
  engine: Engine,
  model: Model,
  tensors: readonly MeasuredTensor[],
  samples: number,
): Promise<Measurer> {
  const graph = buildStatsGraph(model, tensors, samples);
  const session = await engine.create(graph.bytes);
  return {
    measure: async (feeds) => {
      const outputs = await session.run(feeds);
      return contributions(graph.slots, outputs[graph.output]!.data as Float32Array);
    },
    close: () => session.release(),
  };
}

function contributions(slots: readonly Slot[], data: Float32Array): readonly Contribution[] {
  const done: Contribution[] = [];
  for (const slot of slots) {
    const sample = slot.sample === null ? gateValues(slot, done) : data.subarray(slot.sample, slot.sample + slot.samples);
    const { min, max } = slot.complete ? rangeCpu(sample, slot.planes) : extremes(slot, data, done);
    done.push({ min, max, elements: elementsOf(slot.planes), values: { sample } });
  }
  return done;
}

/** Exponentials are dear: of a large gate every {@link GATE_STRIDE}th sampled value is computed. */
const GATE_STRIDE = 8;

function gateValues({ derivation, complete }: Slot, done: readonly Contribution[]): Float32Array {
  const values = derivation.kind === 'gate' ? done[derivation.input]!.values : null;
  const x = values && 'sample' in values ? values.sample : new Float32Array();
  const stride = complete ? 1 : GATE_STRIDE;
  return Float32Array.from({ length: Math.ceil(x.length / stride) }, (_, i) => sigmoid(x[i * stride]!));
}

function extremes({ derivation, planes, max, negatedMin }: Slot, data: Float32Array, done: readonly Contribution[]) {
  const column = (offset: number) => data.subarray(offset, offset + planes.channels);
  switch (derivation.kind) {
    case 'measured':
      return { min: column(negatedMin!).map((v) => -v), max: column(max!) };
    case 'silu': {
      const x = done[derivation.input]!;
      const ranges = Array.from(x.min, (low, c) => siluRange(low, x.max[c]!));
      return { min: Float32Array.from(ranges, (r) => r.min), max: Float32Array.from(ranges, (r) => r.max) };
    }
    case 'relu':
    case 'gate': {
      const x = done[derivation.input]!;
      const f = derivation.kind === 'relu' ? (v: number) => Math.max(v, 0) : sigmoid;
      return { min: x.min.map(f), max: x.max.map(f) };
    }
    case 'concat': {
      const join = (key: 'min' | 'max') => {
        const joined = new Float32Array(planes.channels);
        let at = 0;
        for (const i of derivation.inputs) {
          joined.set(done[i]![key], at);
          at += done[i]![key].length;
        }
        return joined;
      };
      return { min: join('min'), max: join('max') };
    }
  }
  return derivation satisfies never;
}
