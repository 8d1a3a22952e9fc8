/**
 * Gradients as ONNX graphs: a rule per operator appends ordinary nodes, so that one engine serves inference, calibration
 * and training. May import onnx and numerics only.
 */
export { buildTrainingGraph, type TrainingGraph, type TrainingGraphOptions } from './build';
export type { Target } from './emitter';
export {
  BONSAI_DOMAIN,
  type FakeQuantForm,
  type FakeQuantGradient,
  type FakeQuantOptions,
  fakeQuantNode,
  lowerFakeQuant,
} from './fake-quant';
export { type FrozenSplit, splitFrozen } from './frozen';
export type { Recompute } from './segments';
