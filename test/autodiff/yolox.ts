/** A loss on the real YOLOX-Nano whose gradients an independent program computed too. */
import { createRandom } from '../../src/numerics';
import { type Model, node, valueInfo, withGraph } from '../../src/onnx';

const CELLS = 3549;
const VALUES = 85;

/** The network, exported for one image, for `count`. */
export function batched(model: Model, count: number): Model {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  for (const n of graph.nodes) {
    const shape = n.op === 'Reshape' ? initializers.get(n.inputs[1]!) : undefined;
    if (shape?.data instanceof BigInt64Array) {
      const data = shape.data.slice();
      data[0] = BigInt(count);
      initializers.set(shape.name, { ...shape, data });
    }
  }
  const [images] = graph.inputs;
  return withGraph(model, {
    inputs: [valueInfo(images!.name, 'float32', [count, ...images!.shape!.slice(1)])],
    outputs: graph.outputs.map(({ name }) => valueInfo(name, 'float32', null)),
    valueInfo: new Map(),
    initializers,
  });
}

/** loss = Σ output · weight, both given as inputs. */
export function withLoss(model: Model, count = 1): Model {
  return withGraph(model, {
    inputs: [...model.graph.inputs, valueInfo('weight', 'float32', [count, CELLS, VALUES])],
    nodes: [
      ...model.graph.nodes,
      node('Mul', ['output', 'weight'], ['weighted']),
      node('ReduceSum', ['weighted'], ['loss'], { keepdims: 0 }),
    ],
    outputs: [valueInfo('loss', 'float32', [])],
  });
}

/** Weights and biases of the convolutions. */
export function parameters({ graph }: Model): string[] {
  return graph.nodes.flatMap((n) => (n.op === 'Conv' ? n.inputs.slice(1) : []));
}

/** Slow waves with noise on them, whole numbers from 0 to 255: the same in every program. */
export function syntheticImage(): Float32Array {
  const random = createRandom(6);
  return Float32Array.from({ length: 3 * 416 * 416 }, (_, i) => {
    const [x, y] = [i % 416, Math.floor(i / 416) % 416];
    const wave = ((x >> 5) * 37 + (y >> 5) * 61) % 200;
    return wave + Math.floor(random.next() * 56);
  });
}

export function syntheticWeight(): Float32Array {
  const random = createRandom(7);
  return Float32Array.from({ length: CELLS * VALUES }, () => (Math.floor(random.next() * 2001) - 1000) / 2 ** 16);
}
