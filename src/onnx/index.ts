/** The graph IR: parse, serialize, shape inference, passes. May import numerics only. */
export {
  type AttributeValue,
  attrFloat,
  attrFloats,
  attrInt,
  attrInts,
  attrString,
  attrTensor,
  consumers,
  type ModelParts,
  makeModel,
  node,
  producers,
  tensor,
  valueInfo,
  withGraph,
} from './build';
export { fromBfloat16, fromFloat16, toFloat16, toFloat32, toNumbers } from './float';
export type { Attribute, Dim, Graph, Model, Node, Tensor, ValueInfo } from './graph';
export { hashModel } from './hash';
export { type Analysis, analyze, type Layer } from './infer/analyze';
export { inferShapes } from './infer/infer';
export { OP_TYPES, type OpType, opType } from './ops';
export { IR_VERSIONS, OPSETS, parseModel } from './parse';
export { cutAt, removeDead, removeIdentity } from './passes/dead';
export { fixDimensions, type InputDims } from './passes/fix-dimensions';
export { foldBatchNorm } from './passes/fold-batch-norm';
export { foldConstants } from './passes/fold-constants';
export { nameNodes } from './passes/name-nodes';
export { upgradeOpset } from './passes/upgrade-opset';
export { printGraph } from './print';
export { serializeModel } from './serialize';
export { reads, sortNodes, subgraphs } from './topology';
