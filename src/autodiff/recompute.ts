/**
 * Copies of a segment's nodes that compute its activations again on the way back. What they read passes a barrier that waits for
 * the gradient to arrive, so that they run no earlier, and that no optimizer can take for the first computation.
 */
import type { Node } from '../onnx';
import type { Emitter } from './emitter';
import type { Segments } from './segments';

export class Recomputation {
  readonly #segmentOf = new Map<Node, number>();
  /** Segment → its values → their copies. */
  readonly #copies = new Map<number, ReadonlyMap<string, string>>();

  /**
   * @param nodes of the network
   * @param emitted what each became
   * @param activation true for a float value that isn't a constant or a weight
   */
  constructor(
    readonly e: Emitter,
    readonly nodes: readonly Node[],
    readonly emitted: readonly (readonly Node[])[],
    readonly segments: Segments,
    readonly activation: (value: string) => boolean,
  ) {
    for (const [i, n] of nodes.entries()) this.#segmentOf.set(n, segments.of[i]!);
  }

  /** What is read in place of a node's inputs and outputs; `gradient` has arrived at it. */
  names(n: Node, gradient: string): ReadonlyMap<string, string> {
    const segment = this.#segmentOf.get(n)!;
    const known = this.#copies.get(segment);
    if (known) return known;
    const made = segment === this.segments.count - 1 ? new Map<string, string>() : this.#copy(segment, gradient);
    this.#copies.set(segment, made);
    return made;
  }

  /** A value, once `flag` is there. */
  #barrier(value: string, flag: string): string {
    return this.e.emit('Where', [flag, value, value]);
  }

  #copy(segment: number, gradient: string): ReadonlyMap<string, string> {
    const { e } = this;
    const { scope } = e;
    e.scope = `segment_${segment}/barrier`;
    const first = e.slice(e.reshape(gradient, [-1]), [0], [0], [1]);
    const flag = e.emit('Greater', [first, e.scalar(0)]);
    const copies = new Map<string, string>();
    const barred = new Map<string, string>();
    const read = (x: string): string => {
      const copy = copies.get(x) ?? barred.get(x);
      if (copy !== undefined || !this.activation(x)) return copy ?? x;
      const waiting = this.#barrier(x, flag);
      barred.set(x, waiting);
      return waiting;
    };
    for (const [i, parts] of this.emitted.entries()) {
      if (this.segments.of[i] !== segment) continue;
      for (const n of parts) {
        const inputs = n.inputs.map(read);
        const outputs = n.outputs.map((y) => (y === '' ? y : e.fresh(`${y}/again`)));
        e.nodes.push({ ...n, name: e.fresh(`${n.name}/again`), inputs, outputs });
        for (const [o, y] of n.outputs.entries()) if (y !== '' && !this.segments.kept.has(y)) copies.set(y, outputs[o]!);
      }
    }
    e.scope = scope;
    return copies;
  }
}
