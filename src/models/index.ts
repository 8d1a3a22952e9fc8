/** Detector families, preprocessing, decoding, NMS. May import onnx and numerics. */
export { buildDetector, type DetectorKind, type DetectorOptions, type DetectorSize, SCENE_DETECTORS } from './build/detector';
export { CATALOG, CATALOG_HOST, type CatalogEntry, recogniseModel } from './catalog';
export { type CategoryMap, COCO_CATEGORY_IDS, COCO_NAMES, categoryMap } from './coco';
export { COCO_OPTIONS, detect, FAMILIES, headNodes, matchFamily, PREVIEW_OPTIONS, refineSpec } from './detect';
export { downloadModel, type Network } from './download';
export { hasOwnPreprocess, withPreprocess } from './metadata';
export { classNamesFor, parseNames } from './names';
export { nms } from './nms';
export { channelCount, inputDims, letterbox, type Preprocessed, place, preprocess, toImageBox } from './preprocess';
export { applyPreset, DEFAULT_SIZE, defaultPreprocess, describePreprocess, inputNote, PRESETS, type Preset, presetOf } from './presets';
export { DOUBT_BELOW, type ProbeResult, type ProbeRun, type ProbeScore, probePreprocess } from './probe';
export type * from './types';
