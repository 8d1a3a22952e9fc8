import { fixDimensions, type InputDims, type Model, upgradeOpset } from '../onnx';

/** The oldest opset that the writers of losses and gradients take. */
const OLDEST_OPSET = 13;

/** The same network with definite sizes, recent enough to add losses and gradients to. */
export function sized(model: Model, dims: InputDims): Model {
  return fixDimensions((model.opsets[''] ?? 0) < OLDEST_OPSET ? upgradeOpset(model, OLDEST_OPSET) : model, dims);
}
