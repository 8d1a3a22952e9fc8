/** What pruning saves: multiply-accumulates, parameters, bytes of weights or bytes of activations. */
import type { DType } from '../../numerics';
import { analyze, inferShapes, type Model } from '../../onnx';
import { withSizes } from './groups';
import type { Labels } from './space';
import type { Trace } from './trace';
import { constants } from './trace-model';

export const OBJECTIVES = ['macs', 'parameters', 'weight-bytes', 'activation-bytes'] as const;
export type Objective = (typeof OBJECTIVES)[number];

/** A part of the objective that is a product of sizes: unit · Π size. */
export interface Term {
  readonly unit: number;
  readonly axes: readonly { readonly size: number; readonly labels: Labels | null }[];
  /** Index of the node that it goes with. */
  readonly node: number;
}

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

export const termSize = ({ unit, axes }: Term): number => unit * product(axes.map(({ size }) => size));

const WIDE = new Set<DType>(['float64', 'int64', 'uint64']);
const HALF = new Set<DType>(['float16', 'bfloat16', 'int16', 'uint16']);
const NARROW = new Set<DType>(['int8', 'uint8', 'bool']);

function bytesOf(dtype: DType | null): number {
  if (dtype === null) return 4;
  return WIDE.has(dtype) ? 8 : HALF.has(dtype) ? 2 : NARROW.has(dtype) ? 1 : 4;
}

function constantTerms(trace: Trace, bytes: boolean): Term[] {
  const known = constants(trace.model);
  const found = new Map<string, { node: number; axes: Map<number, Labels> }>();
  for (const edit of trace.edits) {
    if (edit.kind !== 'slice') continue;
    const name = trace.model.graph.nodes[edit.node]!.inputs[edit.input]!;
    const own = found.get(name) ?? { node: edit.node, axes: new Map<number, Labels>() };
    own.axes.set(edit.axis, edit.labels);
    found.set(name, own);
  }
  return [...found].map(([name, { node, axes }]): Term => {
    const { dims, dtype } = known.get(name)!;
    return { unit: bytes ? bytesOf(dtype) : 1, axes: dims.map((size, axis) => ({ size, labels: axes.get(axis) ?? null })), node };
  });
}

function activationTerms(trace: Trace): Term[] {
  const shapes = inferShapes(withSizes(trace.model));
  return trace.model.graph.nodes.flatMap((node, at) =>
    node.outputs.flatMap((name): Term[] => {
      const labels = trace.layouts.get(name)?.labels;
      const info = shapes.get(name);
      if (!labels?.some((own) => own !== null) || !info?.shape) return [];
      const axes = info.shape.map((dim, axis) => ({ size: typeof dim === 'number' ? dim : 1, labels: labels[axis] ?? null }));
      return [{ unit: bytesOf(info.dtype), axes, node: at }];
    }),
  );
}

/** The parts of an objective that depend on channels. */
export function objectiveTerms(trace: Trace, objective: Objective): Term[] {
  if (objective === 'macs')
    return trace.layers.map(({ unit, outSize, out, inSize, in: inner, node }): Term => {
      return {
        unit,
        axes: [
          { size: outSize, labels: out },
          { size: inSize, labels: inner },
        ],
        node,
      };
    });
  return objective === 'activation-bytes' ? activationTerms(trace) : constantTerms(trace, objective === 'weight-bytes');
}

/** Bytes of a model's float constants. */
function weightBytes(model: Model): number {
  let total = 0;
  for (const { dtype, data } of constants(model).values())
    if (dtype.startsWith('float') || dtype === 'bfloat16') total += (data as Float32Array).byteLength;
  return total;
}

/** The whole of an objective, as everybody sees it. */
export function objectiveOf(model: Model, objective: Objective): number {
  if (objective === 'weight-bytes') return weightBytes(model);
  const { macs, parameters, activationBytes } = analyze(withSizes(model));
  return objective === 'macs' ? macs : objective === 'parameters' ? parameters : activationBytes;
}
