import type { StepMeta } from '../meta';
import type { Objective } from './objective';

export const IMPORTANCE_IDS = [
  'gauss-newton',
  'measured',
  'taylor',
  'reconstruction',
  'activation',
  'flow',
  'bn-scale',
  'l2',
  'l1',
  'random',
] as const;
export type ImportanceId = (typeof IMPORTANCE_IDS)[number];

export const REDUCTIONS = ['root', 'sum', 'joint'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Values of the step's options. */
export interface PruneOptions {
  readonly method: 'structured' | 'unstructured';
  /** Percent of the objective to remove. */
  readonly macsReduction: number;
  /** Percent of the objective that goes between two recoveries. */
  readonly stepSize: number;
  readonly objective: Objective;
  readonly importance: ImportanceId;
  readonly reduction: Reduction;
  readonly channelMultiple: number;
  readonly minChannels: number;
  /** Percent. */
  readonly maxGroupReduction: number;
  /** Images that the importance looks at; 0 = as many as it needs. */
  readonly images: number;
  readonly headProtection: 'off' | 'half' | 'full';
  readonly regions: 'even' | 'backbone-first';
  readonly removeBlocks: boolean;
  readonly resolve: 'auto' | 'off';
  /** Percent of the weights to zero. */
  readonly sparsity: number;
}

export const pruneMeta: StepMeta = {
  id: 'prune',
  version: 2,
  options: [
    {
      key: 'method',
      type: 'choice',
      default: 'structured',
      choices: ['structured', 'unstructured'],
      help: 'Structured removes whole channels: fewer MACs, a smaller graph. Unstructured zeroes single weights: fewer compressed bytes, no speed-up.',
    },
    {
      key: 'macsReduction',
      type: 'number',
      default: 10,
      min: 1,
      max: 90,
      step: 1,
      unit: '%',
      help: 'Structured: share of the multiply-accumulates to remove, or of what the objective names.',
    },
    {
      key: 'stepSize',
      type: 'number',
      default: 5,
      min: 1,
      max: 90,
      step: 1,
      unit: '%',
      help: 'Structured: share that goes at once; what is left is judged anew, and recovered where recovery is on, before more goes.',
    },
    {
      key: 'objective',
      type: 'choice',
      default: 'macs',
      choices: ['macs', 'parameters', 'weight-bytes', 'activation-bytes'],
      advanced: true,
      help: 'What is to shrink: channels go where they cost the least importance for each of these saved, and the share to remove counts in them.',
    },
    {
      key: 'importance',
      type: 'choice',
      default: 'gauss-newton',
      choices: IMPORTANCE_IDS,
      help: 'What channels are worth. Looking at images: curvature of the detections’ loss (gauss-newton), how far the outputs move without them (measured), slope of the loss against the unpruned network (taylor), what their readers can’t make up for (reconstruction). Else: their share in the layers that read them (activation, or flow from weights alone), BatchNorm’s scale, the size of their weights (l2, l1), or chance (a control).',
    },
    {
      key: 'reduction',
      type: 'choice',
      default: 'root',
      choices: REDUCTIONS,
      advanced: true,
      help: 'Importance "gauss-newton": channels that go together cost the sum of their removal costs’ roots (root), of the costs (sum), or what the quadratic model says of all of them at once (joint).',
    },
    {
      key: 'channelMultiple',
      type: 'number',
      default: 8,
      min: 1,
      max: 64,
      step: 1,
      advanced: true,
      help: 'Channels are removed in blocks of this many, so that widths stay aligned; narrow layers use halves of it.',
    },
    {
      key: 'minChannels',
      type: 'number',
      default: 8,
      min: 1,
      max: 256,
      step: 1,
      advanced: true,
      help: 'No layer is left with fewer channels than this.',
    },
    {
      key: 'maxGroupReduction',
      type: 'number',
      default: 60,
      min: 1,
      max: 95,
      step: 1,
      unit: '%',
      advanced: true,
      help: 'No group of channels loses more than this share.',
    },
    {
      key: 'images',
      type: 'number',
      default: 0,
      min: 0,
      max: 256,
      step: 1,
      advanced: true,
      help: 'Images that the importance looks at; 0 = as many as it needs. Time grows with them.',
    },
    {
      key: 'headProtection',
      type: 'choice',
      default: 'off',
      choices: ['off', 'half', 'full'],
      advanced: true,
      help: 'Groups of the detection head may lose as much as others (off), half of it, or nothing (full); its outputs always keep their channels.',
    },
    {
      key: 'regions',
      type: 'choice',
      default: 'even',
      choices: ['even', 'backbone-first'],
      advanced: true,
      help: 'Backbone first: a channel of the neck counts as dearer by half, one of the head as twice as dear.',
    },
    {
      key: 'removeBlocks',
      type: 'boolean',
      default: false,
      advanced: true,
      help: 'A residual block may go as a whole where that costs least.',
    },
    {
      key: 'resolve',
      type: 'choice',
      default: 'auto',
      choices: ['auto', 'off'],
      help: 'Structured: solve the layers behind the cut again by least squares on images; auto keeps that only where it helps on images held back.',
    },
    {
      key: 'sparsity',
      type: 'number',
      default: 50,
      min: 1,
      max: 99,
      step: 1,
      unit: '%',
      advanced: true,
      help: 'Unstructured: share of the weights to zero, smallest magnitude first.',
    },
  ],
};
