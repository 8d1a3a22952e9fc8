/**
 * TensorFlow Lite (LiteRT) in full-integer form, as NNAPI, the GPU delegate and the Edge TPU take it. The int8
 * specification is public and complete; what a delegate on a given phone refuses is not.
 */
import { inferred, seenOnce, verified } from './facts';
import { TFLITE_OPERATORS } from './tflite-operators';
import { TFLITE_CHECKS } from './tflite-rules';
import type { Device, SharingRule, SharingRules } from './types';

const SPEC = 'TensorFlow Lite 8-bit quantization specification';
const PTQ = 'TensorFlow Lite, post-training quantization guide';

const same: SharingRule = verified('output takes the input scale', `${SPEC}: "Input and outputs must all have same scale/zero_point"`);

const sharing: SharingRules = {
  Concat: verified('inputs take the output scale', `${SPEC}, CONCATENATION`),
  Max: verified('inputs take the output scale', `${SPEC}, MAXIMUM`),
  Min: verified('inputs take the output scale', `${SPEC}, MINIMUM`),
  AveragePool: same,
  MaxPool: same,
  Reshape: same,
  Flatten: same,
  Squeeze: same,
  Unsqueeze: same,
  Transpose: same,
  Slice: same,
  Gather: same,
  Pad: same,
  SpaceToDepth: same,
  Resize: verified('output takes the input scale', `${SPEC}, RESIZE_BILINEAR; nearest resizing makes no new values`),
  Upsample: inferred('output takes the input scale', 'as Resize'),
  Split: inferred('output takes the input scale', 'as SLICE'),
  DepthToSpace: inferred('output takes the input scale', 'as SPACE_TO_DEPTH'),
};

export const tflite: Device = {
  id: 'tflite',
  title: 'TensorFlow Lite, full integer',
  hwArch: 'tflite',
  compiler: seenOnce('onnx2tf and TensorFlow’s TFLiteConverter', 'onnx2tf, README; onnx2tf issue 942 on quantizing apart from it'),
  loads: inferred(['tflite'], 'one file format'),
  scheme: {
    weightBits: verified([8], SPEC),
    weightSigned: verified(true, `${SPEC}: int8 in [−127, 127]`),
    weightSymmetric: verified(true, `${SPEC}: zero point 0`),
    weightGranularity: verified('per-channel', `${SPEC}: CONV_2D and DEPTHWISE_CONV_2D; FULLY_CONNECTED has one scale`),
    activationBits: verified([8, 16], `${SPEC}; ${PTQ}: 16x8 mode`),
    activationSigned: verified(true, `${SPEC}: int8 in [−128, 127]`),
    activationSymmetric: verified(false, `${SPEC}: zero point in [−128, 127]`),
    activationGranularity: verified('per-tensor', SPEC),
    fusesActivation: verified(false, 'XNNPACK delegate, README: fused NONE, RELU, RELU_N1_TO_1 and RELU6 only'),
    rounding: verified('half-away', 'tensorflow/lite/kernels/internal/reference/quantize.h: TfLiteRound, which is std::round'),
    biasBits: verified(32, `${SPEC}: scale = input scale · weight scale`),
  },
  sharing,
  fusions: [
    verified(
      { layers: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Add', 'Mul', 'Sub'], activations: ['Relu', 'ReLU6'] },
      'XNNPACK delegate, README, quantized operators',
    ),
  ],
  precision: {
    sixteenBit: {
      scope: verified('network', `${PTQ}: the 16x8 mode is a mode of the whole conversion`),
      cost: verified(null, `${PTQ}: "noticeably slower than 8-bit full integer", no figure`),
      command: verified('python3 convert.py --int16', `${PTQ}: EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8`),
      note: '16-bit activations are a mode of the whole network, slower than 8 bits, and no hardware delegate takes them: single 16-bit layers are refused.',
    },
    float: {
      scope: verified('layer', `${PTQ}: operators without an integer kernel are left in floating point`),
      cost: verified(null, 'TensorFlow Lite, GPU delegate guide: a split graph is usually slower than the CPU alone, no figure'),
      command: inferred(null, 'the converter chooses by operator, not by layer'),
      note: 'A float layer cuts the graph in two: the Edge TPU leaves it and everything behind it on the CPU, other delegates move data back and forth.',
    },
    modes: verified(['int8', '16x8'], PTQ),
    uniform: verified(['Concat', 'Add', 'Sub', 'Mul', 'Split'], `${SPEC}: one data type for all inputs and outputs`),
  },
  staticShapes: seenOnce(true, 'Axis, ARTPEC-7 (Edge TPU) guide: dynamic sizes are not supported'),
  operators: TFLITE_OPERATORS,
  checks: TFLITE_CHECKS,
  exports: {
    bundle: 'tflite',
    title: 'QDQ ONNX, float ONNX, calibration set, convert.py (onnx2tf, then full-integer conversion)',
    opset: inferred({ from: 11, to: 18 }, 'onnx2tf, README: models exported up to opset 18'),
    ends: inferred('layer', 'logits keep more of a score than a LOGISTIC output with the fixed scale 1/256'),
    quantizesItself: verified(true, `${PTQ}: ranges come from the representative data set`),
  },
  quantizeDefaults: verified(
    {
      weights: 'per-channel',
      activations: 'int8',
      symmetric: false,
      fuseActivations: false,
      concat: 'shared',
      tail: 'float',
      fixedRanges: true,
    },
    SPEC,
  ),
  versions: [],
  warnings: [
    'The converter chooses activation ranges by itself (minimum and maximum of the calibration set): clipped ranges of the studio do not reach the file, its weights do.',
    'SiLU is two operators here, each quantized: figures that treat it as one are too good for this device.',
    'A Concat gives all its inputs one scale.',
    'LOGISTIC and SOFTMAX outputs always have the scale 1/256, TANH 1/128.',
    'The NNAPI delegate is deprecated; which operators a phone’s driver takes is not published.',
  ],
};
