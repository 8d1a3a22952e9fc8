/**
 * MaxPool as slices joined by Max, whose gradients are known: ONNX has no operator for MaxPool's own. The last axis goes
 * first and a tie goes to the earlier place, so that the first maximum in row-major order gets the gradient, as in torch.
 */
import { attrInt, attrInts, type Model, type Node, node, withGraph } from '../onnx';
import { type Dims, Emitter } from './emitter';
import { windowOf } from './rules/windows';

/** float32's lowest value: padding never wins, and unlike −∞ it survives a multiplication by 0. */
const LOWEST = -3.4028234663852886e38;

/** One axis: out[o] = max over k of x[o·stride + k·dilation]. x has `size` places there, `out` results. */
function alongAxis(e: Emitter, x: string, axis: number, out: number, kernel: number, stride: number, dilation: number): string {
  const cut = (v: string, from: number, count: number, step = 1) => e.slice(v, [axis], [from], [from + (count - 1) * step + 1], [step]);
  const max = (a: string, b: string) => e.emit('Max', [a, b]);
  if (stride > 1) return Array.from({ length: kernel }, (_, k) => cut(x, k * dilation, out, stride)).reduce(max);
  // Windows of 1, 2, 4 … places; the last step overlaps two of the largest.
  let value = x;
  let width = 1;
  while (width < kernel) {
    const shift = Math.min(width, kernel - width);
    width += shift;
    const count = out + (kernel - width) * dilation;
    value = max(cut(value, 0, count), cut(value, shift * dilation, count));
  }
  return value;
}

/** True for what {@link lowerMaxPools} can write. */
function fits(n: Node): boolean {
  return n.op === 'MaxPool' && n.domain === '' && (n.outputs[1] ?? '') === '' && attrInt(n, 'channels_last', 0) === 0;
}

/** Every MaxPool for which `wanted` says so, lowered. Values keep their names. */
export function lowerMaxPools(model: Model, dims: (value: string) => Dims, wanted: (n: Node) => boolean): Model {
  const { graph } = model;
  if (!graph.nodes.some((n) => fits(n) && wanted(n))) return model;
  const e = new Emitter(graph, model.opsets['']!);
  for (const n of graph.nodes) {
    if (!fits(n) || !wanted(n)) {
      e.nodes.push(n);
      continue;
    }
    e.scope = n.name;
    const [x, y] = [n.inputs[0]!, n.outputs[0]!];
    const [size, out] = [dims(x).slice(2), dims(y).slice(2)];
    const { kernel, strides, dilations, before } = windowOf(n, attrInts(n, 'kernel_shape')!, size);
    const need = kernel.map((k, i) => (out[i]! - 1) * strides[i]! + (k - 1) * dilations[i]! + 1);
    const ends = need.map((all, i) => Math.max(0, all - before[i]! - size[i]!));
    let value = e.pad(x, [0, 0, ...before, 0, 0, ...ends], LOWEST);
    for (let i = kernel.length - 1; i >= 0; i--) value = alongAxis(e, value, i + 2, out[i]!, kernel[i]!, strides[i]!, dilations[i]!);
    e.nodes.push(node('Identity', [value], [y], {}, n.name));
  }
  return withGraph(model, { nodes: e.nodes, initializers: new Map([...graph.initializers, ...e.constants]) });
}
