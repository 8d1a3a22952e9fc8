/** Export: the bundle for a device's toolchain. May import the rooms below steps. */
import type { ImageSet } from '../../data';
import { type Device, deviceById } from '../../devices';
import { type Model, serializeModel } from '../../onnx';
import { canonicalJson, type OptionValues, resolveOptions, stepHash } from '../common';
import type { BundleArtifact, ModelArtifact, QuantArtifact, StepContext } from '../types';
import { hailoBundle } from './bundle-hailo';
import { onnxBundle } from './bundle-onnx';
import { tfliteBundle } from './bundle-tflite';
import { floatTwin } from './float-twin';
import { type Job, json } from './job';
import { exportMeta } from './meta';
import { calibrationFile, type HostOrder } from './npy';
import type { BundleRow } from './readme';
import { retrainFiles } from './retrain';

export { checkQuantization, deviceById } from '../../devices';
export { engineAgreement } from '../../runtime';
export { fewFeeds } from '../feeds';
export { floatTwin } from './float-twin';
export { exportMeta } from './meta';
export type { BundleRow } from './readme';
export { zipBundle, zipPieces } from './zip';

export interface BundleInput {
  /** The compressed float network. */
  readonly float: ModelArtifact;
  /** The network before any step, the teacher of retrain/; absent: the bundle has no such folder. */
  readonly original?: ModelArtifact;
  /** The network that was evaluated as quantized, or null. */
  readonly quant: QuantArtifact | null;
  readonly calibration: ImageSet;
  /** The result table, as measured. */
  readonly rows: readonly BundleRow[];
  /** Written as recipe.json; any JSON object. */
  readonly recipe: object;
  /** Device id, see `DEVICES`. */
  readonly device: string;
}

/** Options of the quantize step in a recipe; empty where there are none. */
function quantizeOptions(recipe: object): Readonly<Record<string, unknown>> {
  const { steps } = recipe as { steps?: readonly { step?: string; enabled?: boolean; options?: Record<string, unknown> }[] };
  const step = Array.isArray(steps) ? steps.find((s) => s?.step === 'quantize' && s.enabled !== false) : undefined;
  return step?.options ?? {};
}

/** The float network with the weights that are asked for: TensorFlow Lite finds the studio's int8 weights again. */
function withWeights(float: ModelArtifact, quant: QuantArtifact | null, wanted: unknown, device: Device): ModelArtifact {
  const quantized = wanted === 'quantized' || (wanted === 'auto' && device.exports.bundle === 'tflite');
  return quant && quantized ? { ...float, model: floatTwin(quant.model) } : float;
}

/**
 * Writes the bundle that the device's toolchain takes. The quantized network goes in as it was evaluated, byte for byte.
 * Hailo: float network cut where the parser wants it, calibration set, model script, NMS configuration, compile.py.
 * TensorFlow Lite: float network cut at its logits, calibration set, convert.py. ONNX Runtime: the networks. All: retrain/,
 * which trains the float network further on other machines.
 *
 * @example
 * const bundle = await exportBundle({ float, quant, calibration, rows, recipe, device: 'hailo8' }, { hostOrder: 'rgb' }, ctx);
 * writeFileSync('bundle.zip', zipBundle(bundle.files));
 * @throws StudioError 'bad-option' for an unknown device or option, 'unsupported' for networks without one image input,
 * 'missing-data' when no calibration image can be read
 */
export async function exportBundle(input: BundleInput, options: OptionValues, ctx: StepContext): Promise<BundleArtifact> {
  const { quant, original, calibration, rows, recipe } = input;
  const settings = resolveOptions(exportMeta, options);
  const device = deviceById(input.device);
  const float = withWeights(input.float, quant, settings.weights, device);
  const hostOrder = settings.hostOrder as HostOrder;
  const files = new Map<string, Uint8Array>();
  const retrain = original ? retrainFiles(input.float, original) : new Map<string, Uint8Array>();
  let count = 0;
  const job: Job = {
    ...{ float, planned: input.float.model, quant, rows, device, settings, hostOrder, quantizeOptions: quantizeOptions(recipe) },
    images: async ({ preprocess }) => {
      const images = await calibrationFile(calibration, preprocess, hostOrder, settings.calibrationImages as number, ctx);
      files.set('calib_set.npy', images.bytes);
      count = images.shape[0]!;
      return { count, skipped: images.skipped };
    },
    network: (model: Model) => files.set('model.onnx', serializeModel(model)),
    names: (texts) => [
      'model.onnx',
      ...(quant ? ['model.qdq.onnx'] : []),
      ...(count > 0 ? ['calib_set.npy'] : []),
      ...texts.keys(),
      'recipe.json',
      ...(retrain.size > 0 ? ['retrain/'] : []),
    ],
  };
  if (quant) files.set('model.qdq.onnx', serializeModel(quant.model));
  const texts = await BUNDLES[device.exports.bundle](job);
  const encoder = new TextEncoder();
  files.set('recipe.json', encoder.encode(json(recipe)));
  for (const [name, content] of texts) files.set(name, encoder.encode(content));
  for (const [name, bytes] of retrain) files.set(name, bytes);
  const networks = [input.float.hash, original?.hash ?? '', quant?.hash ?? ''];
  const hash = await stepHash(exportMeta, [...networks, canonicalJson([calibration.name, count, recipe, rows])], {
    ...settings,
    device: device.id,
  });
  return { kind: 'bundle', hash, files };
}

const BUNDLES = { hailo: hailoBundle, tflite: tfliteBundle, onnx: onnxBundle } satisfies Record<
  Device['exports']['bundle'],
  (job: Job) => ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>
>;
