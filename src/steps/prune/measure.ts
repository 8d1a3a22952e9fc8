/**
 * What removing channels really does: the network runs on a few images with gates in front of the layers that read
 * prunable channels (gate 0 = as if removed), and its outputs are compared. One session serves every candidate.
 */
import type { ImageSet } from '../../data';
import { type DetectorSpec, defaultPreprocess, inputDims, preprocess } from '../../models';
import { StudioError } from '../../numerics';
import { type Model, type Node, serializeModel, type ValueInfo, withGraph } from '../../onnx';
import type { RunTensor, Session, Tensors } from '../../runtime';
import { type OutputError, outputError } from '../output-error';
import type { StepContext } from '../types';
import { withSizes } from './groups';
import type { Pricing } from './plan';
import { find, type Labels } from './space';
import type { Trace } from './trace';

/** Channel sizes take one run an image, prices hundreds: sizes are measured on so many times more images. */
const SIZES_PER_PRICE = 5;

interface Gate {
  readonly input: string;
  readonly value: string;
  readonly axis: number;
  readonly dims: readonly number[];
  readonly labels: Labels;
}

export interface Measurement {
  readonly pricing: Pricing;
  /** Root mean square of each channel, by value and index on its gated axis. */
  readonly sizes: ReadonlyMap<string, Float64Array>;
  release(): Promise<void>;
}

/** The model with a gate (an extra input that multiplies) on every value that a layer reads channels of. */
function gatedModel(trace: Trace): { readonly model: Model; readonly gates: readonly Gate[] } {
  const { graph } = trace.model;
  const gates = new Map<string, Gate>();
  const readers = new Map<number, { readonly data: number; readonly gated: string }>();
  for (const layer of trace.layers) {
    if (!layer.in) continue;
    const value = graph.nodes[layer.node]!.inputs[layer.data]!;
    const layout = trace.layouts.get(value)!;
    const labels = layout.labels[layer.dataAxis]!;
    const key = `${value} ${layer.dataAxis}`;
    const dims = layout.dims.map((_, axis) => (axis === layer.dataAxis ? labels.length : 1));
    if (!gates.has(key)) gates.set(key, { input: `${value}_gate${layer.dataAxis}`, value, axis: layer.dataAxis, dims, labels });
    readers.set(layer.node, { data: layer.data, gated: `${gates.get(key)!.input}_out` });
  }
  const made = new Set<string>();
  const nodes = graph.nodes.flatMap((node, index): Node[] => {
    const reader = readers.get(index);
    if (!reader) return [node];
    const moved = { ...node, inputs: node.inputs.with(reader.data, reader.gated) };
    if (made.has(reader.gated)) return [moved];
    made.add(reader.gated);
    const inputs = [node.inputs[reader.data]!, reader.gated.slice(0, -'_out'.length)];
    return [{ name: reader.gated, op: 'Mul', domain: '', inputs, outputs: [reader.gated], attributes: {} }, moved];
  });
  const inputs = [...gates.values()].map(({ input, dims }): ValueInfo => ({ name: input, dtype: 'float32', shape: dims }));
  const taps = [...new Set([...gates.values()].map(({ value }) => value))].filter((value) =>
    graph.outputs.every(({ name }) => name !== value),
  );
  const outputs = taps.map((name): ValueInfo => ({ name, dtype: 'float32', shape: null }));
  return {
    model: withGraph(trace.model, {
      nodes,
      inputs: [...graph.inputs, ...inputs],
      outputs: [...graph.outputs, ...outputs],
      valueInfo: new Map(),
    }),
    gates: [...gates.values()],
  };
}

function gateTensor({ dims, labels }: Gate, open: (atom: number) => boolean): RunTensor {
  return { dtype: 'float32', dims, data: Float32Array.from(labels, (atom) => (open(atom) ? 1 : 0)) };
}

/** At most `count` of the items, evenly spread. */
function spread<T>(items: readonly T[], count: number): T[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)]!);
}

