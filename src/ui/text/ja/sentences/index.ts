/** Every sentence of the core in Japanese, by its English template. */
import type { Templates } from '../../sentences';
import { data } from './data';
import { devices } from './devices';
import { engines } from './engines';
import { foreign } from './foreign';
import { hailo } from './hailo';
import { models } from './models';
import { onnx } from './onnx';
import { ort } from './ort';
import { pipeline } from './pipeline';
import { prune } from './prune';
import { quantize } from './quantize';
import { steps } from './steps';
import { tflite } from './tflite';
import { training } from './training';

export { foreign } from './foreign';
/** By room, so that a test can find an entry that is given twice. */
export const rooms: readonly Templates[] = [
  ...[data, devices, engines, hailo, models, onnx, ort],
  ...[pipeline, prune, quantize, steps, tflite, training],
];
export const sentences: Templates = Object.assign({}, foreign, ...rooms);
