/** Open: bytes → a network that the other steps can work on: constants and BatchNorm folded, sizes fixed, family known. May import the rooms below steps. */
import { matchFamily } from '../../models';
import {
  fixDimensions,
  foldBatchNorm,
  foldConstants,
  hashModel,
  type Model,
  parseModel,
  removeDead,
  removeIdentity,
  serializeModel,
} from '../../onnx';
import type { ModelArtifact } from '../types';

export { openMeta } from './meta';
export { choosePreprocess, type PreprocessChoice } from './probe';

/** Same function, simpler graph: what every later step assumes. */
export function prepareModel(model: Model): Model {
  return removeDead(removeIdentity(foldBatchNorm(foldConstants(fixDimensions(model)))));
}

/**
 * @param name file name, for the user
 * @param external external-data files by the name the model gives them
 * @throws StudioError 'bad-file', 'bad-model' or 'missing-data' with one sentence for the user
 */
export async function openModel(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Promise<ModelArtifact> {
  const model = prepareModel(parseModel(bytes, external));
  return toArtifact(name, model);
}

/** Wraps a model: hash of its serialized form, family. */
export async function toArtifact(name: string, model: Model): Promise<ModelArtifact> {
  return { kind: 'model', hash: await hashModel(serializeModel(model)), name, model, spec: matchFamily(model) };
}

/** The bytes of a model as they are written to a file. */
export function serialized(model: Model): Uint8Array {
  return serializeModel(model);
}
