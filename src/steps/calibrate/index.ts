/** Calibrate: statistics of every float activation over the user's images, in one pass. May import the rooms below steps. */
export { type CalibrateOptions, calibrate } from './calibrate';
export { calibrateMeta } from './meta';
