/** A network in two: what no trainable can change, which is computed once an image, and the rest. */
import { cutAt, inferShapes, type Model, removeDead, valueInfo, withGraph } from '../onnx';
import { asIdentity } from './fake-quant';

export interface FrozenSplit {
  /** From the inputs to {@link cut} and to outputs that nothing trained changes; null where nothing is frozen. */
  readonly prefix: Model | null;
  /** The network with `cut` as inputs; its outputs are those that training changes. */
  readonly rest: Model;
  /** Outputs of the prefix that the rest reads. */
  readonly cut: readonly string[];
}

/**
 * Splits a network in front of everything that training changes.
 * @param trainable initializers, inputs or other values
 * @param inputs those that the prefix may read, e.g. the image; default: all. What reads others stays in the rest
 */
export function splitFrozen(
  model: Model,
  trainable: readonly string[],
  inputs: readonly string[] = model.graph.inputs.map(({ name }) => name),
): FrozenSplit {
  const { graph } = model;
  const allowed = new Set(inputs);
  const moving = new Set([...trainable, ...graph.inputs.map(({ name }) => name).filter((name) => !allowed.has(name))]);
  /** Computed from the inputs alone. */
  const frozen = new Set<string>();
  for (const { inputs: read, outputs } of graph.nodes) {
    const into = read.some((x) => moving.has(x)) ? moving : read.some((x) => frozen.has(x) || allowed.has(x)) ? frozen : null;
    if (into) for (const y of outputs) if (y !== '') into.add(y);
  }
  const read = graph.nodes.filter(({ outputs }) => outputs.some((y) => moving.has(y))).flatMap((n) => n.inputs);
  const cut = [...new Set(read)].filter((value) => frozen.has(value));
  if (cut.length === 0) return { prefix: null, rest: model, cut };
  const shapes = inferShapes(asIdentity(model));
  const done = graph.outputs.map(({ name }) => name).filter((name) => frozen.has(name));
  const own = new Set(cut);
  const rest = removeDead(
    withGraph(model, {
      inputs: [
        ...graph.inputs,
        ...cut.map((value) => valueInfo(value, shapes.get(value)?.dtype ?? null, shapes.get(value)?.shape ?? null)),
      ],
      nodes: graph.nodes.filter(({ outputs }) => !outputs.some((y) => own.has(y))),
      outputs: graph.outputs.filter(({ name }) => !frozen.has(name)),
    }),
  );
  const used = new Set([...rest.graph.nodes.flatMap((n) => n.inputs), ...cut]);
  return {
    prefix: cutAt(model, [...new Set([...cut, ...done])]),
    rest: withGraph(rest, { inputs: rest.graph.inputs.filter(({ name }) => used.has(name)) }),
    cut,
  };
}
