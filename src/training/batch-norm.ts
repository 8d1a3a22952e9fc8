/** From a network that normalises by its batch to one that normalises by constants. */
import { type Model, serializeModel, valueInfo, withGraph } from '../onnx';
import type { Engine, Tensors } from '../runtime';
import type { Batch } from './objective';

interface Statistics {
  /** Running mean and variance, by the names that the network's normalisations give them. */
  readonly [name: string]: Float32Array;
}

export interface BatchStatistics {
  /** Statistics of the network with these variables, averaged over the batches. */
  measure(feeds: Tensors, batches: readonly Batch[]): Promise<Statistics>;
  release(): Promise<void>;
}

/**
 * Precise statistics (Wu & Johnson 2021, "Rethinking Batch in BatchNorm"): means over several batches at the final weights,
 * where a running average would mix in those of earlier, other weights.
 * @param model with BatchNormalization in training mode at momentum 0, and its variables as inputs
 */
export async function openStatistics(engine: Engine, model: Model): Promise<BatchStatistics> {
  const norms = model.graph.nodes.filter((n) => n.op === 'BatchNormalization' && n.outputs.length === 3);
  // Running mean and variance of the network → the batch's.
  const pairs = norms.flatMap((n) => [[n.inputs[3]!, n.outputs[1]!] as const, [n.inputs[4]!, n.outputs[2]!] as const]);
  const wanted = pairs.map(([, batch]) => batch);
  const session = await engine.create(
    serializeModel(withGraph(model, { outputs: wanted.map((name) => valueInfo(name, 'float32', null)) })),
  );
  return {
    async measure(feeds, batches) {
      const sums: Record<string, Float32Array> = {};
      for (const { images } of batches) {
        const outputs = await session.run({ ...images, ...feeds }, wanted);
        for (const [running, batch] of pairs) {
          const found = outputs[batch]!.data as Float32Array;
          const sum = (sums[running] ??= new Float32Array(found.length));
          for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + found[i]! / batches.length;
        }
      }
      return sums;
    },
    release: () => session.release(),
  };
}
