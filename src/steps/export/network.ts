/** The float network as the compiler's parser wants it: cut at the heads, plainly named, explicit, at an old operator set. */
import { type DetectorSpec, defaultPreprocess, inputDims, type Preprocess } from '../../models';
import { StudioError } from '../../numerics';
import {
  type Attribute,
  cutAt,
  fixDimensions,
  foldConstants,
  type Model,
  type Node,
  nameNodes,
  node,
  removeDead,
  upgradeOpset,
  type ValueInfo,
  withGraph,
} from '../../onnx';
import type { ModelArtifact } from '../types';
import { plainName } from './names';
import { BUNDLE_OPSET, lowerOpset } from './opset';

/** One detection level by the names of the nodes that end it in the exported model. */
export interface Head {
  readonly stride: number;
  readonly reg: string;
  readonly obj: string | null;
  readonly cls: string;
}

export interface BundleNetwork {
  readonly model: Model;
  readonly preprocess: Preprocess;
  readonly input: ValueInfo & { readonly shape: readonly number[] };
  /** Names of the nodes behind the model's outputs, in the outputs' order. */
  readonly endNodes: readonly string[];
  /** Coarsest level first, as the vendor's own configurations list them; empty where the host decodes by itself. */
  readonly heads: readonly Head[];
  /** Where the network ends: the head branches, the last convolutions, or where it ended before. */
  readonly cut: 'heads' | 'convolutions' | 'none';
  readonly notes: readonly string[];
}

const OLDEST_OPSET = 11;
const MAX_IR = 8;
/** The first IR version whose weights need not be listed as inputs is 4; 6 belongs to opset 11. */
const MIN_IR = 6;

/** The one input that a bundle can have. */
function onlyInput(model: Model): ValueInfo {
  const [input, ...others] = model.graph.inputs;
  if (!input || others.length > 0)
    throw new StudioError(
      'unsupported',
      `The network has ${model.graph.inputs.length} inputs; the bundle takes one image input.`,
      'Cut the network so that one input remains.',
    );
  return input;
}

/** How images become the input: as the family says, else the first guess that the other steps used too. */
function preprocessOf({ model, spec }: ModelArtifact): Preprocess {
  const input = onlyInput(model);
  const preprocess = spec?.preprocess ?? defaultPreprocess(model);
  if (preprocess) return preprocess;
  throw new StudioError(
    'unsupported',
    `The input "${input.name}" is no image, so no calibration set can be made for it.`,
    'Export the ONNX files alone.',
  );
}

/** Open sizes take those of the preprocessing; what computed with them becomes constant. */
function sized(model: Model, p: Preprocess): Model {
  const input = onlyInput(model);
  if (input.shape?.every((d) => typeof d === 'number')) return model;
  return removeDead(foldConstants(fixDimensions(model, { [input.name]: inputDims(p) })));
}

function fixedInput(model: Model): ValueInfo & { shape: readonly number[] } {
  const input = onlyInput(model);
  if (input.shape?.length !== 4 || !input.shape.every((d) => typeof d === 'number' && d > 0) || input.shape[0] !== 1)
    throw new StudioError(
      'unsupported',
      `The input "${input.name}" has the shape [${input.shape?.join(', ') ?? '?'}]; the compiler wants one image of a fixed size.`,
      'Export the model with batch 1.',
    );
  return { ...input, shape: input.shape as readonly number[] };
}

/** The graph's input under a plain name. */
function renameInput(model: Model): Model {
  const [input] = model.graph.inputs;
  const used = new Set([...model.graph.initializers.keys(), ...model.graph.nodes.flatMap((n) => n.outputs)]);
  let name = plainName(input!.name);
  if (name === input!.name) return model;
  while (used.has(name)) name += '_';
  const to = (value: string) => (value === input!.name ? name : value);
  const nodes = model.graph.nodes.map((n) => (n.inputs.includes(input!.name) ? { ...n, inputs: n.inputs.map(to) } : n));
  return withGraph(model, { nodes, inputs: [{ ...input!, name }] });
}

function withKernelShape(n: Node, model: Model): Node {
  if ((n.op !== 'Conv' && n.op !== 'ConvTranspose') || n.domain !== '' || n.attributes.kernel_shape) return n;
  const weight = model.graph.initializers.get(n.inputs[1] ?? '');
  if (!weight) return n;
  const kernel: Attribute = { type: 'ints', value: weight.dims.slice(2) };
  return { ...n, attributes: { ...n.attributes, kernel_shape: kernel } };
}

