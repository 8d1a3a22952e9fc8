/** What the page asks of devices: profiles without their functions, the check of a network, and a cut that a finding offers. */
import { checkLayers, DEVICES, type Device, deviceById, type LayerState } from '../src/devices';
import { cutAt, serializeModel } from '../src/onnx';
import { openModel } from '../src/steps/open';

/** A device's statements, each with its mark and source. */
export type DeviceProfile = Omit<Device, 'checks'>;
export type { LayerState } from '../src/devices';

export interface ModelFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly external?: ReadonlyMap<string, Uint8Array>;
}

/** Functions can't be sent to the page; it has no use for them. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => typeof entry !== 'function')
      .map(([key, entry]) => [key, plain(entry)]),
  );
}

export function deviceProfiles(): readonly DeviceProfile[] {
  return Object.values<Device>(DEVICES).map(({ checks: _, ...profile }) => plain(profile) as DeviceProfile);
}

/** Every node of a network on a device. Throws StudioError as opening does, 'bad-option' for an unknown device. */
export async function checkOnDevice({ name, bytes, external }: ModelFile, device: string): Promise<readonly LayerState[]> {
  return checkLayers((await openModel(name, bytes, external)).model, deviceById(device));
}

/** The network up to `values`. Throws StudioError 'bad-option' for a value that nothing computes. */
export async function cutModel({ name, bytes, external }: ModelFile, values: readonly string[]): Promise<Uint8Array> {
  return serializeModel(cutAt((await openModel(name, bytes, external)).model, values));
}
