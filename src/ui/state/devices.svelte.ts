import type { DeviceProfile, LayerState } from '../../../workers/device';
import type { StepWorker } from '../bridge';
import type { OpenModel } from './studio.svelte';

/** Target devices: what they state, and what each makes of the open network. */
export class DevicesState {
  profiles = $state.raw<readonly DeviceProfile[]>([]);
  /** Checks of the network that is open, by device. */
  #checks = new Map<string, Promise<readonly LayerState[]>>();
  #model: OpenModel | null = null;

  constructor(private readonly steps: StepWorker) {}

  async load(): Promise<void> {
    this.profiles = await this.steps.devices();
  }

  profile(id: string): DeviceProfile | null {
    return this.profiles.find((profile) => profile.id === id) ?? null;
  }

  check(model: OpenModel, device: string): Promise<readonly LayerState[]> {
    if (model.bytes !== this.#model?.bytes) this.#checks.clear();
    this.#model = model;
    let check = this.#checks.get(device);
    if (!check) {
      check = this.steps.checkDevice(model, device);
      check.catch(() => this.#checks.delete(device));
      this.#checks.set(device, check);
    }
    return check;
  }
}
