/** A loss on the real YOLOX-Nano whose gradients an independent program computed too. */
import { createRandom } from '../../src/numerics';
import { type Model, node, valueInfo, withGraph } from '../../src/onnx';

const OUTPUT = [1, 3549, 85];

/** loss = Σ output · weight, both given as inputs. */
export function withLoss(model: Model): Model {
  return withGraph(model, {
    inputs: [...model.graph.inputs, valueInfo('weight', 'float32', OUTPUT)],
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
  return Float32Array.from({ length: 3549 * 85 }, () => (Math.floor(random.next() * 2001) - 1000) / 2 ** 16);
}
