/** Which values of a network are measured, and their shapes as ONNX Runtime really makes them. */
import { type Graph, inferShapes, type Model, node, reads, serializeModel, tensor, type ValueInfo, valueInfo, withGraph } from '../../onnx';
import type { Engine, Tensors } from '../../runtime';

/** Operators whose output shape depends on the data, so that nothing fixed can be said about what follows them. */
const DATA_DEPENDENT = new Set(['NonMaxSuppression', 'NonZero', 'Unique', 'Compress', 'Loop', 'Scan', 'If']);

/** A float activation: dims as seen with one image (rank 0 has dims []). */
export interface MeasuredTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: 'float32' | 'float16' | 'float64';
}

/**
 * Graph inputs and every value computed from them, in graph order: constants don't change, and values behind a
 * data-dependent shape can't be followed from image to image.
 */
export function candidateValues(graph: Graph): readonly string[] {
  const live = new Set(graph.inputs.map((input) => input.name));
  const blocked = new Set<string>();
  for (const n of graph.nodes) {
    const inputs = reads(n);
    const bad = DATA_DEPENDENT.has(n.op) || inputs.some((name) => blocked.has(name));
    if (!bad && !inputs.some((name) => live.has(name))) continue;
    // The shape of a value isn't an activation, and what is computed from it alone is constant.
    if (n.op === 'Shape' || n.op === 'Size') continue;
    for (const name of n.outputs) if (name !== '') (bad ? blocked : live).add(name);
  }
  return [...live];
}

const FLOATS: ReadonlySet<string> = new Set(['float32', 'float16', 'float64']);

/**
 * The measured values of a network: from shape inference where it knows them all, else by running the network once.
 * Values without elements are left out. Throws what the engine throws.
 */
export async function measuredTensors(model: Model, engine: Engine, feeds: Tensors): Promise<readonly MeasuredTensor[]> {
  const names = candidateValues(model.graph);
  const inferred = inferShapes(model);
  const unknown = names.filter((name) => {
    const info = inferred.get(name);
    return !info?.dtype || !info.shape?.every((d) => typeof d === 'number');
  });
  const probed = await probe(model, engine, feeds, unknown);
  return names.flatMap((name): MeasuredTensor[] => {
    const known = probed.get(name) ?? inferred.get(name)!;
    const dims = known.shape as readonly number[];
    return FLOATS.has(known.dtype!) && dims.every((d) => d > 0) ? [{ name, dims, dtype: known.dtype as MeasuredTensor['dtype'] }] : [];
  });
}

/** Runs with the shape and the first value of each as outputs, so that nothing large is copied. */
async function probe(
  model: Model,
  engine: Engine,
  feeds: Tensors,
  names: readonly string[],
): Promise<ReadonlyMap<string, Pick<ValueInfo, 'dtype' | 'shape'>>> {
  if (names.length === 0) return new Map();
  const { graph } = model;
  const taken = new Set([
    ...graph.inputs.map((i) => i.name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
  ]);
  const fresh = (base: string): string => {
    let name = base;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  };
  const flat = fresh('calibrate_flat_shape');
  const zero = fresh('calibrate_zero');
  const probes = names.map((name, i) => ({
    name,
    shape: fresh(`calibrate_shape_${i}`),
    flat: fresh(`calibrate_flat_${i}`),
    first: fresh(`calibrate_first_${i}`),
  }));
  const nodes = probes.flatMap((p) => [
    node('Shape', [p.name], [p.shape]),
    node('Reshape', [p.name, flat], [p.flat]),
    node('Gather', [p.flat, zero], [p.first]),
  ]);
  const probing = withGraph(model, {
    nodes: [...graph.nodes, ...nodes],
    outputs: probes.flatMap((p) => [valueInfo(p.shape, null, null), valueInfo(p.first, null, null)]),
    initializers: new Map([
      ...graph.initializers,
      [flat, tensor(flat, 'int64', [1], new BigInt64Array([-1n]))],
      [zero, tensor(zero, 'int64', [1], new BigInt64Array([0n]))],
    ]),
  });
  const session = await engine.create(serializeModel(probing), { optimization: 'disabled' });
  try {
    const shapes = await session.run(
      feeds,
      probes.map((p) => p.shape),
    );
    const dims = new Map(probes.map((p) => [p.name, Array.from(shapes[p.shape]!.data as BigInt64Array, Number)]));
    const filled = probes.filter((p) => dims.get(p.name)!.every((d) => d > 0));
    const firsts = await session.run(
      feeds,
      filled.map((p) => p.first),
    );
    return new Map(probes.map((p) => [p.name, { dtype: firsts[p.first]?.dtype ?? null, shape: dims.get(p.name)! }]));
  } finally {
    await session.release();
  }
}
