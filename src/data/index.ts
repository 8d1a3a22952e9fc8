/** Images, COCO annotations, splits, scenes. May import numerics only. */
export { cocoSet } from './coco';
export { type DecodeImageOptions, type DecoderModules, decodeImage, initDecoders } from './decode';
export { type ImageHeader, MAX_PIXELS, readHeader } from './header';
export { drawScene, SCENE_CATEGORIES, SCENE_CLASSES, type Scene, type SceneOptions, sceneSet } from './scenes/draw';
export { folderSet, isImageName, joinSets, type ReadFile, sample, split, subset } from './sets';
export type * from './types';
