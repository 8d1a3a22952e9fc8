import type { JobResult, LayerWeights } from '../../../workers/wire';
import type { StepWorker } from '../bridge';
import type { OpenModel } from './studio.svelte';

/** Weights of the open network's layers, and what the shown result left of them. */
export class WeightsState {
  /** By node; null until they are known. */
  layers = $state.raw<ReadonlyMap<string, LayerWeights> | null>(null);
  /** What kept them from being read; null when nothing did. */
  trouble = $state.raw<unknown>(null);
  #of: readonly [Uint8Array, Uint8Array | null] | null = null;

  constructor(private readonly steps: StepWorker) {}

  /** Reads them, unless these were read already. */
  async know(model: OpenModel, result: JobResult | null): Promise<void> {
    const of = [model.bytes, result?.models.compressed ?? null] as const;
    if (this.#of?.[0] === of[0] && this.#of[1] === of[1]) return;
    this.#of = of;
    this.layers = null;
    this.trouble = null;
    try {
      const layers = await this.steps.weights(model, of[1], result?.models.quantized ?? null);
      if (this.#of === of) this.layers = layers;
    } catch (error) {
      if (this.#of === of) [this.#of, this.trouble] = [null, error];
    }
  }
}
