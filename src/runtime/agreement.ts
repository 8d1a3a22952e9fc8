/**
 * How far engines agree on a quantized network, layer by layer. Every layer gets the very integers that the reference
 * gave its inputs, so that a difference belongs to that layer alone: over a whole network a single flip near a rounding
 * boundary grows until most values differ, which says nothing about either engine.
 */
import { StudioError } from '../numerics';
import { type Graph, type Model, serializeModel } from '../onnx';
import { addTaps } from './taps';
import type { Engine, RunTensor, SessionOptions, Tensors } from './types';

export interface AgreementSubject {
  /** "Node, level disabled" */
  readonly label: string;
  readonly engine: Engine;
  readonly optimization: NonNullable<SessionOptions['optimization']>;
}

export interface LayerAgreement {
  /** The float value that is quantized. */
  readonly value: string;
  readonly elements: number;
  /** Integers that differ from the reference's, and by how many steps at most. */
  readonly differing: number;
  readonly maxSteps: number;
}

export interface EngineAgreement {
  readonly subject: string;
  readonly version: string;
  /** In graph order; empty when the engine could not run the network. */
  readonly layers: readonly LayerAgreement[];
  /** Whole network, end to end: 10·log₁₀(signal / difference) of each float output, at most 120 dB. */
  readonly outputsDb: Readonly<Record<string, number>>;
  /** Why there are no figures, '' where there are. */
  readonly failed: string;
}

export interface AgreementReport {
  readonly reference: string;
  readonly referenceVersion: string;
  readonly images: number;
  readonly engines: readonly EngineAgreement[];
}

interface Quantizer {
  readonly value: string;
  readonly codes: string;
}

/** QuantizeLinear nodes of activations, in graph order. */
function quantizers(graph: Graph): readonly Quantizer[] {
  return graph.nodes.flatMap((node) =>
    node.op === 'QuantizeLinear' && !graph.initializers.has(node.inputs[0]!) ? [{ value: node.inputs[0]!, codes: node.outputs[0]! }] : [],
  );
}

/** Every quantizer's integers become an output, and what reads them reads an input of the same kind instead. */
function splitLayers(model: Model, found: readonly Quantizer[], given: Readonly<Record<string, RunTensor>>): Model {
  const { graph } = model;
  const inputOf = new Map(found.map(({ codes }) => [codes, `${codes}_given`]));
  const nodes = graph.nodes.map((node) =>
    node.op === 'QuantizeLinear' ? node : { ...node, inputs: node.inputs.map((name) => inputOf.get(name) ?? name) },
  );
  const inputs = [
    ...graph.inputs,
    ...found.map(({ codes }) => ({ name: inputOf.get(codes)!, dtype: given[codes]!.dtype, shape: given[codes]!.dims })),
  ];
  const outputs = found.map(({ codes }) => ({ name: codes, dtype: given[codes]!.dtype, shape: given[codes]!.dims }));
  return { ...model, graph: { ...graph, nodes, inputs, outputs } };
}

function compare(a: RunTensor, b: RunTensor): { differing: number; maxSteps: number } {
  let differing = 0;
  let maxSteps = 0;
  for (let i = 0; i < a.data.length; i++) {
    const steps = Math.abs(Number(a.data[i]!) - Number(b.data[i]!));
    if (steps === 0) continue;
    differing++;
    if (steps > maxSteps) maxSteps = steps;
  }
  return { differing, maxSteps };
}

const CEILING_DB = 120;

function decibels(signal: number, noise: number): number {
  if (noise === 0) return CEILING_DB;
  return Math.max(-CEILING_DB, Math.min(CEILING_DB, 10 * Math.log10(signal / noise)));
}

/**
 * Runs a QDQ network on several engines and compares each with the first.
 * @param feeds inputs of a few images
 * @throws StudioError 'bad-data' without images or subjects; an engine that can't run the network is reported, not thrown
 */