/** Evenly spread images as input tensors; images that can't be decoded are passed over. */
async function loadInputs(model: Model, spec: DetectorSpec | null, images: ImageSet, count: number): Promise<RunTensor[]> {
  const how = spec?.preprocess ?? defaultPreprocess(model);
  if (!how) return [];
  const inputs: RunTensor[] = [];
  for (const index of spread([...images.entries.keys()], count)) {
    try {
      const { input } = preprocess(await images.load(index), how);
      inputs.push({ dtype: how.dtype, dims: inputDims(how), data: input });
    } catch (error) {
      if (!(error instanceof StudioError && error.code === 'bad-data')) throw error;
    }
  }
  return inputs;
}

/** Adds the mean square per channel of one value. */
function addSquares(sizes: Map<string, Float64Array>, { axis, labels, value }: Gate, tensor: RunTensor, share: number): void {
  const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const data = tensor.data as Float32Array;
  const perChannel = data.length / labels.length;
  const sums = sizes.get(value) ?? new Float64Array(labels.length);
  sizes.set(value, sums);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / inner) % labels.length]! += (data[i]! ** 2 / perChannel) * share;
}

async function describe(
  session: Session,
  feeds: readonly Tensors[],
  gates: readonly Gate[],
  outputs: readonly string[],
  spec: DetectorSpec | null,
  ctx: StepContext,
): Promise<{ readonly errors: OutputError[]; readonly sizes: Map<string, Float64Array> }> {
  const squares = new Map<string, Float64Array>();
  const errors: OutputError[] = [];
  const perValue = new Map(gates.map((gate) => [gate.value, gate]));
  for (const feed of feeds) {
    ctx.cancel.throwIfAborted();
    const results = await session.run(feed, [...new Set([...outputs, ...perValue.keys()])]);
    for (const gate of perValue.values()) addSquares(squares, gate, results[gate.value]!, 1 / feeds.length);
    errors.push(outputError(spec, Object.fromEntries(outputs.map((name) => [name, results[name]!]))));
  }
  return { errors, sizes: new Map([...squares].map(([name, sums]) => [name, sums.map(Math.sqrt)])) };
}

/**
 * Prepares measuring on `count` of these images with the CPU engine.
 * @returns null when no image can be used; the caller releases the measurement
 */
export async function measureOn(
  trace: Trace,
  spec: DetectorSpec | null,
  images: ImageSet,
  count: number,
  ctx: StepContext,
): Promise<Measurement | null> {
  const inputs = await loadInputs(withSizes(trace.model), spec, images, SIZES_PER_PRICE * count);
  if (inputs.length === 0) return null;
  const { model, gates } = gatedModel(trace);
  const outputs = trace.model.graph.outputs.map(({ name }) => name);
  const session = await ctx.engine.create(serializeModel(model), { optimization: 'all' });
  try {
    const open = Object.fromEntries(gates.map((gate) => [gate.input, gateTensor(gate, () => true)]));
    const input = trace.model.graph.inputs[0]!.name;
    const feeds = inputs.map((tensor): Tensors => ({ ...open, [input]: tensor }));
    const { errors, sizes } = await describe(session, feeds, gates, outputs, spec, ctx);
    const priced = spread(
      feeds.map((_, i) => i),
      count,
    );
    const errorWithout = async (gone: ReadonlySet<number>): Promise<number> => {
      const shut = (atom: number): boolean => gone.has(find(trace.space, atom));
      const closed = gates
        .filter(({ labels }) => labels.some(shut))
        .map((gate) => [gate.input, gateTensor(gate, (atom) => !shut(atom))] as const);
      let total = 0;
      for (const i of priced) {
        ctx.cancel.throwIfAborted();
        total += errors[i]!(await session.run({ ...feeds[i]!, ...Object.fromEntries(closed) }, outputs));
      }
      return total / priced.length;
    };
    const pricing = createPricing(errorWithout);
    return { pricing, sizes, release: () => session.release() };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Cost of a block = how much further the outputs move; the error so far is measured once per step. */
function createPricing(errorWithout: (gone: ReadonlySet<number>) => Promise<number>): Pricing {
  let known = { size: 0, error: 0 };
  return async (gone, next) => {
    if (gone.size !== known.size) known = { size: gone.size, error: await errorWithout(gone) };
    return (await errorWithout(new Set([...gone, ...next]))) - known.error;
  };
}
