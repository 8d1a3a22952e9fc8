/** Export: the bundle for a device's compiler. May import the rooms below steps. */
import type { ImageSet } from '../../data';
import { checkDevice, deviceById } from '../../devices';
import { serializeModel } from '../../onnx';
import { canonicalJson, type OptionValues, resolveOptions, stepHash } from '../common';
import type { BundleArtifact, ModelArtifact, QuantArtifact, StepContext } from '../types';
import { COMPILE_SCRIPT, COMPILE_SHELL } from './compile-py';
import { exportMeta } from './meta';
import { networkName } from './names';
import { bundleNetwork } from './network';
import { calibrationFile, type HostOrder } from './npy';
import { type BundleRow, readme, toFillIn } from './readme';
import { depthwiseNodes, modelScript, nmsArch, nmsConfig, normalization, type ScriptPreset } from './script';

export { deviceById } from '../../devices';
export { engineAgreement } from '../../runtime';
export { fewFeeds } from '../feeds';
export { exportMeta } from './meta';
export type { BundleRow } from './readme';
export { zipBundle, zipPieces } from './zip';

export interface BundleInput {
  /** The compressed float network. */
  readonly float: ModelArtifact;
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

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/**
 * Writes the bundle: networks, calibration set, model script, NMS configuration, compile.py, recipe and README. The
 * quantized network goes in as it was evaluated, byte for byte; the float one is cut where the parser wants it.
 *
 * @example
 * const bundle = await exportBundle({ float, quant, calibration, rows, recipe, device: 'hailo8' }, { hostOrder: 'rgb' }, ctx);
 * writeFileSync('bundle.zip', zipBundle(bundle.files));
 * @throws StudioError 'bad-option' for an unknown device or option, 'unsupported' for networks without one image input,
 * 'missing-data' when no calibration image can be read
 */
export async function exportBundle(input: BundleInput, options: OptionValues, ctx: StepContext): Promise<BundleArtifact> {
  const { float, quant, calibration, rows, recipe } = input;
  const settings = resolveOptions(exportMeta, options);
  const device = deviceById(input.device);
  const network = bundleNetwork(float);
  const { preprocess } = network;
  const hostOrder = settings.hostOrder as HostOrder;
  const images = await calibrationFile(calibration, preprocess, hostOrder, settings.calibrationImages as number, ctx);
  const count = images.shape[0]!;
  const nms = nmsArch(network, float.spec);
  const wanted = settings.scriptPreset as ScriptPreset | 'auto';
  const preset = wanted === 'auto' ? (depthwiseNodes(network.model).length > 0 ? 'depthwise' : 'plain') : wanted;
  const scale = normalization(preprocess);
  const family = float.spec?.family ?? null;
  const manifest = {
    bonsai_bundle: 1,
    net_name: networkName(float.name),
    family,
    device: device.id,
    hw_arch: device.hwArch,
    classes: float.spec?.numClasses ?? 0,
    class_names: float.spec?.classNames ?? [],
    input: {
      name: network.input.name,
      shape: network.input.shape,
      layout: preprocess.layout,
      channels: preprocess.channels,
      host_order: hostOrder,
      mean: scale.mean,
      std: scale.std,
      resize: preprocess.resize,
      pad: preprocess.pad,
    },
    end_nodes: network.endNodes,
    heads: network.heads,
    nms,
    qdq: quant ? 'model.qdq.onnx' : null,
    to_fill_in: toFillIn(network, family, nms),
  };
  const script = modelScript({ network, preprocess, hostOrder, images: count, preset, nms });
  const texts = new Map<string, string>([['model.alls', script]]);
  if (nms) texts.set('nms_config.json', json(nmsConfig(network, float.spec!, nms, settings.scoreThreshold as number)));
  texts.set('bundle.json', json(manifest));
  texts.set('compile.py', COMPILE_SCRIPT).set('compile.sh', COMPILE_SHELL).set('recipe.json', json(recipe));

  const files = new Map<string, Uint8Array>([['model.onnx', serializeModel(network.model)]]);
  if (quant) files.set('model.qdq.onnx', serializeModel(quant.model));
  files.set('calib_set.npy', images.bytes);
  const names = [...files.keys(), ...texts.keys()];
  const text = readme({
    ...{ name: float.name, device, network, family, preprocess, hostOrder, preset, nms, rows },
    ...{ images: count, skipped: images.skipped, files: names },
    findings: checkDevice(network.model, device),
    notes: [...network.notes, ...(quant?.notes ?? [])],
  });
  const encoder = new TextEncoder();
  for (const [name, content] of [...texts, ['README.md', text] as const]) files.set(name, encoder.encode(content));
  const hash = await stepHash(exportMeta, [float.hash, quant?.hash ?? '', canonicalJson([calibration.name, count, recipe, rows])], {
    ...settings,
    device: device.id,
  });
  return { kind: 'bundle', hash, files };
}
