/** What is done to the float network before it is quantized, as the options say: the same function, easier to quantize. */
import { hashModel, type Model, serializeModel } from '../../onnx';
import type { ModelArtifact, RangesArtifact } from '../types';
import { equalize } from './equalize';
import type { QuantizeOptions } from './meta';
import { splitChannels } from './split-channels';

export interface Prepared {
  readonly artifact: ModelArtifact;
  /** Calibrated on this very artifact. */
  readonly ranges: RangesArtifact;
  /** What was done, and what was left out with its reason. */
  readonly notes: readonly string[];
}

async function changed(artifact: ModelArtifact, model: Model): Promise<ModelArtifact> {
  return model === artifact.model ? artifact : { ...artifact, model, hash: await hashModel(serializeModel(model)) };
}

/**
 * Equalizes and cuts layers where the options ask for it; calibrates once, and again after a cut.
 * @param calibrate statistics of every activation of a network, with ranges per channel
 */
export async function prepareFloat(
  artifact: ModelArtifact,
  options: Pick<QuantizeOptions, 'equalize' | 'splitLayers'>,
  calibrate: (artifact: ModelArtifact) => Promise<RangesArtifact>,
): Promise<Prepared> {
  const evened = options.equalize ? equalize(artifact.model) : { model: artifact.model, notes: [] };
  const even = await changed(artifact, evened.model);
  const ranges = await calibrate(even);
  if (options.splitLayers === 0) return { artifact: even, ranges, notes: evened.notes };
  const split = splitChannels(even.model, ranges, options.splitLayers);
  if (split.layers.length === 0) return { artifact: even, ranges, notes: evened.notes };
  const cut = await changed(even, split.model);
  return { artifact: cut, ranges: await calibrate(cut), notes: [...evened.notes, ...split.notes] };
}
