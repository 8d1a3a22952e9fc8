/** Inspect: what a network is made of. May import the rooms below steps. */
import { defaultPreprocess, FAMILIES, inputDims } from '../../models';
import { type Analysis, analyze, type Dim, fixDimensions, type Model, producers } from '../../onnx';
import type { ModelArtifact } from '../types';

export { inspectMeta } from './meta';
export { compareWeights, type LayerWeights, type WeightModels, type WeightSide } from './weights';

export interface LayerReport {
  readonly name: string;
  readonly op: string;
  /** Shape of the first output; null where it can't be inferred. */
  readonly shape: readonly (number | null)[] | null;
  readonly parameters: number;
  readonly macs: number;
  /** Bytes of all outputs as float32. */
  readonly activationBytes: number;
  /** Name of the first output: the tensor whose statistics belong to the layer. */
  readonly output: string;
  /** Indices of the layers whose outputs it reads, each once. */
  readonly after: readonly number[];
}

export interface ValueReport {
  readonly name: string;
  readonly dtype: string | null;
  readonly shape: readonly Dim[] | null;
}

export interface InspectReport {
  readonly name: string;
  readonly hash: string;
  readonly parameters: number;
  readonly macs: number;
  readonly activationBytes: number;
  readonly inputs: readonly ValueReport[];
  readonly outputs: readonly ValueReport[];
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  /** "YOLOX (raw)", or "generic". */
  readonly family: string;
  readonly classNames: readonly string[];
  readonly layers: readonly LayerReport[];
  /** Operators by count, most frequent first. */
  readonly operators: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/** Parameters, MACs, shapes and family of an opened network. */
export function inspect(artifact: ModelArtifact): InspectReport {
  const { model, spec } = artifact;
  const { sized, note } = withSizes(model);
  const analysis = analyze(sized);
  const outputs = new Map(model.graph.nodes.map((node) => [node.name, node.outputs[0] ?? '']));
  const index = new Map(analysis.layers.map(({ name }, i) => [name, i]));
  const made = producers(model.graph);
  const after = new Map(
    model.graph.nodes.map((node) => {
      const before = node.inputs.flatMap((input) => index.get(made.get(input)?.name ?? '') ?? []);
      return [node.name, [...new Set(before)]];
    }),
  );
  const counts = new Map<string, number>();
  for (const { op } of model.graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  const value = ({ name, dtype, shape }: ValueReport): ValueReport => ({ name, dtype, shape });
  return {
    name: artifact.name,
    hash: artifact.hash,
    parameters: analysis.parameters,
    macs: analysis.macs,
    activationBytes: analysis.activationBytes,
    inputs: model.graph.inputs.map(value),
    outputs: model.graph.outputs.map(value),
    opset: model.opsets[''] ?? 0,
    irVersion: model.irVersion,
    producer: [model.producer, model.producerVersion].filter(Boolean).join(' '),
    family: spec ? `${FAMILIES[spec.family].label} (${spec.variant})` : 'generic',
    classNames: spec?.classNames ?? [],
    layers: analysis.layers.map(({ name, op, shape, parameters, macs, activationBytes }) => ({
      name,
      op,
      shape,
      parameters,
      macs,
      activationBytes,
      output: outputs.get(name) ?? '',
      after: after.get(name) ?? [],
    })),
    operators: Object.fromEntries([...counts].sort((a, b) => b[1] - a[1])),
    notes: note ? [...model.notes, note] : model.notes,
  };
}

/** Without a size nothing can be counted: an image input that leaves it open gets the one that images are resized to. */
function withSizes(model: Model): { sized: Model; note: string | null } {
  const input = model.graph.inputs[0];
  const p = input?.shape?.some((d) => typeof d !== 'number') ? defaultPreprocess(model) : null;
  if (!p) return { sized: model, note: null };
  const dims = inputDims(p);
  const note = `Input "${input!.name}" leaves its size open: shapes and MACs are for ${dims.join('×')}.`;
  return { sized: fixDimensions(model, { [input!.name]: dims }), note };
}

/** Parameters and MACs of a model, float or QDQ; at the size that images are resized to where the model leaves it open. */
export function analyzeModel(model: Model): Analysis {
  return analyze(withSizes(model).sized);
}

/** Bytes of the constants as stored: 4 a float32 weight, 1 an int8 one, scales and zero points included. */
export function weightBytes(model: Model): number {
  let bytes = 0;
  for (const { data } of model.graph.initializers.values()) if (ArrayBuffer.isView(data)) bytes += data.byteLength;
  return bytes;
}
