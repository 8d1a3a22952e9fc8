import { type OptionValues, resolveOptions } from '../common';
import type { StepMeta } from '../meta';
import type { CalibratorId } from './calibrators';

/** What {@link quantizeMeta} declares, typed. */
export interface QuantizeOptions {
  readonly weights: 'per-channel' | 'per-tensor';
  readonly activations: 'uint8' | 'int8';
  readonly symmetric: boolean;
  readonly calibrator: CalibratorId;
  readonly percentile: number;
  readonly headOutputs: 'minmax' | 'same';
  readonly fuseActivations: boolean;
  readonly concat: 'shared' | 'requantize';
  readonly tail: 'float' | 'all';
}

export const quantizeMeta: StepMeta = {
  id: 'quantize',
  version: 1,
  options: [
    {
      key: 'weights',
      type: 'choice',
      default: 'per-channel',
      choices: ['per-channel', 'per-tensor'],
      help: 'One weight scale per output channel, or one for the whole layer.',
    },
    {
      key: 'calibrator',
      type: 'choice',
      default: 'percentile',
      choices: ['minmax', 'percentile', 'mse'],
      help: 'How the range of an activation is chosen from its histogram.',
    },
    {
      key: 'percentile',
      type: 'number',
      default: 99.9,
      min: 90,
      max: 100,
      step: 0.01,
      unit: '%',
      help: 'Values beyond this percentile, and below its mirror image, are clipped (calibrator "percentile").',
    },
    {
      key: 'headOutputs',
      type: 'choice',
      default: 'minmax',
      choices: ['minmax', 'same'],
      advanced: true,
      help: 'Range of the last layers: their full range (high scores are rare, and clipping them loses detections), or by the same calibrator.',
    },
    {
      key: 'fuseActivations',
      type: 'boolean',
      default: true,
      help: 'Treat Conv and its activation (SiLU, ReLU, HardSwish…) as one layer whose output alone is quantized.',
    },
    {
      key: 'concat',
      type: 'choice',
      default: 'requantize',
      choices: ['shared', 'requantize'],
      help: 'Concat inputs share the scale of its output (Hailo), or keep their own and the output is requantized.',
    },
    {
      key: 'activations',
      type: 'choice',
      default: 'uint8',
      choices: ['uint8', 'int8'],
      advanced: true,
      help: 'Integer type of activations.',
    },
    {
      key: 'symmetric',
      type: 'boolean',
      default: false,
      advanced: true,
      help: 'Give activations ranges symmetric about 0 (costs up to one bit after ReLU).',
    },
    {
      key: 'tail',
      type: 'choice',
      default: 'float',
      choices: ['float', 'all'],
      advanced: true,
      help: 'Leave what follows the last layers (sigmoid, box decoding, joining boxes and scores) in float, or quantize it too.',
    },
  ],
};

/** @throws StudioError 'bad-option' naming what is wrong */
export function readOptions(values: OptionValues): QuantizeOptions {
  return resolveOptions(quantizeMeta, values) as unknown as QuantizeOptions;
}
