/** Detector families, preprocessing, decoding, NMS. May import onnx and numerics. */
export { channelCount, inputDims, letterbox, type Preprocessed, place, preprocess, toImageBox } from './preprocess';
export { applyPreset, DEFAULT_SIZE, defaultPreprocess, describePreprocess, inputNote, PRESETS, type Preset, presetOf } from './presets';
export type * from './types';