export async function engineAgreement(
  model: Model,
  feeds: readonly Tensors[],
  subjects: readonly AgreementSubject[],
  cancel: { throwIfAborted(): void } = { throwIfAborted() {} },
): Promise<AgreementReport> {
  const [reference, ...others] = subjects;
  if (!reference || feeds.length === 0) throw new StudioError('bad-data', 'Engines are compared on at least one image.', 'Give images.');
  const found = quantizers(model.graph);
  const outputs = model.graph.outputs.map(({ name }) => name);
  const codes = found.map((q) => q.codes);
  const first = await reference.engine.create(serializeModel(addTaps(model, codes)), { optimization: reference.optimization });
  const said: Record<string, RunTensor>[] = [];
  try {
    for (const feed of feeds) {
      cancel.throwIfAborted();
      said.push(await first.run(feed, [...new Set([...outputs, ...codes])]));
    }
  } finally {
    await first.release();
  }
  const split = serializeModel(splitLayers(model, found, said[0]!));
  const whole = serializeModel(model);
  const engines: EngineAgreement[] = [];
  for (const { label, engine, optimization } of others) {
    cancel.throwIfAborted();
    const base = { subject: label, version: engine.version };
    try {
      const layers = await compareLayers(split, found, feeds, said, engine, optimization);
      const outputsDb = await compareOutputs(whole, outputs, feeds, said, engine, optimization);
      engines.push({ ...base, layers, outputsDb, failed: '' });
    } catch (error) {
      if (!(error instanceof StudioError) || error.code === 'cancelled') throw error;
      engines.push({ ...base, layers: [], outputsDb: {}, failed: error.message });
    }
  }
  return { reference: reference.label, referenceVersion: reference.engine.version, images: feeds.length, engines };
}

async function compareLayers(
  split: Uint8Array,
  found: readonly Quantizer[],
  feeds: readonly Tensors[],
  said: readonly Record<string, RunTensor>[],
  engine: Engine,
  optimization: AgreementSubject['optimization'],
): Promise<LayerAgreement[]> {
  const session = await engine.create(split, { optimization });
  const sums = found.map(({ value }) => ({ value, elements: 0, differing: 0, maxSteps: 0 }));
  try {
    for (let i = 0; i < feeds.length; i++) {
      const given = Object.fromEntries(found.map(({ codes }) => [`${codes}_given`, said[i]![codes]!]));
      const outputs = await session.run({ ...feeds[i]!, ...given });
      found.forEach(({ codes }, k) => {
        const { differing, maxSteps } = compare(said[i]![codes]!, outputs[codes]!);
        const sum = sums[k]!;
        sum.elements += outputs[codes]!.data.length;
        sum.differing += differing;
        sum.maxSteps = Math.max(sum.maxSteps, maxSteps);
      });
    }
  } finally {
    await session.release();
  }
  return sums;
}

async function compareOutputs(
  whole: Uint8Array,
  outputs: readonly string[],
  feeds: readonly Tensors[],
  said: readonly Record<string, RunTensor>[],
  engine: Engine,
  optimization: AgreementSubject['optimization'],
): Promise<Record<string, number>> {
  const session = await engine.create(whole, { optimization });
  const power = new Map(outputs.map((name) => [name, { signal: 0, noise: 0 }]));
  try {
    for (let i = 0; i < feeds.length; i++) {
      const own = await session.run(feeds[i]!, outputs);
      for (const name of outputs) {
        const a = said[i]![name]!.data;
        const b = own[name]!.data;
        const sum = power.get(name)!;
        for (let k = 0; k < a.length; k++) {
          const x = Number(a[k]!);
          sum.signal += x * x;
          sum.noise += (x - Number(b[k]!)) ** 2;
        }
      }
    }
  } finally {
    await session.release();
  }
  return Object.fromEntries([...power].map(([name, { signal, noise }]) => [name, decibels(signal, noise)]));
}
