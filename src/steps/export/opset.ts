/**
 * Writes a network down for an older operator set where nothing in it needs the newer one. Sources: the operator change
 * log of the ONNX specification, versions 14 to 23.
 */
import type { Model, Node } from '../../onnx';

/** The newest operator set that the bundle aims at. */
export const BUNDLE_OPSET = 13;

/** Attributes that came after opset 13 with the values that mean the same as their absence. */
const LATER_ATTRIBUTES: Readonly<Record<string, Readonly<Record<string, number | string>>>> = {
  Reshape: { allowzero: 0 },
  Resize: { antialias: 0, keep_aspect_ratio_policy: 'stretch' },
  BatchNormalization: { training_mode: 0 },
  AveragePool: {},
  DepthToSpace: {},
};

/** Operators whose later versions only allow more element types (or add the attributes above). */
const SAME_SINCE_13: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'BatchNormalization', 'Relu', 'LeakyRelu', 'PRelu', 'Clip', 'HardSigmoid', 'Sigmoid'],
  ...['Tanh', 'Softplus', 'Erf', 'Elu', 'Softmax', 'Mul', 'Add', 'Sub', 'Div', 'Pow', 'Min', 'Max', 'Sqrt', 'Exp', 'Log', 'Neg', 'Abs'],
  ...['Concat', 'Slice', 'Gather', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'SpaceToDepth', 'DepthToSpace'],
  ...['Constant', 'Identity', 'Resize', 'MaxPool', 'GlobalAveragePool', 'GlobalMaxPool', 'ReduceSum'],
]);

function sameAt13(node: Node): boolean {
  if (node.op === 'Split') return (node.inputs[1] ?? '') !== '' && !('num_outputs' in node.attributes);
  if (node.domain !== '' || !SAME_SINCE_13.has(node.op)) return false;
  if (node.op === 'Resize' && 'axes' in node.attributes) return false;
  return Object.entries(LATER_ATTRIBUTES[node.op] ?? {}).every(([name, neutral]) => {
    const attribute = node.attributes[name];
    return attribute === undefined || ('value' in attribute && attribute.value === neutral);
  });
}

function withoutLater(node: Node): Node {
  const later = LATER_ATTRIBUTES[node.op];
  if (!later || !Object.keys(later).some((name) => name in node.attributes)) return node;
  return { ...node, attributes: Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !(name in later))) };
}

/** The model at opset 13 when it is newer and says nothing that 13 can't say; otherwise the model itself. */
export function lowerOpset(model: Model): Model {
  if ((model.opsets[''] ?? 0) <= BUNDLE_OPSET || !model.graph.nodes.every(sameAt13)) return model;
  return {
    ...model,
    opsets: { ...model.opsets, '': BUNDLE_OPSET },
    graph: { ...model.graph, nodes: model.graph.nodes.map(withoutLater) },
  };
}
