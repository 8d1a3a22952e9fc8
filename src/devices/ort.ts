/** ONNX Runtime on the CPU: it runs a QDQ network as written and makes integer kernels of the groups that it knows. */
import { inferred, seenOnce, verified } from './facts';
import { ORT_OPERATORS } from './ort-operators';
import { ORT_CHECKS } from './ort-rules';
import type { Device, SharingRule, SharingRules } from './types';

const DOCS = 'onnxruntime.ai, Quantize ONNX Models';
const RULES = 'onnxruntime, qdq_selector_action_transformer.cc';
const WIDE = 'microsoft/onnxruntime pull requests 17015 and 20376';

const dropped: SharingRule = verified('output takes the input scale', `${RULES}: the pair is dropped where both scales are equal`);

const sharing: SharingRules = {
  MaxPool: dropped,
  Resize: dropped,
  ReduceMax: dropped,
  ReduceMin: dropped,
  Reshape: dropped,
  Flatten: dropped,
  Transpose: dropped,
  Slice: dropped,
  Split: dropped,
  Squeeze: dropped,
  Unsqueeze: dropped,
  Gather: dropped,
  GatherElements: dropped,
  Expand: dropped,
  Tile: dropped,
};

export const ort: Device = {
  id: 'ort',
  title: 'ONNX Runtime, QDQ on CPU',
  hwArch: 'cpu',
  compiler: verified('ONNX Runtime', DOCS),
  loads: verified(['onnx'], DOCS),
  scheme: {
    weightBits: verified([8], `${DOCS}: 8-bit linear quantization`),
    weightSigned: verified(true, `${DOCS}: U8S8 and S8S8 run; S8S8 is the default`),
    weightSymmetric: seenOnce(true, 'onnxruntime, quantization tool: int8 weights are symmetric by default'),
    weightGranularity: verified('per-channel', `${DOCS}: per-channel where weight ranges are large`),
    activationBits: verified([8, 16], `${DOCS}; 16 bits: ${WIDE}`),
    activationSigned: verified(false, `${DOCS}: U8U8, U8S8 and S8S8 run, so uint8 needs no change`),
    activationSymmetric: verified(false, `${DOCS}: asymmetric formula`),
    activationGranularity: verified('per-tensor', 'ONNX operator QLinearConv: x_scale is a scalar'),
    fusesActivation: inferred(false, `${RULES}: Conv is taken only where QuantizeLinear follows it`),
    rounding: verified('half-even', 'ONNX operator QuantizeLinear: round to nearest even'),
    biasBits: verified(32, 'ONNX operator QLinearConv: bias int32, scale = x_scale · w_scale'),
  },
  sharing,
  fusions: [
    seenOnce(
      { layers: ['Conv', 'Gemm', 'MatMul', 'Add'], activations: ['Relu', 'Clip', 'ReLU6'] },
      'microsoft/onnxruntime pull request 20187: a Relu in front of QuantizeLinear is taken into it',
    ),
  ],
  precision: {
    sixteenBit: {
      scope: verified('layer', `${WIDE}: QuantizeLinear takes 16 bits from opset 21 on`),
      cost: inferred(null, `${WIDE}: no 16-bit QLinear kernels, so the layer costs what float costs; no figure`),
      command: verified(null, 'no command: the pair’s type in the file decides'),
      note: 'A 16-bit layer computes in float between its pairs; the file needs opset 21.',
    },
    float: {
      scope: verified('layer', `${DOCS}: only groups between DequantizeLinear and QuantizeLinear become integer kernels`),
      cost: inferred(null, 'depends on the processor; no figure'),
      command: verified(null, 'no command: a layer without pairs computes in float'),
      note: 'Any layer can stay in float.',
    },
    modes: verified(['U8S8', 'S8S8', 'U8U8', 'float'], DOCS),
    uniform: verified([], 'each pair has a type of its own'),
  },
  staticShapes: inferred(false, 'ONNX Runtime takes open sizes'),
  operators: ORT_OPERATORS,
  checks: ORT_CHECKS,
  exports: {
    bundle: 'onnx',
    title: 'QDQ ONNX as evaluated, with README',
    opset: verified({ from: 13, to: 21 }, `${DOCS} (per channel from 13); 16 bits: 21`),
    ends: inferred('any', 'the whole network runs, its tail in float'),
    quantizesItself: verified(false, DOCS),
  },
  quantizeDefaults: verified(
    { weights: 'per-channel', activations: 'uint8', symmetric: false, fuseActivations: true, concat: 'requantize', tail: 'float' },
    DOCS,
  ),
  versions: [],
  warnings: [
    'On x86-64 without VNNI, U8S8 products can saturate 16 bits: evaluate at optimization level "disabled" and on the target, or use U8U8.',
    'Integer kernels appear only at optimization level "extended" or higher.',
  ],
};
