/** What the bundles of all devices share: one job of the export. */
import { checkQuantization, type Device, type DeviceFinding } from '../../devices';
import type { Preprocess } from '../../models';
import type { Model, ValueInfo } from '../../onnx';
import type { OptionValues } from '../common';
import type { ModelArtifact, QuantArtifact } from '../types';
import { networkName } from './names';
import type { HostOrder } from './npy';
import type { BundleRow } from './readme';
import { normalization } from './script';

/** What of a network the calibration set and the manifest depend on. */
export interface Exported {
  readonly model: Model;
  readonly preprocess: Preprocess;
  readonly input: ValueInfo & { readonly shape: readonly number[] };
  readonly endNodes: readonly string[];
}

export interface Job {
  /** The float network for the toolchain, with the weights that the options ask for. */
  readonly float: ModelArtifact;
  /** The float network that was quantized: the plan's names are its. */
  readonly planned: Model;
  readonly quant: QuantArtifact | null;
  readonly rows: readonly BundleRow[];
  readonly device: Device;
  readonly settings: OptionValues;
  readonly hostOrder: HostOrder;
  /** The quantize step's options as the recipe has them, where it has any. */
  readonly quantizeOptions: Readonly<Record<string, unknown>>;
  /** Writes the calibration set; how many images it holds. */
  images(network: Exported): Promise<{ readonly count: number; readonly skipped: number }>;
  /** Sets model.onnx. */
  network(model: Model): void;
  /** Names of all the files so far and of `texts`. */
  names(texts: ReadonlyMap<string, string>): readonly string[];
}

export const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** The part of bundle.json that every bundle has. */
export function manifestOf({ float, device, hostOrder }: Job, { preprocess, input, endNodes }: Exported) {
  const scale = normalization(preprocess);
  return {
    bonsai_bundle: 1,
    net_name: networkName(float.name),
    family: float.spec?.family ?? null,
    device: device.id,
    hw_arch: device.hwArch,
    classes: float.spec?.numClasses ?? 0,
    class_names: float.spec?.classNames ?? [],
    input: {
      name: input.name,
      shape: input.shape,
      layout: preprocess.layout,
      channels: preprocess.channels,
      host_order: hostOrder,
      mean: scale.mean,
      std: scale.std,
      resize: preprocess.resize,
      pad: preprocess.pad,
    },
    end_nodes: endNodes,
  };
}

/** Findings as sentences, each reason once with how many nodes it concerns. */
function sentences(findings: readonly DeviceFinding[]): readonly string[] {
  const groups = new Map<string, DeviceFinding[]>();
  for (const finding of findings) {
    const key = `${finding.state}|${finding.reason}|${finding.advice}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()].map((group) => {
    const { node, op, state, reason, advice } = group[0]!;
    const where = node === '*' ? 'The network' : `"${node}" (${op})${group.length > 1 ? ` and ${group.length - 1} more` : ''}`;
    return `${where}, ${state}: ${reason}${advice ? ` ${advice}` : ''}`;
  });
}

/** What the device does otherwise than the quantization that was evaluated, as sentences. */
export function limits({ planned, quant, device, quantizeOptions }: Job): readonly string[] {
  return quant ? sentences(checkQuantization(planned, device, { plan: quant.plan, options: quantizeOptions })) : [];
}
