/** Why a quantized network errs: which tensors, for what reason, and what helps. */
export { type AnalysisContext, type AnalysisInput, analyzeQuantization } from './analyze';
export { type LoadedImage, loadFeeds } from './feeds';
export { type FollowFrame, followLayers } from './follow';
export { type AnalysisState, newAnalysisState } from './measurements';
export { type StoryInput, tellStory } from './story';
export type * from './types';
