/** Where the features of two networks can be compared. */
import type { DetectorSpec } from '../models';
import { inferShapes, type Model, type Node } from '../onnx';

/** Sigmoid and Mul of a SiLU read the same value and count as one reader. */
function readersOf(model: Model): ReadonlyMap<string, number> {
  const lists = new Map<string, Node[]>();
  for (const node of model.graph.nodes) for (const name of new Set(node.inputs)) lists.set(name, [...(lists.get(name) ?? []), node]);
  return new Map(
    [...lists].map(([name, nodes]) => {
      const gates = new Set(nodes.filter(({ op }) => op === 'Sigmoid' || op === 'HardSigmoid').flatMap(({ outputs }) => outputs));
      const gated = nodes.some(({ op, inputs }) => op === 'Mul' && inputs.some((input) => gates.has(input)));
      return [name, nodes.length - (gated ? 1 : 0)];
    }),
  );
}

/**
 * Feature maps worth comparing, in graph order: those that several layers read (stages, residuals, what heads share), and
 * what a detector's last layers read.
 */
export function featureMaps(model: Model, spec: DetectorSpec | null): readonly string[] {
  const readers = readersOf(model);
  const last = new Set(spec?.protectedNodes ?? []);
  const ends = new Set(model.graph.nodes.filter(({ name }) => last.has(name)).map(({ inputs }) => inputs[0]!));
  const shapes = inferShapes(model);
  return model.graph.nodes.flatMap(({ outputs: [name = ''] }) => {
    const info = shapes.get(name);
    const isMap = info?.dtype === 'float32' && info.shape?.length === 4 && info.shape.every((d) => typeof d === 'number');
    return isMap && ((readers.get(name) ?? 0) > 1 || ends.has(name)) ? [name] : [];
  });
}

/** The last feature map of each size (height × width), by "height×width": the levels that two networks have in common. */
export function featureLevels(model: Model, spec: DetectorSpec | null): ReadonlyMap<string, string> {
  const shapes = inferShapes(model);
  return new Map(featureMaps(model, spec).map((name) => [shapes.get(name)!.shape!.slice(2).join('×'), name]));
}
