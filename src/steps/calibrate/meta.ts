import type { StepMeta } from '../meta';

export const calibrateMeta: StepMeta = {
  id: 'calibrate',
  version: 1,
  options: [
    { key: 'images', type: 'number', default: 64, min: 1, max: 10000, step: 1, help: 'Images to measure, spread evenly over the set.' },
    {
      key: 'samples',
      type: 'number',
      default: 2048,
      min: 256,
      max: 65536,
      step: 256,
      advanced: true,
      help: 'On a CPU: values of each tensor and image that enter histogram, mean and variance; minimum and maximum see all.',
    },
  ],
};
