/**
 * What Hailo's devices have in common. Facts come from public sources (the vendor's guide is behind a login and was not
 * read); each says how far it can be trusted, and what is not public is null.
 */
import type { OpType } from '../onnx';
import { HAILO_CHECKS } from './hailo-envelope';
import { HAILO_OPERATORS } from './hailo-operators';
import type { Device, DeviceScheme, Fact, Fusion, OpSupport, Precision, SharingRules, ToolchainVersion } from './types';

const ACE = 'Hailo-Application-Code-Examples, optimization diagnostic tool';
const WIDE = 'Hailo-Application-Code-Examples, 16bit_optimization';
const RUNTIME = 'hailort v4.23.0, quantization.hpp and hailort.h';
const LESSON = 'vendor lesson "Hailo Quantization Scheme"';
const ZOO = 'hailo_model_zoo v2.18, scripts';

const scheme: DeviceScheme = {
  weightBits: { value: [4, 8, 16], mark: 'seen once', source: LESSON },
  weightSigned: { value: true, mark: 'inferred', source: 'Hailo forum 18395: 8-bit weights seen as −128…127' },
  weightSymmetric: { value: true, mark: 'inferred', source: 'Hailo forum 18395: 8-bit weights seen as −128…127' },
  weightGranularity: {
    value: null,
    mark: 'inferred',
    source: 'not stated publicly; equalization and quantization_groups hint at one per layer',
  },
  activationBits: { value: [8, 16], mark: 'seen once', source: LESSON },
  activationSigned: { value: false, mark: 'seen once', source: LESSON },
  activationSymmetric: { value: false, mark: 'verified', source: RUNTIME },
  activationGranularity: { value: 'per-tensor', mark: 'verified', source: RUNTIME },
  fusesActivation: { value: true, mark: 'verified', source: `${ACE} (activation_inspector.py); yolox_tiny profile` },
  rounding: { value: 'half-even', mark: 'verified', source: `${RUNTIME} (at the outputs; inside a layer it is not public)` },
  biasBits: { value: null, mark: 'inferred', source: 'not public; bias_mode and negative_exponent hint at a limited bias' },
};

const moved = (what: string): Fact<'output takes the input scale'> => ({
  value: 'output takes the input scale',
  mark: 'inferred',
  source: `${what} makes no new values`,
});

const sharing: SharingRules = {
  Concat: { value: 'inputs take the output scale', mark: 'verified', source: ACE },
  MaxPool: moved('a maximum'),
  Resize: moved('nearest-neighbour resizing'),
  Upsample: moved('nearest-neighbour resizing'),
  Slice: moved('a slice'),
  SpaceToDepth: moved('space_to_depth'),
};

const fusions: readonly Fact<Fusion>[] = [
  {
    value: {
      layers: ['Conv', 'ConvTranspose', 'Gemm'],
      activations: ['SiLU', 'Relu', 'ReLU6', 'LeakyRelu', 'PRelu', 'Elu', 'Sigmoid', 'Tanh', 'HardSwish', 'HardSigmoid', 'Gelu'],
    },
    mark: 'seen once',
    source: 'SiLU verified in activation_inspector.py and the yolox_tiny profile; the others ran in a public operator test (compiler 3.32)',
  },
  { value: { layers: ['Add'], activations: ['Relu', 'LeakyRelu'] }, mark: 'inferred', source: `${ZOO}: ew_add layers of ResNet` },
];

function precisionOf(modes: Fact<readonly string[]>): Precision {
  return {
    sixteenBit: {
      scope: { value: 'layer', mark: 'verified', source: `${ZOO}: a16_w16 on conv, dw, ew_add, concat, output layers and more` },
      cost: {
        value: 7.4,
        mark: 'verified',
        source: `${WIDE}: yolov8s_pose runs at 104 frames/s in 8 bits, 100 with 16-bit heads, 59 with a wider set, 14 all in 16 bits`,
      },
      command: { value: 'quantization_param([{layers}], precision_mode=a16_w16)', mark: 'verified', source: ZOO },
      note: 'Any layer can compute in 16 bits; a layer in front of a 16-bit Concat or Add takes a8_w8_a16 (8 bits inside, 16-bit output).',
    },
    float: {
      scope: { value: 'none', mark: 'seen once', source: LESSON },
      cost: { value: null, mark: 'inferred', source: 'there are no floating-point layers' },
      command: { value: null, mark: 'inferred', source: 'there are no floating-point layers' },
      note: 'The device computes with integers only; what must stay in float runs on the host, behind the cut.',
    },
    modes,
    uniform: {
      value: ['Concat', 'Split', 'Add'],
      mark: 'verified',
      source: `${WIDE}, notebook: Concat, shortcut and feature splitter cannot change width (16 in, 16 out)`,
    },
  };
}

