import type { StepMeta } from '../meta';

export const exportMeta: StepMeta = {
  id: 'export',
  version: 2,
  options: [
    {
      key: 'calibrationImages',
      type: 'number',
      default: 1024,
      min: 1,
      max: 8192,
      step: 1,
      help: 'Most calibration images to put into the bundle; the compiler wants 1,024 distinct ones for its better optimization levels.',
    },
    {
      key: 'scriptPreset',
      type: 'choice',
      default: 'auto',
      choices: ['auto', 'plain', 'depthwise'],
      help: 'Quantization commands of the model script: plain, or with clipping and 16 bits where depthwise networks need them; auto looks at the network.',
    },
    {
      key: 'hostOrder',
      type: 'choice',
      default: 'bgr',
      choices: ['bgr', 'rgb'],
      help: 'Channel order of the images that your application will send to the device (OpenCV: BGR). The calibration set and the model script follow it.',
    },
    {
      key: 'weights',
      type: 'choice',
      default: 'auto',
      choices: ['auto', 'original', 'quantized'],
      advanced: true,
      help: 'Weights of the float network that the toolchain quantizes by itself: the original ones, or those that quantization and its repairs left; auto as the device profits.',
    },
    {
      key: 'activationRanges',
      type: 'choice',
      default: 'compiler',
      choices: ['compiler', 'studio'],
      advanced: true,
      help: 'Activation ranges on a Hailo device: as its compiler measures them, or the studio’s as manual clipping, with equalization off.',
    },
    {
      key: 'scoreThreshold',
      type: 'number',
      default: 0.2,
      min: 0.001,
      max: 0.95,
      step: 0.01,
      advanced: true,
      help: 'Score threshold of the suppression on the host; 0.01 to measure mAP.',
    },
  ],
};
