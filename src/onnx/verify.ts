/** What every node must have before a rule, a pass or a kernel looks at it. */
import { StudioError } from '../numerics';
import type { Node } from './graph';
import { type OpType, opType } from './ops';

/** Inputs that can't be left out, where there isn't exactly one of them (https://onnx.ai/onnx/operators/). */
const REQUIRED_INPUTS: Partial<Readonly<Record<OpType, number>>> = {
  Constant: 0,
  ...inputs(2, ['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'ConvInteger', 'MatMulInteger', 'LayerNormalization', 'PRelu']),
  ...inputs(2, ['Mul', 'Add', 'Sub', 'Div', 'Pow', 'Mod', 'Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or']),
  ...inputs(2, ['Reshape', 'Expand', 'Tile', 'Gather', 'GatherElements', 'GatherND', 'NonMaxSuppression']),
  ...inputs(2, ['QuantizeLinear', 'DequantizeLinear']),
  ...inputs(3, ['InstanceNormalization', 'Where', 'Range', 'ScatterND', 'ScatterElements']),
  ...inputs(4, ['QLinearSigmoid', 'QLinearLeakyRelu', 'QLinearSoftmax', 'QLinearAveragePool', 'QLinearGlobalAveragePool']),
  ...inputs(5, ['BatchNormalization', 'QLinearConcat']),
  ...inputs(7, ['QLinearAdd', 'QLinearMul']),
  ...inputs(8, ['QLinearConv', 'QLinearMatMul']),
};

/** Inputs within the required ones that may still be left out: zero points of com.microsoft's operators. */
const OPTIONAL_WITHIN = /^QLinear(Add|Mul|Sigmoid|LeakyRelu|Softmax|AveragePool|GlobalAveragePool|Concat)$/;

function inputs(count: number, ops: readonly OpType[]): Partial<Record<OpType, number>> {
  return Object.fromEntries(ops.map((op) => [op, count]));
}

/** @throws StudioError 'bad-model' for a known operator without an output or one of its required inputs */
export function checkNode(node: Node): void {
  const op = opType(node);
  if (op === null) return;
  const hint = 'Export the model again.';
  if (node.outputs.length === 0) throw new StudioError('bad-model', `"${node.name}" (${node.op}) has no output.`, hint);
  const needed = REQUIRED_INPUTS[op] ?? 1;
  const absent = OPTIONAL_WITHIN.test(op) ? -1 : node.inputs.slice(0, needed).indexOf('');
  if (node.inputs.length < needed || absent >= 0)
    throw new StudioError(
      'bad-model',
      absent >= 0
        ? `Input ${absent} of "${node.name}" (${node.op}) is missing.`
        : `"${node.name}" (${node.op}) has ${node.inputs.length} of its ${needed} inputs.`,
      hint,
    );
}
