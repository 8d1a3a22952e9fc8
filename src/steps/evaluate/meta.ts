import type { StepMeta } from '../meta';

/** Defaults are COCO's evaluation of YOLOX; another threshold gives another mAP, so they stand beside every figure. */
export const evaluateMeta: StepMeta = {
  id: 'evaluate',
  version: 2,
  options: [
    {
      key: 'scoreThreshold',
      type: 'number',
      default: 0.01,
      min: 0.0001,
      max: 0.9,
      step: 0.01,
      help: 'Detections below this score are dropped; 0.25 instead of 0.01 costs YOLOX-Nano about 6 mAP.',
    },
    {
      key: 'iouThreshold',
      type: 'number',
      default: 0.65,
      min: 0.1,
      max: 1,
      step: 0.05,
      advanced: true,
      help: 'Non-maximum suppression drops a box that overlaps a better one by more than this (intersection over union).',
    },
    {
      key: 'nms',
      type: 'choice',
      default: 'per-class',
      choices: ['per-class', 'agnostic'],
      advanced: true,
      help: 'Whether boxes of different classes suppress each other (agnostic) or not (per-class, as COCO evaluates).',
    },
    {
      key: 'maxDetections',
      type: 'number',
      default: 100,
      min: 1,
      max: 100,
      step: 1,
      unit: 'boxes',
      advanced: true,
      help: 'Most detections that are kept for one image.',
    },
  ],
};
