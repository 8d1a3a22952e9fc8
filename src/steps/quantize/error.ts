/** Layer error: how far each quantized value is from the float network's, with the error of all layers before it. */
import type { ImageSet } from '../../data';
import { defaultPreprocess } from '../../models';
import { StudioError } from '../../numerics';
import { type Graph, type Model, producers, serializeModel } from '../../onnx';
import { addTaps, type Engine, type Session, type Tensors } from '../../runtime';
import { fewFeeds } from '../feeds';
import type { CancelToken, ModelArtifact, QuantArtifact, StepContext } from '../types';
import { quantizeMeta } from './meta';

/** An exact value has infinite SQNR; this is what is reported, beyond any float32 comparison. */
const MAX_DB = 120;

/** 10 · log₁₀(signal / noise), at most 120 dB; a silent signal without noise counts as exact. */
export function sqnrDb(signal: number, noise: number): number {
  if (noise === 0) return MAX_DB;
  return signal === 0 ? -MAX_DB : Math.max(-MAX_DB, Math.min(MAX_DB, 10 * Math.log10(signal / noise)));
}

/** Float value → the value that readers see in the quantized network (behind its DequantizeLinear). */
export function quantizedValues(float: Graph, quant: Graph): ReadonlyMap<string, string> {
  const makers = producers(quant);
  const known = new Set([...float.inputs.map(({ name }) => name), ...float.nodes.flatMap((node) => node.outputs)]);
  const map = new Map<string, string>();
  for (const node of quant.nodes) {
    if (node.op !== 'DequantizeLinear') continue;
    const quantizer = makers.get(node.inputs[0]!);
    if (quantizer?.op !== 'QuantizeLinear') continue;
    const output = node.outputs[0]!;
    // A quantized graph output carries the float value's name itself.
    const value = known.has(output) ? output : quantizer.inputs[0]!;
    if (known.has(value)) map.set(value, output);
  }
  return map;
}

/** Node name → the quantized value that its result ends in: its own output, or that of the pattern it is part of. */
export function layerValues(float: Graph, quantized: ReadonlySet<string>): ReadonlyMap<string, string> {
  const endsIn = new Map<string, string | null>();
  const map = new Map<string, string>();
  for (let i = float.nodes.length - 1; i >= 0; i--) {
    const node = float.nodes[i]!;
    const targets = new Set(
      node.outputs.filter((name) => name !== '').map((name) => (quantized.has(name) ? name : (endsIn.get(name) ?? null))),
    );
    const target = targets.size === 1 ? [...targets][0]! : null;
    if (target !== null) map.set(node.name, target);
    for (const name of node.inputs) {
      if (name === '' || quantized.has(name)) continue;
      endsIn.set(name, endsIn.has(name) && endsIn.get(name) !== target ? null : target);
    }
  }
  return map;
}

export interface LayerErrorInput {
  readonly float: Model;
  readonly quant: Model;
  /** Inputs of a few images, as the network takes them. */
  readonly feeds: readonly Tensors[];
  readonly engine: Engine;
  readonly cancel: CancelToken;
  onImage?(done: number, total: number): void;
}

/**
 * Accumulated SQNR in dB of every layer over all images: node name → dB. Nodes inside a fused pattern get the
 * pattern's value; nodes of the float tail are not listed.
 */
export async function compareLayers({ float, quant, feeds, engine, cancel, onImage }: LayerErrorInput): Promise<Record<string, number>> {
  const values = quantizedValues(float.graph, quant.graph);
  const inputs = new Set(float.graph.inputs.map(({ name }) => name));
  const compared = [...values].filter(([value]) => !inputs.has(value));
  const power = new Map(compared.map(([value]) => [value, { signal: 0, noise: 0 }]));
  const sessions: Session[] = [];
  try {
    const open = async (model: Model, names: readonly string[]): Promise<Session> => {
      const session = await engine.create(serializeModel(addTaps(model, names)), { optimization: 'disabled' });
      sessions.push(session);
      return session;
    };
    const floatNames = compared.map(([value]) => value);
    const quantNames = compared.map(([, value]) => value);
    const exact = await open(float, floatNames);
    const rounded = await open(quant, quantNames);
    for (let image = 0; image < feeds.length; image++) {
      cancel.throwIfAborted();
      const a = await exact.run(feeds[image]!, floatNames);
      const b = await rounded.run(feeds[image]!, quantNames);
      for (const [value, read] of compared) addPower(power.get(value)!, a[value]!.data, b[read]!.data);
      onImage?.(image + 1, feeds.length);
    }
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
  const db = new Map([...power].map(([value, { signal, noise }]) => [value, sqnrDb(signal, noise)]));
  return Object.fromEntries(
    [...layerValues(float.graph, new Set(values.keys()))].flatMap(([node, value]) => (db.has(value) ? [[node, db.get(value)!]] : [])),
  );
}

function addPower(sum: { signal: number; noise: number }, exact: ArrayLike<number | bigint>, rounded: ArrayLike<number | bigint>): void {
  for (let i = 0; i < exact.length; i++) {
    const x = Number(exact[i]!);
    const error = x - Number(rounded[i]!);
    sum.signal += x * x;
    sum.noise += error * error;
  }
}

/** Images that {@link layerSqnr} takes unless told otherwise: the figure is an average over hundreds of thousands of values. */
const IMAGES = 4;

/**
 * {@link compareLayers} on a few images spread over a set, preprocessed as the network wants them; images that can't
 * be decoded are left out.
 * @returns node name → dB
 * @throws StudioError 'bad-data' when none of the images can be decoded, 'unsupported' when the input isn't an image
 */
export async function layerSqnr(
  float: ModelArtifact,
  quant: QuantArtifact,
  images: ImageSet,
  ctx: Pick<StepContext, 'engine' | 'cancel' | 'progress'>,
  count = IMAGES,
): Promise<Record<string, number>> {
  const p = float.spec?.preprocess ?? defaultPreprocess(float.model);
  const input = float.spec?.input ?? float.model.graph.inputs[0]?.name;
  if (!p || !input)
    throw new StudioError(
      'unsupported',
      `${float.name} does not take one image, so its layers can't be compared on images.`,
      'Open a network with one image input.',
    );
  const feeds = await fewFeeds(float, images, count, ctx);
  if (feeds.length === 0) throw new StudioError('bad-data', `No image of ${images.name} can be decoded.`, 'Choose other images.');
  const onImage = (done: number, total: number): void => ctx.progress({ step: quantizeMeta.id, label: 'Comparing layers', done, total });
  return compareLayers({ float: float.model, quant: quant.model, feeds, engine: ctx.engine, cancel: ctx.cancel, onImage });
}
