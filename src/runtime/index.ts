/**
 * Sessions over onnxruntime-web and onnxruntime-node. May import onnx, kernels and numerics.
 * Two more entries keep the packages apart: `runtime/node` (Node only) and `runtime/web` (pages and workers only).
 */
export {
  type AgreementReport,
  type AgreementSubject,
  type EngineAgreement,
  engineAgreement,
  type LayerAgreement,
} from './agreement';
export { type Parity, type ParityOptions, parityCheck } from './parity';
export { addTaps } from './taps';
export type * from './types';
