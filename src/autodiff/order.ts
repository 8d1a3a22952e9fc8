/**
 * ONNX Runtime does not run nodes as listed. It starts from the nodes that nobody reads, the last listed first, and runs before
 * each what it needs (depth first). Listed as they arise, the gradients of the first layers' weights would come first: the whole
 * way back, then every weight's gradient, with all activations and all their gradients alive until the end.
 */
import { type Node, node } from '../onnx';

/**
 * The nodes with every gradient under its output's name, listed so that a layer's gradients are computed as soon as they can
 * be: last layers last.
 * @param totals output name → value that it shall have
 * @param values other outputs, to be computed before all gradients
 */
export function listOutputsLast(nodes: readonly Node[], totals: ReadonlyMap<string, string>, values: readonly string[]): Node[] {
  const place = new Map(nodes.flatMap(({ outputs }, i) => outputs.map((y) => [y, i] as const)));
  const readers = new Map<string, number>(values.map((value) => [value, 1]));
  for (const x of [...nodes.flatMap((n) => n.inputs), ...totals.values()]) readers.set(x, (readers.get(x) ?? 0) + 1);
  const moved = new Set<number>();
  const placeOf = (value: string) => place.get(value) ?? -1;
  const gradients = [...totals].sort(([, a], [, b]) => placeOf(b) - placeOf(a));
  const last = gradients.map(([output, total]) => {
    const at = placeOf(total);
    const maker = nodes[at];
    if (!maker || maker.outputs.length > 1 || readers.get(total) !== 1) return node('Identity', [total], [output], {}, output);
    moved.add(at);
    return { ...maker, outputs: [output] };
  });
  for (const at of new Set(values.map(placeOf))) {
    if (at < 0 || nodes[at]!.outputs.some((y) => (readers.get(y) ?? 0) > (values.includes(y) ? 1 : 0))) continue;
    moved.add(at);
    last.push(nodes[at]!);
  }
  return [...nodes.filter((_, i) => !moved.has(i)), ...last];
}
