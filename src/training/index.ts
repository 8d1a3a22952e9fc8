/**
 * Training: optimizers, losses, augmentation, and the loop that joins them. Gradients come as ONNX graphs from autodiff.
 * May import autodiff, onnx, runtime, models, data and numerics.
 */
export { gradientCosine, openAdmitted, type TrainingEngines } from './admit';
export { AUGMENTATION, type Augmentation, augment } from './augment';
export {
  type GrowCheckpoint,
  type GrowContext,
  type GrowLook,
  type GrowOptions,
  type GrowResult,
  growDetector,
  LIVE_RECIPE,
  SCENE_RECIPES,
} from './grow';
export {
  LABELLED_AUGMENTATION,
  type LabelledAugmentation,
  type LabelledImage,
  type LabelledImages,
  type LabelledView,
  labelledView,
  plainView,
} from './labelled';
export { featureLevels, featureMaps } from './levels';
export { type Assigned, assignCells, type LabelBox } from './losses/assign';
export {
  type Distillation,
  type DistillationOptions,
  headMismatch,
  type LossPart,
  type LossWeights,
  MASS,
  PLAIN_WEIGHTS,
  planDistillation,
} from './losses/distill';
export type { FeatureLoss, FeaturePair } from './losses/features';
export { type Head, type HeadPlan, type Part, plainOutputs, planHeads, readPart } from './losses/heads';
export { type JoinedLoss, joinLosses, joinSources, type NetworkLoss, type WeightedLoss } from './losses/join';
export { LABEL_WEIGHTS, type LabelLoss, type LabelOptions, type LabelPart, type LabelWeights, planLabels } from './losses/labels';
export { cutTo, GraphWriter } from './losses/writer';
export {
  type Batch,
  type GraphObjective,
  type GraphObjectiveParts,
  openObjective,
  type TargetSource,
  teacherSource,
  type VariableMap,
} from './objective';
export { OPTIMIZERS, type OptimizerId, type Variable } from './optimizers';
export {
  augmentedBatches,
  type HeldShare,
  heldBack,
  openPool,
  type Prepare,
  plainBatches,
  repeatedBatches,
  stepImages,
  type TrainingImages,
  type TrainingPool,
} from './pool';
export { openPrefix, type Prefix, type PrefixOptions } from './prefix';
export { averageDecay, rateFactor, SCHEDULE, type Schedule } from './schedule';
export { channelSigma, meanSquare } from './sigma';
export {
  copyState,
  type Objective,
  startState,
  TRAIN_SETTINGS,
  type TrainCheckpoint,
  type TrainContext,
  type TrainPoint,
  type TrainResult,
  type TrainSettings,
  type TrainState,
  train,
  type Values,
} from './trainer';
export {
  asInputs,
  beginningParameters,
  biasedOutputs,
  trainableWeights,
  variableFeeds,
  type WeightRates,
  weightUnit,
  withValues,
} from './weights';
