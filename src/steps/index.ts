/** The steps of the main job. May import every room above, never each other. */
export type { ImageSet } from '../data';
export type { Device, DeviceFinding } from '../devices';
export type { Detection, DetectorSpec, Preprocess } from '../models';
export type { Model } from '../onnx';
export type { AgreementReport, Engine } from '../runtime';
export { canonicalJson, type OptionValues, resolveOptions, stepHash, timer } from './common';
export type { InspectReport, LayerReport, ValueReport } from './inspect';
export { type Journal, NO_JOURNAL } from './journal';
export type * from './meta';
export { partName, wholeName } from './parts';
export type * from './types';
