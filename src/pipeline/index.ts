/** Recipes, presets and the run that composes the steps. May import steps, store and numerics. */
export type {
  CancelToken,
  Detection,
  DetectionMetrics,
  DetectorSpec,
  ImageSet,
  InspectReport,
  LayerReport,
  ModelArtifact,
  OptionMeta,
  OptionValue,
  OptionValues,
  ParetoPoint,
  Progress,
  RangesArtifact,
  StepId,
  StepMeta,
  TensorQuant,
  TensorRanges,
  TensorStats,
} from '../steps';
export { partName, wholeName } from '../steps';
export type {
  AnalysisReport,
  Distance,
  Evidence,
  Gain,
  GridLines,
  Histogram,
  LayerAnalysis,
  LayerKind,
  LostBox,
  Story,
  StoryFrame,
  Verdict,
  VerdictKind,
} from '../steps/quantize';
export { type AnalyzeOptions, analyzeRecipe, tellRecipe } from './analyze';
export { evaluateModel, type ModelEvaluation, takeFirst } from './evaluate';
export { PRESETS, parseRecipe, stepOf } from './recipe';
export { inspectModel, runRecipe } from './run';
export { type RecipeSearch, type SearchBudget, searchRecipe } from './search';
export { scanRecipe } from './sensitivity';
export { STEP_META } from './table';
export type * from './types';
