/** The bundle's README: what was measured, on what, and how to compile it. */
import type { Device, DeviceFinding } from '../../devices';
import { describePreprocess, type Preprocess } from '../../models';
import type { DetectionMetrics } from '../types';
import { markdownText } from './names';
import type { BundleNetwork } from './network';
import { FULL_CALIBRATION, type NmsArch, optimizationLevel, type ScriptPreset } from './script';

/** One line of the result table, as the run measured it. */
export interface BundleRow {
  readonly model: string;
  readonly environment: string;
  readonly parameters: number;
  readonly weightBytes: number;
  readonly macs: number;
  readonly metrics: DetectionMetrics | null;
}

export interface ReadmeInput {
  readonly name: string;
  readonly device: Device;
  readonly network: BundleNetwork;
  readonly family: string | null;
  readonly preprocess: Preprocess;
  readonly hostOrder: string;
  readonly images: number;
  readonly skipped: number;
  readonly preset: ScriptPreset;
  /** The plan's 16-bit layers are in the script. */
  readonly sixteenBit: boolean;
  readonly nms: NmsArch | null;
  readonly rows: readonly BundleRow[];
  readonly findings: readonly DeviceFinding[];
  readonly notes: readonly string[];
  readonly files: readonly string[];
}

const percent = (value: number | null | undefined) => (value === null || value === undefined ? 'n/a' : value.toFixed(2));

const KIND = {
  coco: 'mAP against ground truth',
  agreement: 'agreement with the FP32 network’s own detections (no ground truth was given)',
  sqnr: 'signal to quantization noise of the outputs in dB',
} satisfies Record<DetectionMetrics['kind'], string>;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function accuracy(metrics: DetectionMetrics | null): readonly [string, string] {
  if (!metrics) return ['not measured', ''];
  if (metrics.kind === 'sqnr') return [metrics.sqnr === null ? 'n/a' : `${metrics.sqnr.toFixed(1)} dB`, ''];
  return [percent(metrics.mAP), percent(metrics.AP50)];
}

export function measured(rows: readonly BundleRow[]): string {
  if (rows.length === 0) return 'Nothing was measured before the export.';
  const lines = rows.map((row) => {
    const megabytes = (row.weightBytes / 1e6).toFixed(2);
    const numbers = [row.parameters.toLocaleString('en-US'), megabytes, (row.macs / 1e6).toFixed(1)];
    return [markdownText(row.model), markdownText(row.environment), ...numbers, ...accuracy(row.metrics)];
  });
  const metrics = rows.find((row) => row.metrics)?.metrics;
  const said = metrics
    ? `Accuracy: ${KIND[metrics.kind]}, ${metrics.images} images, score ≥ ${metrics.scoreThreshold}, NMS ${metrics.nms} at IoU ${metrics.iouThreshold}. `
    : '';
  const head = ['Model', 'Environment', 'Parameters', 'Weights MB', 'MMACs', 'mAP', 'AP50'];
  return `${table(head, lines)}\n\n${said}Measured in Bonsai Studio, not on the device.`;
}

/** What a person must still do, as sentences; also in bundle.json. */
export function toFillIn(network: BundleNetwork, family: string | null, nms: NmsArch | null): readonly string[] {
  if (nms) return [];
  const outputs = `The HEF's outputs are ${network.endNodes.join(', ')}, in this order.`;
  const decode =
    network.cut === 'convolutions'
      ? `The network is cut at its last convolutions: what the original computes behind them (${family ?? 'its'} decoding and suppression) must run on the host.`
      : 'What follows the network runs on the host, as before.';
  return [
    outputs,
    decode,
    'To suppress in HailoRT instead, write nms_config.json for this network and add nms_postprocess("NMS_CONFIG", meta_arch=…, engine=cpu) to model.alls and the arch to bundle.json.',
  ];
}

const FILES: Readonly<Record<string, string>> = {
  'model.onnx': 'the compressed FP32 network for the toolchain',
  'model.qdq.onnx': 'the quantized network whose accuracy stands above; a toolchain that quantizes by itself doesn’t read it',
  'calib_set.npy': 'calibration images, uint8, N × height × width × channels, as the host sends them',
  'model.alls': 'model script; {{…}} are ONNX nodes that compile.py replaces by layer names',
  'nms_config.json': 'decoding and suppression in HailoRT; {{…}} as above',
  'bundle.json': 'what the other files must agree on',
  'compile.py': 'checks the bundle and compiles it',
  'compile.sh': 'runs compile.py and keeps its log',
  'convert.py': 'checks the bundle, converts it, and compares the file with the float network',
  'retrain/': 'trains the float network further on GPUs: see its README.md',
  'recipe.json': 'the recipe that made this bundle: `npm run bonsai -- run recipe.json` repeats it',
};

export function fileTable(files: readonly string[]): string {
  return table(
    ['File', 'What'],
    files.map((file) => [`\`${file}\``, FILES[file] ?? '']),
  );
}

