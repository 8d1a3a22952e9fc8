/** The ONNX nodes that turn a layer's input and target into Gram matrices: A·Aᵀ, A·Yᵀ and the row sums, one product each. */
import { type Node, node, type Tensor, tensor } from '../../onnx';
import type { MatrixLayer, Patches } from './layer';

export interface GramNodes {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Tensor[];
  /** [groups, inputs, inputs (+ outputs, with a target)]; null where only sums are wanted */
  readonly products: string | null;
  /** [groups, inputs (+ outputs)] */
  readonly sums: string;
  /** [groups], or [1] where all groups count alike: the columns' weights added up; null where each column counts 1 */
  readonly counts: string | null;
}

class Builder {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  readonly #prefix: string;
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  #name(): string {
    return `${this.#prefix}${this.#count++}`;
  }

  ints(values: readonly number[]): string {
    const name = this.#name();
    this.initializers.push(tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)));
    return name;
  }

  float(value: number): string {
    const name = this.#name();
    this.initializers.push(tensor(name, 'float32', [], Float32Array.of(value)));
    return name;
  }

  add(op: string, inputs: readonly string[], attributes: Readonly<Record<string, number | readonly number[]>> = {}): string {
    const name = this.#name();
    this.nodes.push(node(op, inputs, [name], attributes));
    return name;
  }

  slice(x: string, starts: readonly number[], ends: readonly number[], steps: readonly number[]): string {
    return this.add('Slice', [x, this.ints(starts), this.ints(ends), this.ints([2, 3]), this.ints(steps)]);
  }
}

/** [1, C, H, W] → [groups, C / groups · kh · kw, columns]. */
function unfold(b: Builder, x: string, p: Patches, groups: number): string {
  const [kh, kw] = p.kernel;
  const [sh, sw] = p.strides;
  const padded = p.pads.some((v) => v !== 0) ? b.add('Pad', [x, b.ints([0, 0, p.pads[0], p.pads[1], 0, 0, p.pads[2], p.pads[3]])]) : x;
  const taps: string[] = [];
  for (let ky = 0; ky < kh; ky++)
    for (let kx = 0; kx < kw; kx++) {
      const whole = kh * kw === 1 && padded === x && sh * p.step === 1 && sw * p.step === 1;
      const starts = [ky * p.dilations[0], kx * p.dilations[1]];
      const ends = [starts[0]! + (p.out[0] - 1) * sh + 1, starts[1]! + (p.out[1] - 1) * sw + 1];
      taps.push(whole ? padded : b.slice(padded, starts, ends, [sh * p.step, sw * p.step]));
    }
  const axis = b.ints([2]);
  const stacked =
    taps.length === 1
      ? taps[0]!
      : b.add(
          'Concat',
          taps.map((tap) => b.add('Unsqueeze', [tap, axis])),
          { axis: 2 },
        );
  return b.add('Reshape', [stacked, b.ints([groups, (p.channels / groups) * kh * kw, -1])]);
}

/** [1, groups · M, H, W] → [groups, M, columns]. */
function columns(b: Builder, y: string, p: Patches, groups: number, outputs: number): string {
  const kept = p.step === 1 ? y : b.slice(y, [0, 0], [...p.out], [p.step, p.step]);
  return b.add('Reshape', [kept, b.ints([groups, outputs, -1])]);
}

/** [..., features] → [1, features, rows]. */
function features(b: Builder, x: string, count: number): string {
  const rows = b.add('Reshape', [x, b.ints([1, -1, count])]);
  return b.add('Transpose', [rows], { perm: [0, 2, 1] });
}

/**
 * Weight of each column, 1 / (1 + its targets' energy over the mean energy): a few huge values, which quantization clips
 * anyway, would otherwise outweigh all ordinary pixels in a sum of squares.
 * @returns [groups, 1, columns]
 */
function evenWeights(b: Builder, y: string, count: number): string {
  const energy = b.add('ReduceSum', [b.add('Mul', [y, y]), b.ints([1])]);
  const total = b.add('Add', [b.add('ReduceSum', [energy, b.ints([2])]), b.float(1e-30)]);
  return b.add('Div', [total, b.add('Add', [b.add('Mul', [energy, b.float(count)]), total])]);
}

export interface GramOptions {
  /** Leaves the products out. */
  readonly sumsOnly?: boolean;
  /** Value of shape [1, 1, H, W] that weighs a convolution's pixels; absent: the less the more they stand out. */
  readonly weights?: string | null;
}

/**
 * @param input value that the layer reads
 * @param target value of the layer's wanted output, or null for the inputs' Gram alone
 * @param prefix makes the new names unique in the graph
 */
export function gramNodes(
  layer: MatrixLayer,
  input: string,
  target: string | null,
  prefix: string,
  { sumsOnly = false, weights: given = null }: GramOptions = {},
): GramNodes {
  const b = new Builder(prefix);
  const { patches, inputs, outputs, groups } = layer;
  const a = patches ? unfold(b, input, patches, groups) : features(b, input, inputs);
  const wanted = target !== null && layer.keep ? b.add('Gather', [target, b.ints(layer.keep)], { axis: patches ? 1 : -1 }) : target;
  const y = wanted === null ? null : patches ? columns(b, wanted, patches, groups, outputs) : features(b, wanted, outputs);
  const all = y === null ? a : b.add('Concat', [a, y], { axis: 1 });
  const weights = y && (given && patches ? columns(b, given, patches, 1, 1) : evenWeights(b, y, layer.columns));
  const weighed = weights ? b.add('Mul', [all, weights]) : all;
  const products = sumsOnly ? null : b.add('MatMul', [a, b.add('Transpose', [weighed], { perm: [0, 2, 1] })]);
  const sums = b.add('ReduceSum', [weighed, b.ints([2])], { keepdims: 0 });
  const counts = weights && b.add('ReduceSum', [weights, b.ints([1, 2])], { keepdims: 0 });
  return { nodes: b.nodes, initializers: b.initializers, products, sums, counts };
}
