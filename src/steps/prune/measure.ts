/**
 * What removing channels really does: the network runs on a few images with gates, some of them shut, and its outputs are
 * compared. One session serves every candidate.
 */
import type { DetectorSpec } from '../../models';
import { serializeModel, withGraph } from '../../onnx';
import type { RunTensor, Session, Tensors } from '../../runtime';
import { NO_JOURNAL } from '../journal';
import { type OutputError, outputError } from '../output-error';
import type { StepContext } from '../types';
import type { Branch } from './branches';
import { type Gate, type GatedModel, gatedModel, openGates, shutGates } from './gates';
import { spread } from './inputs';
import type { Cut, Pricing } from './plan';
import type { Trace } from './trace';

export interface Measurement {
  /** Mean error of the outputs without these, against the whole network's. */
  errorWithout(gone: Cut): Promise<number>;
  readonly pricing: Pricing;
  /** Root mean square of each channel, by value and index on its gated axis. */
  readonly sizes: ReadonlyMap<string, Float64Array>;
  release(): Promise<void>;
}

/** The gated model with the gated values as further outputs. */
function withTaps({ model, gates }: GatedModel) {
  const own = new Set(model.graph.outputs.map(({ name }) => name));
  const taps = [...new Set(gates.map(({ value }) => value))].filter((value) => !own.has(value));
  return withGraph(model, { outputs: [...model.graph.outputs, ...taps.map((name) => ({ name, dtype: null, shape: null }))] });
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
 * Prepares measuring with the CPU engine; the caller releases it.
 * @param inputs at least one image; channel sizes are taken on all of them
 * @param count images that each price is measured on
 */
export async function measureOn(
  trace: Trace,
  spec: DetectorSpec | null,
  branches: readonly Branch[],
  inputs: readonly RunTensor[],
  count: number,
  ctx: StepContext,
): Promise<Measurement> {
  const gated = gatedModel(trace, branches);
  const outputs = trace.model.graph.outputs.map(({ name }) => name);
  const session = await ctx.engine.create(serializeModel(withTaps(gated)), { optimization: 'all' });
  try {
    const open = openGates(gated);
    const input = trace.model.graph.inputs[0]!.name;
    const feeds = inputs.map((tensor): Tensors => ({ ...open, [input]: tensor }));
    const { errors, sizes } = await describe(session, feeds, gated.gates, outputs, spec, ctx);
    const priced = spread([...feeds.keys()], count);
    const { journal = NO_JOURNAL } = ctx;
    const measure = async (gone: Cut): Promise<number> => {
      const closed = shutGates(gated, trace, gone);
      let total = 0;
      for (const i of priced) {
        ctx.cancel.throwIfAborted();
        total += errors[i]!(await session.run({ ...feeds[i]!, ...closed }, outputs));
      }
      return total / priced.length;
    };
    const errorWithout = (gone: Cut): Promise<number> => journal.next(() => measure(gone));
    return { errorWithout, pricing: createPricing(errorWithout), sizes, release: () => session.release() };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Cost of a block = how much further the outputs move; the error so far is measured once per step. */
function createPricing(errorWithout: (gone: Cut) => Promise<number>): Pricing {
  let known = { size: 0, error: 0 };
  return async (gone, next) => {
    const size = gone.classes.size + gone.branches.size;
    if (size !== known.size) known = { size, error: await errorWithout(gone) };
    const both = { classes: new Set([...gone.classes, ...next.classes]), branches: new Set([...gone.branches, ...next.branches]) };
    return (await errorWithout(both)) - known.error;
  };
}