function calibration({ images, skipped, preset, sixteenBit }: ReadmeInput): string {
  const few =
    images < FULL_CALIBRATION
      ? `**Only ${images} calibration images.** The compiler wants ${FULL_CALIBRATION.toLocaleString('en-US')} distinct ones: with fewer, fine-tuning was seen to destroy the boxes, so the script asks for optimization level ${optimizationLevel(images)} only. Export again with more images for level 2.`
      : `${images} calibration images, optimization level ${optimizationLevel(images)}.`;
  const left = skipped > 0 ? ` ${skipped} images could not be decoded and were left out.` : '';
  const planned = sixteenBit
    ? '\n\nThe 16-bit layers of the plan are in the script (`quantization_param`). Compiler 3.33.0 was reported to demote 16-bit outputs: check the HEF with `hailortcli parse-hef`.'
    : '';
  const depthwise =
    preset === 'depthwise' && !sixteenBit
      ? '\n\nThe script clips the first convolution’s range and keeps the first depthwise layer and the head outputs in 16 bits. A layer that feeds a 16-bit one may need `precision_mode=a8_w8_a16`; whether 16-bit heads also need the `output_layer` entries is not established.'
      : '';
  return `${few}${left}${depthwise}${planned}`;
}

const SHOWN = 5;

/** One row per operator and reason, with the first few nodes. */
export function findings(all: readonly DeviceFinding[]): string {
  const refused = all.filter((finding) => finding.state === 'unsupported');
  const fallen = all.filter((finding) => finding.state === 'falls back');
  const outside = all.filter((finding) => finding.state === 'runs');
  if (refused.length + fallen.length + outside.length === 0) return 'Every operator is within what is publicly known to compile.';
  const groups = new Map<string, DeviceFinding[]>();
  for (const finding of [...refused, ...fallen, ...outside]) {
    const key = `${finding.op}\n${finding.reason}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  const rows = [...groups.values()].map((group) => {
    const { op, state, reason, advice } = group[0]!;
    const names = group.slice(0, SHOWN).map((finding) => finding.node);
    const more = group.length > SHOWN ? ` and ${group.length - SHOWN} more` : '';
    return [op, `${names.join(', ')}${more}`, state === 'runs' ? 'not seen before' : state, reason, advice].map(markdownText);
  });
  const nodes = refused.length === 1 ? '1 node' : `${refused.length} nodes`;
  const warning = refused.length > 0 ? `**The compiler is expected to refuse ${nodes}.**\n\n` : '';
  return warning + table(['Operator', 'Nodes', 'State', 'Why', 'What to do'], rows);
}

export const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`).join('\n');

export function readme(input: ReadmeInput): string {
  const { device, preprocess, network, hostOrder } = input;
  const open = toFillIn(network, input.family, input.nms);
  const versions = device.versions.map((v) => [v.zoo, v.compiler, v.runtime, v.devices, v.python, v.ubuntu, v.cuda]);
  const swap = preprocess.channels !== 'gray' && preprocess.channels !== hostOrder;
  const sections = [
    `# ${markdownText(input.name)} for ${device.title}`,
    'Made by Bonsai Studio. Nothing here was run on the device or with the vendor’s compiler.',
    '## Measured',
    measured(input.rows),
    '## Compile',
    `You need Linux x86_64 with the ${device.compiler.value} and, for good accuracy, a GPU. First check the files (any Python 3.8 or newer), then compile in the compiler’s virtual environment:`,
    '```\npython3 compile.py --dry-run\nbash compile.sh\n```',
    'The HEF, the resolved model script and the log are then in `out/`. Read the log: without a GPU, or with too few images, the compiler says in one line that it lowered the optimization level. `bash compile.sh --hw-arch hailo8l` compiles for another target.',
    '## Images that the application must send',
    `**${hostOrder.toUpperCase()}**, 0–255, ${preprocess.width} × ${preprocess.height} (${preprocess.resize}, border ${preprocess.pad}), not normalised. The network wants ${markdownText(describePreprocess(preprocess))}; ${swap ? 'the script swaps red and blue on the device' : 'the order is the same, so the script swaps nothing'}. Doing it on both sides, or on neither, costs accuracy without an error.`,
    '## Calibration',
    calibration(input),
    ...(open.length > 0 ? ['## To fill in', list(open.map(markdownText))] : []),
    '## Three-way gate',
    '`bash compile.sh --check check.py` scores three stages with your own metric and stops before the HEF when one falls by more than `--max-drop`. `check.py` defines `score(infer, context)`, where `infer(images)` takes a uint8 batch as above. In `SDK_NATIVE` the outputs are the heads; with suppression in the script the other two return its boxes.',
    table(
      ['Stage', 'Shows', 'If it is the first to fail'],
      [
        ['SDK\\_NATIVE', 'the parsed graph in float', 'parsing or end nodes'],
        ['SDK\\_FP\\_OPTIMIZED', 'plus the script’s changes', 'preprocessing, double normalization, colours, wrong cut'],
        ['SDK\\_QUANTIZED', 'plus quantization', 'calibration, level, precision'],
      ],
    ),
    '## Device',
    list(device.warnings),
    findings(input.findings),
    ...(input.notes.length > 0 ? ['## Notes', list(input.notes.map(markdownText))] : []),
    '## Versions that belong together',
    table(['Model zoo', 'Compiler', 'HailoRT', 'Devices', 'Python', 'Ubuntu', 'CUDA'], versions),
    'A wrong pair of compiler and HailoRT fails when the HEF is loaded ("HEF version does not match").',
    '## Files',
    fileTable(input.files),
  ];
  return `${sections.join('\n\n')}\n`;
}
