/**
 * What the devices of the Hailo-8 line have in common. Facts come from public sources (the vendor's guide is behind a
 * login and was not read); each says how far it can be trusted, and what is not public is null.
 */
import { HAILO_CHECKS } from './hailo-envelope';
import { HAILO_OPERATORS } from './hailo-operators';
import type { Device, DeviceScheme, Fact, SharingRules, ToolchainVersion } from './types';

const ACE = 'Hailo-Application-Code-Examples, optimization diagnostic tool';
const RUNTIME = 'hailort v4.23.0, quantization.hpp and hailort.h';
const LESSON = 'vendor lesson "Hailo Quantization Scheme"';

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

const sharing: SharingRules = {
  Concat: { value: 'inputs take the output scale', mark: 'verified', source: ACE },
};

/** Model zoo tags with the compiler and runtime that go together; a wrong pair fails when the compiled file is loaded. */
const versions: readonly ToolchainVersion[] = [
  { zoo: 'v2.12', compiler: '3.28', runtime: '4.18', devices: '8, 8L, 15H, 15M', python: '3.8–3.10', ubuntu: '20.04/22.04', cuda: '11.8' },
  {
    zoo: 'v2.14',
    compiler: '3.30',
    runtime: '4.20',
    devices: '8, 8L, 15H, 15M, 10H',
    python: '3.8–3.10',
    ubuntu: '20.04/22.04',
    cuda: '11.8',
  },
  {
    zoo: 'v2.15',
    compiler: '3.31',
    runtime: '4.21',
    devices: '8, 8L, 15H, 15M, 10H',
    python: '3.8–3.10',
    ubuntu: '20.04/22.04',
    cuda: '11.8',
  },
  { zoo: 'v2.16', compiler: '3.32', runtime: '4.22', devices: '8, 8L', python: '3.8–3.10', ubuntu: '20.04/22.04', cuda: '11.8' },
  { zoo: 'v2.17', compiler: '3.33.0', runtime: '4.23', devices: '8, 8L', python: '3.10–3.12', ubuntu: '22.04/24.04', cuda: '12.5.1' },
  { zoo: 'v2.18', compiler: '3.33.1', runtime: '4.23', devices: '8, 8L', python: '3.10–3.12', ubuntu: '22.04/24.04', cuda: '12.5.1' },
];

const warnings: readonly string[] = [
  'Without a GPU, or with fewer than 1,024 calibration images, the compiler lowers the optimization level and says so in one line of its log: read the log.',
  'A Concat gives all its inputs one scale.',
  'Compiler 3.33.0 was reported to demote requested 16-bit outputs to 8 bits: check with `hailortcli parse-hef`.',
];

export interface HailoData {
  readonly id: string;
  readonly title: string;
  readonly hwArch: string;
  /** Compiled files that load on it, by their hw_arch. */
  readonly loads: Fact<readonly string[]>;
  readonly warnings: readonly string[];
}

export function hailoDevice(data: HailoData): Device {
  return {
    ...data,
    compiler: {
      value: 'Hailo Dataflow Compiler 3.x',
      mark: 'verified',
      source: 'hailo_model_zoo, changelog: 3.x is the Hailo-8 line, 5.x the Hailo-10H and 15 line',
    },
    scheme,
    sharing,
    operators: HAILO_OPERATORS,
    checks: HAILO_CHECKS,
    versions,
    warnings: [...warnings, ...data.warnings],
  };
}
