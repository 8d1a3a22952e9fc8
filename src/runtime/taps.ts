/** Taps: intermediate values made visible as graph outputs. */

import { StudioError } from '../numerics';
import type { Model } from '../onnx';

/**
 * The same model with `names` added to its outputs, in that order, after the ones it had; names that are outputs
 * already are not repeated. Shares nodes and weights with `model`. Throws 'bad-model' for a name that no node makes.
 */
export function addTaps(model: Model, names: readonly string[]): Model {
  const { graph } = model;
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const present = new Set(graph.outputs.map((output) => output.name));
  const added = [...new Set(names)].filter((name) => !present.has(name));
  const missing = added.find((name) => name === '' || !made.has(name));
  if (missing !== undefined)
    throw new StudioError('bad-model', `"${missing}" is not a value that this network computes.`, 'Open the model again.');
  const outputs = [...graph.outputs, ...added.map((name) => graph.valueInfo.get(name) ?? { name, dtype: null, shape: null })];
  return { ...model, graph: { ...graph, outputs } };
}