/** Scores that end at their Conv get the Sigmoid that the runtime expects (it applies none to YOLOX heads). */
function addSigmoids(model: Model, heads: readonly Head[]): { model: Model; heads: readonly Head[] } {
  const byName = new Map(model.graph.nodes.map((n) => [n.name, n]));
  const values = new Set(model.graph.nodes.flatMap((n) => n.outputs));
  const added: Node[] = [];
  const closed = (name: string): string => {
    const end = byName.get(name)!;
    if (end.op === 'Sigmoid') return name;
    let sigmoid = `${name}/Sigmoid`;
    while (byName.has(sigmoid) || values.has(sigmoid)) sigmoid += '_';
    added.push(node('Sigmoid', [end.outputs[0]!], [sigmoid], {}, sigmoid));
    return sigmoid;
  };
  const ended = heads.map((head) => ({ ...head, obj: head.obj && closed(head.obj), cls: closed(head.cls) }));
  return { model: added.length === 0 ? model : withGraph(model, { nodes: [...model.graph.nodes, ...added] }), heads: ended };
}

function headsOf(spec: DetectorSpec | null, rename: (name: string) => string): readonly Head[] {
  return (spec?.endNodes ?? [])
    .map(({ stride, reg, obj, cls }) => ({ stride, reg: rename(reg), obj: obj === null ? null : rename(obj), cls: rename(cls) }))
    .sort((a, b) => b.stride - a.stride);
}

function atBundleOpset(model: Model): Model {
  const opset = model.opsets[''] ?? 0;
  return opset < OLDEST_OPSET ? upgradeOpset(model, OLDEST_OPSET) : lowerOpset(model);
}

/**
 * @param endsAt 'runtime': where the device's runtime decodes, scores closed by their Sigmoid; 'layers': at the last layers,
 *   whose logits the host decodes
 * @throws StudioError 'unsupported' for several inputs, other inputs than images or batches, 'bad-model' when the end nodes don't exist
 */
export function bundleNetwork(artifact: ModelArtifact, endsAt: 'runtime' | 'layers' = 'runtime'): BundleNetwork {
  const { spec } = artifact;
  const preprocess = preprocessOf(artifact);
  const original = sized(artifact.model, preprocess);
  fixedInput(original);
  const named = nameNodes(original);
  const names = new Map(original.graph.nodes.map((n, i) => [n.name, named.graph.nodes[i]!.name]));
  const rename = (name: string): string => {
    const found = names.get(name);
    if (found === undefined) throw new StudioError('bad-model', `The network has no node "${name}" to end at.`, 'Open the model again.');
    return found;
  };
  const wanted = endsAt === 'runtime' ? headsOf(spec, rename) : [];
  const { model: closed, heads } = spec?.family === 'yolox' ? addSigmoids(named, wanted) : { model: named, heads: wanted };
  const byName = new Map(closed.graph.nodes.map((n) => [n.name, n]));
  const ends =
    heads.length > 0
      ? heads.flatMap(({ reg, obj, cls }) => (obj === null ? [reg, cls] : [reg, obj, cls]))
      : (spec?.protectedNodes ?? []).map(rename);
  const cut =
    ends.length > 0
      ? cutAt(
          closed,
          ends.map((name) => byName.get(name)!.outputs[0]!),
        )
      : closed;
  const old = atBundleOpset(renameInput(cut));
  const explicit = withGraph(old, { nodes: old.graph.nodes.map((n) => withKernelShape(n, old)) });
  const model = { ...explicit, irVersion: Math.min(MAX_IR, Math.max(MIN_IR, explicit.irVersion)) };
  const made = new Map(model.graph.nodes.flatMap((n) => n.outputs.map((value) => [value, n.name] as const)));
  const opset = model.opsets[''] ?? 0;
  const notes: string[] = [];
  if (heads.some((head, i) => head.obj !== wanted[i]!.obj))
    notes.push('The original ends at logits; the bundle’s network has Sigmoid nodes added behind objectness and classes.');
  if (opset > BUNDLE_OPSET)
    notes.push(`The network uses opset ${opset}, which can’t be written as ${BUNDLE_OPSET}; the parser is known to take 11 to 17.`);
  return {
    model,
    preprocess,
    input: fixedInput(model),
    endNodes: model.graph.outputs.map((output) => made.get(output.name)!),
    heads,
    cut: heads.length > 0 ? 'heads' : ends.length > 0 ? 'convolutions' : 'none',
    notes,
  };
}
