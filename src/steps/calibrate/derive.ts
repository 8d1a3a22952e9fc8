/**
 * Extremes that follow from other tensors', so that no pass over the values is needed, and values that must not become
 * outputs: a tapped Sigmoid would break ONNX Runtime's fused SiLU (measured on YOLOX-Nano in WASM: 1.07 → 1.69 times
 * the bare inference).
 */
import { attrInt, consumers, type Graph, type Node, producers } from '../../onnx';
import type { MeasuredTensor } from './tensors';

/** How a tensor's extremes are had; numbers index the list of measured tensors, always an earlier one. */
export type Derivation =
  | { readonly kind: 'measured' }
  /** max(x, 0). */
  | { readonly kind: 'relu'; readonly input: number }
  /** The gate of a SiLU: neither extremes nor values are taken from the network. */
  | { readonly kind: 'gate'; readonly input: number }
  /** x · sigmoid(x), see {@link siluRange}. */
  | { readonly kind: 'silu'; readonly input: number }
  /** Along axis 1. */
  | { readonly kind: 'concat'; readonly inputs: readonly number[] };

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const SILU_LOWEST = { x: -1.2784645, y: -0.27846454 };

/**
 * Range of x · sigmoid(x) over x in [min, max]: it falls to its lowest point and then rises, so its maximum is at one
 * end, exactly, and its minimum at an end or at the lowest point. Of many values some lie near that point (0.1 away
 * costs 0.001), and the range always covers them all.
 */
export function siluRange(min: number, max: number): { min: number; max: number } {
  const [a, b] = [min * sigmoid(min), max * sigmoid(max)];
  return { min: min < SILU_LOWEST.x && SILU_LOWEST.x < max ? SILU_LOWEST.y : Math.min(a, b), max: Math.max(a, b) };
}

/** One derivation per tensor. */
export function derivations(graph: Graph, tensors: readonly MeasuredTensor[]): readonly Derivation[] {
  const index = new Map(tensors.map((t, i) => [t.name, i]));
  const made = producers(graph);
  const used = consumers(graph);
  /** Position of x when `n` is the only reader of a Sigmoid of its other operand x. */
  const siluInput = (n: Node | undefined): number | undefined => {
    if (n?.op !== 'Mul' || n.domain !== '') return undefined;
    for (const [x, gate] of [
      [n.inputs[0]!, n.inputs[1]!],
      [n.inputs[1]!, n.inputs[0]!],
    ] as const) {
      const g = made.get(gate);
      if (g?.op === 'Sigmoid' && g.inputs[0] === x && used.get(gate)?.length === 1) return index.get(x);
    }
    return undefined;
  };
  return tensors.map((t): Derivation => {
    const n = made.get(t.name);
    if (n?.domain !== '' || t.dtype !== 'float32') return { kind: 'measured' };
    const input = index.get(n.inputs[0] ?? '');
    if (n.op === 'Relu' && input !== undefined) return { kind: 'relu', input };
    const reader = used.get(t.name);
    if (n.op === 'Sigmoid' && input !== undefined && reader?.length === 1 && siluInput(reader[0]) === input) return { kind: 'gate', input };
    const silu = siluInput(n);
    if (silu !== undefined) return { kind: 'silu', input: silu };
    if (n.op === 'Concat' && t.dims.length >= 2) {
      const axis = attrInt(n, 'axis', 1);
      const inputs = n.inputs.map((name) => index.get(name));
      if ((axis === 1 || axis === 1 - t.dims.length) && inputs.every((i) => i !== undefined)) return { kind: 'concat', inputs };
    }
    return { kind: 'measured' };
  });
}
