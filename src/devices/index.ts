/** Target devices: a file of data each (schemes, operator support, precision, export, every fact with its source) and the checks. May import onnx and numerics. */
import { StudioError } from '../numerics';
import { hailo8 } from './hailo8';
import { hailo8l } from './hailo8l';
import { hailo10h } from './hailo10h';
import { hailo15h } from './hailo15h';
import { ort } from './ort';
import { tflite } from './tflite';
import type { Device } from './types';

export { type CheckOptions, checkDevice, checkLayers, type DeviceReport, deviceReport } from './check';
export {
  checkQuantization,
  type DeviceReading,
  deviceReadings,
  type PlannedTensor,
  planOfQdq,
  type Quantization,
} from './quantization';
export { deviceTable, supportMarkdown } from './support';
export type * from './types';
export { widened } from './widths';

export const DEVICES = { hailo8, hailo8l, hailo10h, hailo15h, tflite, ort } satisfies Record<string, Device>;

/** @throws StudioError 'bad-option' naming the devices there are */
export function deviceById(id: string): Device {
  const device = Object.hasOwn(DEVICES, id) ? DEVICES[id as keyof typeof DEVICES] : undefined;
  if (!device)
    throw new StudioError('bad-option', `There is no device ${JSON.stringify(id)}.`, `Devices are: ${Object.keys(DEVICES).join(', ')}.`);
  return device;
}