/** Model zoo tags with the compiler and runtime that go together; a wrong pair fails when the compiled file is loaded. */
const OLD = { python: '3.8–3.10', ubuntu: '20.04/22.04', cuda: '11.8' };
const NEW = { python: '3.10–3.12', ubuntu: '22.04/24.04', cuda: '12.5.1' };
const versions: readonly (ToolchainVersion & { readonly line: Line })[] = [
  { line: '3.x', zoo: 'v2.12', compiler: '3.28', runtime: '4.18', devices: '8, 8L, 15H, 15M', ...OLD },
  { line: '3.x', zoo: 'v2.14', compiler: '3.30', runtime: '4.20', devices: '8, 8L, 15H, 15M, 10H', ...OLD },
  { line: '3.x', zoo: 'v2.15', compiler: '3.31', runtime: '4.21', devices: '8, 8L, 15H, 15M, 10H', ...OLD },
  { line: '3.x', zoo: 'v2.16', compiler: '3.32', runtime: '4.22', devices: '8, 8L', ...OLD },
  { line: '3.x', zoo: 'v2.17', compiler: '3.33.0', runtime: '4.23', devices: '8, 8L', ...NEW },
  { line: '3.x', zoo: 'v2.18', compiler: '3.33.1', runtime: '4.23', devices: '8, 8L', ...NEW },
  { line: '5.x', zoo: 'v5.0', compiler: '5.0', runtime: '5.0', devices: '10H, 15H', ...OLD },
  { line: '5.x', zoo: 'v5.1', compiler: '5.1', runtime: '5.1', devices: '10H, 15H, 15L', ...NEW },
  { line: '5.x', zoo: 'v5.2', compiler: '5.2', runtime: '5.2', devices: '10H, 15H, 15L', ...NEW },
];

const warnings: readonly string[] = [
  'Without a GPU, or with fewer than 1,024 calibration images, the compiler lowers the optimization level and says so in one line of its log: read the log.',
  'A Concat gives all its inputs one scale.',
];

/** The compiler's two lines: 3.x builds for Hailo-8 and 8L, 5.x for Hailo-10H and 15. */
type Line = '3.x' | '5.x';

const LINE = {
  '3.x': {
    modes: { value: ['a8_w8', 'a8_w4', 'a16_w16', 'a8_w8_a16'], mark: 'verified', source: `${ZOO}; ${WIDE}` },
    operators: HAILO_OPERATORS,
    warnings: ['Compiler 3.33.0 was reported to demote requested 16-bit outputs to 8 bits: check with `hailortcli parse-hef`.'],
  },
  '5.x': {
    modes: {
      value: ['a8_w8', 'a8_w4', 'a16_w16', 'a8_w8_a16', 'a16_w8', 'a16_w8_a16'],
      mark: 'verified',
      source: 'hailo_model_zoo v5.2, scripts',
    },
    operators: asOnHailo8(),
    warnings: ['The public operator tests were made on Hailo-8: on this device they are an expectation.'],
  },
} satisfies Record<Line, { modes: Fact<readonly string[]>; operators: Device['operators']; warnings: readonly string[] }>;

/** The Hailo-8's table as an expectation for the other line: nothing in it was seen there. */
function asOnHailo8(): Record<OpType, OpSupport> {
  const moved = Object.entries(HAILO_OPERATORS).map(([op, entry]: [string, OpSupport]) => [
    op,
    { ...entry, mark: 'inferred', source: `as on Hailo-8: ${entry.source}` },
  ]);
  return Object.fromEntries(moved) as Record<OpType, OpSupport>;
}

export interface HailoData {
  readonly id: string;
  readonly title: string;
  readonly hwArch: string;
  readonly line: Line;
  /** Compiled files that load on it, by their hw_arch. */
  readonly loads: Fact<readonly string[]>;
  readonly warnings: readonly string[];
}

export function hailoDevice({ line, ...data }: HailoData): Device {
  return {
    ...data,
    compiler: {
      value: `Hailo Dataflow Compiler ${line}`,
      mark: 'verified',
      source: 'hailo_model_zoo, changelog: 3.x is the Hailo-8 line, 5.x the Hailo-10H and 15 line',
    },
    scheme,
    sharing,
    fusions,
    precision: precisionOf(LINE[line].modes),
    staticShapes: { value: true, mark: 'verified', source: 'hailo_model_zoo, parsing with net_input_shapes; batch 1' },
    operators: LINE[line].operators,
    checks: HAILO_CHECKS,
    exports: {
      bundle: 'hailo',
      title: 'Hailo bundle: float ONNX, calibration set, model script, compile.py',
      opset: { value: { from: 11, to: 17 }, mark: 'seen once', source: 'ultralytics (11), zoo issue 95 (13), a public study (17)' },
      ends: { value: 'sigmoid', mark: 'verified', source: 'hailo_model_zoo, cfg/networks/yolox_*.yaml' },
      quantizesItself: { value: true, mark: 'verified', source: 'Dataflow Compiler flow: parse float ONNX, then optimize' },
    },
    quantizeDefaults: {
      value: { activations: 'uint8', symmetric: false, fuseActivations: true, concat: 'shared', tail: 'float' },
      mark: 'inferred',
      source: 'the scheme above; weights are left open because the vendor does not say how many scales a layer has',
    },
    versions: versions.filter((row) => row.line === line).map(({ line: _, ...row }) => row),
    warnings: [...warnings, ...LINE[line].warnings, ...data.warnings],
  };
}
