import { type OptionValues, resolveOptions } from '../common';
import type { StepMeta, TensorRanges } from '../meta';
import type { CalibratorId } from './calibrators';

/** What {@link quantizeMeta} declares, typed. */
export interface QuantizeOptions {
  readonly weights: 'per-channel' | 'per-tensor';
  readonly activations: 'uint8' | 'int8';
  readonly symmetric: boolean;
  readonly calibrator: CalibratorId;
  readonly percentile: number;
  readonly tryCalibrators: boolean;
  readonly headOutputs: 'minmax' | 'same';
  readonly fuseActivations: boolean;
  readonly concat: 'shared' | 'requantize';
  readonly tail: 'float' | 'all';
  readonly fixedRanges: boolean;
  readonly ranges: TensorRanges;
  readonly equalize: boolean;
  readonly splitLayers: number;
  readonly weightRange: 'absmax' | 'mse';
  readonly clipping: 'calibrator' | 'task';
  readonly clipTrials: number;
  readonly sixteenBit: 'off' | 'depthwise' | 'search';
  readonly sixteenBitLayers: number;
  readonly reconstruct: 'off' | 'least-squares';
  readonly learnSteps: number;
  readonly qatSteps: number;
  readonly qatMethod: 'lsq' | 'pact';
  readonly qatPatience: number;
  readonly rounding: 'nearest' | 'gptq';
  readonly biasCorrection: boolean;
  readonly repairImages: number;
}

export const quantizeMeta: StepMeta = {
  id: 'quantize',
  version: 5,
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
      choices: ['minmax', 'percentile', 'mse', 'entropy'],
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
      key: 'tryCalibrators',
      type: 'boolean',
      default: false,
      help: 'Try min-max, two percentiles and least squared error, and keep the one whose outputs err least on images held back.',
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
    {
      key: 'fixedRanges',
      type: 'boolean',
      default: true,
      advanced: true,
      help: 'Outputs of Sigmoid and Softmax always get the range 0…1, whatever the images showed.',
    },
    {
      key: 'ranges',
      type: 'ranges',
      default: {},
      help: 'Activation ranges set by hand (clip lines dragged in the layers panel), by value name. Calibrators and the clipping search leave them; learning starts from them.',
    },
    {
      key: 'equalize',
      type: 'boolean',
      default: false,
      help: 'Even out channel ranges between layers before calibration, where the activation in between lets it be exact (ReLU family).',
    },
    {
      key: 'splitLayers',
      type: 'number',
      default: 0,
      min: 0,
      max: 1000,
      step: 1,
      unit: 'layers',
      help: 'Layers before depthwise convolutions that may be cut into parts of channels with like ranges, each with its own scale; the float network computes the same. 0: none.',
    },
    {
      key: 'weightRange',
      type: 'choice',
      default: 'absmax',
      choices: ['absmax', 'mse'],
      advanced: true,
      help: 'Weight scales from the largest weight, or from the clip of least squared error.',
    },
    {
      key: 'clipping',
      type: 'choice',
      default: 'calibrator',
      choices: ['calibrator', 'task'],
      help: 'Activation ranges as the calibrator chose them, or searched for the least disturbance of the detections.',
    },
    {
      key: 'clipTrials',
      type: 'number',
      default: 400,
      min: 1,
      max: 100000,
      step: 10,
      advanced: true,
      help: 'Ranges tried by the search at most (clipping "task"); a number and not seconds, so that a replay gives the same.',
    },
    {
      key: 'sixteenBit',
      type: 'choice',
      default: 'off',
      choices: ['off', 'depthwise', 'search'],
      help: 'Layers whose activations get 16 bits: none, every depthwise convolution, or those that help most.',
    },
    {
      key: 'sixteenBitLayers',
      type: 'number',
      default: 5,
      min: 1,
      max: 1000,
      step: 1,
      help: 'Layers in 16 bits at most (16 bit "search").',
    },
    {
      key: 'reconstruct',
      type: 'choice',
      default: 'off',
      choices: ['off', 'least-squares'],
      help: 'Solve weights and biases again, layer by layer, so that each makes up for the error of its quantized input.',
    },
    {
      key: 'learnSteps',
      type: 'number',
      default: 0,
      min: 0,
      max: 100000,
      step: 10,
      help: 'Image-steps of learning scales, zero points and biases against the float network; the weights stay frozen. 0: none.',
    },
    {
      key: 'qatSteps',
      type: 'number',
      default: 0,
      min: 0,
      max: 200000,
      step: 100,
      help: 'Image-steps of quantization-aware training: weights, scales, zero points and biases together. 0: none.',
    },
    {
      key: 'qatMethod',
      type: 'choice',
      default: 'lsq',
      choices: ['lsq', 'pact'],
      help: 'LSQ learns each step size from all values; PACT learns clips from what is clipped, and pulls them down.',
    },
    {
      key: 'qatPatience',
      type: 'number',
      default: 0,
      min: 0,
      max: 100,
      step: 1,
      help: 'QAT ends early after this many looks at unseen images without a better one. 0: never.',
    },
    {
      key: 'rounding',
      type: 'choice',
      default: 'nearest',
      choices: ['nearest', 'gptq'],
      advanced: true,
      help: 'Round each weight to the nearest integer, or so that the layer output errs least (GPTQ).',
    },
    {
      key: 'biasCorrection',
      type: 'boolean',
      default: false,
      advanced: true,
      help: 'Shift biases by the mean error of the layer output; undone where the detections get worse.',
    },
    {
      key: 'repairImages',
      type: 'number',
      default: 96,
      min: 2,
      max: 100000,
      step: 1,
      advanced: true,
      help: 'Calibration images that repairs use; a fifth of them is held back to judge each repair.',
    },
  ],
};

/** @throws StudioError 'bad-option' naming what is wrong */
export function readOptions(values: OptionValues): QuantizeOptions {
  return resolveOptions(quantizeMeta, values) as unknown as QuantizeOptions;
}
