/** Who makes and who reads each value of a graph. */
import { consumers as consumersOf, type Graph, type Node, producers as producersOf, type Tensor } from '../../onnx';

export interface GraphIndex {
  readonly graph: Graph;
  producer(value: string): Node | undefined;
  /** Readers in graph order; a node that reads a value twice stands once. */
  consumers(value: string): readonly Node[];
  constant(value: string): Tensor | undefined;
  isOutput(value: string): boolean;
  /** The one reader of a value that is no graph output, else null: fusing past it changes nothing else. */
  soleConsumer(value: string): Node | null;
}

export function indexGraph(graph: Graph): GraphIndex {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const readers = (value: string): readonly Node[] => consumers.get(value) ?? [];
  return {
    graph,
    producer: (value) => producers.get(value),
    consumers: readers,
    constant: (value) => graph.initializers.get(value),
    isOutput: (value) => outputs.has(value),
    soleConsumer: (value) => (readers(value).length === 1 && !outputs.has(value) ? readers(value)[0]! : null),
  };
}
