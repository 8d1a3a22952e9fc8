/**
 * How far a network's outputs have moved, in one number. For detectors what counts is scores and the boxes under them:
 * Σ (Δ score)² + confidence · Σ (Δ box)², so that empty background, which fills most outputs, doesn't drown it.
 */
import type { DetectorSpec } from '../models';
import type { RunTensor } from '../runtime';

export type Outputs = Readonly<Record<string, RunTensor>>;

/** Error of other outputs against the reference, ≥ 0, comparable within one reference. */
export type OutputError = (other: Outputs) => number;

/** Positions × channels of a tensor, whichever axis holds the channels: value (p, c) is at start(p) + c · step. */
interface View {
  readonly data: Float32Array;
  readonly channels: number;
  readonly positions: number;
  readonly step: number;
  start(position: number): number;
}

/** null when no axis has `size` entries. */
function view(tensor: RunTensor, size: number): View | null {
  const axis = tensor.dims.findIndex((dim, i) => i > 0 && dim === size);
  if (axis < 0 || !(tensor.data instanceof Float32Array)) return null;
  const step = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const start = (position: number): number => Math.floor(position / step) * step * size + (position % step);
  return { data: tensor.data, channels: size, positions: tensor.data.length / size, step, start };
}

/** Mean squared difference of every output over its variance. */
function relative(reference: Outputs): OutputError {
  const scales = Object.entries(reference).map(([name, { data }]) => {
    const values = data as Float32Array;
    let sum = 0;
    let squares = 0;
    for (const value of values) {
      sum += value;
      squares += value * value;
    }
    const variance = squares / values.length - (sum / values.length) ** 2;
    return [name, variance > 0 ? variance : 1] as const;
  });
  return (other) => {
    let total = 0;
    for (const [name, scale] of scales) {
      const a = reference[name]!.data as Float32Array;
      const b = other[name]!.data as Float32Array;
      let sum = 0;
      for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
      total += sum / a.length / scale;
    }
    return total;
  };
}

/** Scores that can't exceed this in either network aren't compared: they are the empty background. */
const NEGLIGIBLE = 1e-3;

interface Layout {
  /** First class channel: 5 after an objectness, else 4. */
  readonly first: number;
  readonly squash: (x: number) => number;
  /** Box units that count as one: cells, or 32 pixels where the graph decodes. */
  readonly unit: number;
}

function viewError(own: View, data: Float32Array, { first, squash, unit }: Layout): number {
  let total = 0;
  for (let p = 0; p < own.positions; p++) {
    const start = own.start(p);
    const gates =
      first === 5 ? ([own.data, data].map((values) => squash(values[start + 4 * own.step]!)) as [number, number]) : ([1, 1] as const);
    if (gates[0] < NEGLIGIBLE && gates[1] < NEGLIGIBLE) continue;
    let confidence = 0;
    for (let c = first; c < own.channels; c++) {
      const at = start + c * own.step;
      const score = gates[0] * squash(own.data[at]!);
      if (score > confidence) confidence = score;
      total += (gates[1] * squash(data[at]!) - score) ** 2;
    }
    for (let c = 0; c < 4; c++) total += confidence * (unit * (data[start + c * own.step]! - own.data[start + c * own.step]!)) ** 2;
  }
  return total;
}

/** Tensors that hold boxes and scores side by side (YOLO families). */
function joined(spec: DetectorSpec, reference: Outputs): OutputError | null {
  if (spec.family !== 'yolox' && spec.family !== 'yolov5' && spec.family !== 'yolov8') return null;
  const layout: Layout = {
    first: spec.family === 'yolov8' ? 4 : 5,
    squash: spec.sigmoidApplied ? (x) => x : (x) => 1 / (1 + Math.exp(-x)),
    unit: spec.family === 'yolox' && spec.variant !== 'decoded' ? 1 : 1 / 32,
  };
  const views = Object.entries(reference).map(([name, tensor]) => [name, view(tensor, layout.first + spec.numClasses)] as const);
  if (views.some(([, own]) => own === null)) return null;
  return (other) => views.reduce((total, [name, own]) => total + viewError(own!, other[name]!.data as Float32Array, layout), 0);
}

/** Error against `reference`, by what the detector's outputs mean; relative squared error for other networks. */
export function outputError(spec: DetectorSpec | null, reference: Outputs): OutputError {
  return (spec && joined(spec, reference)) ?? relative(reference);
}
