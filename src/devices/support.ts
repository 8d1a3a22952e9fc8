/** Support tables as Markdown, made from the data so that they can't disagree with it. */
import { OP_TYPES } from '../onnx';
import type { Device, Fact, OpState, WiderLayers } from './types';

const MARK = { verified: 'V', 'seen once': 'S', inferred: 'I' } as const;
const SIGN: Readonly<Record<OpState, string>> = { runs: 'yes', 'runs differently': 'differs', 'falls back': 'host', unsupported: 'no' };

const text = (value: string) => value.replace(/[|\\*_<>]/g, '\\$&');

/** Columns padded to equal width, as the repository's formatter writes tables. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function shown(value: unknown): string {
  if (value === null) return 'not public';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(', ') || 'none' : String(value);
}

const fact = (what: string, { value, mark, source }: Fact<unknown>, show: (value: unknown) => string = shown) => [
  what,
  text(show(value)),
  MARK[mark],
  text(source),
];

function wider(what: string, { scope, cost, command, note }: WiderLayers): string[][] {
  return [
    [`${what}: where`, text(`${scope.value === 'none' ? 'nowhere' : scope.value}. ${note}`), MARK[scope.mark], text(scope.source)],
    fact(`${what}: time relative to 8 bits`, cost),
    fact(`${what}: command`, command, (value) => (value === null ? 'none' : String(value))),
  ];
}

/** One device: its statements with mark (V verified, S seen once, I inferred) and source. */
export function deviceTable(device: Device): string {
  const { scheme, precision, exports: out } = device;
  const rows = [
    fact('Toolchain', device.compiler),
    fact('Files that load on it', device.loads),
    fact('Weights, bits', scheme.weightBits),
    fact('Weights, signed', scheme.weightSigned),
    fact('Weights, symmetric', scheme.weightSymmetric),
    fact('Weights, scales', scheme.weightGranularity, (value) =>
      value === null ? 'not public: both readings are evaluated' : String(value),
    ),
    fact('Activations, bits', scheme.activationBits),
    fact('Activations, signed', scheme.activationSigned),
    fact('Activations, symmetric', scheme.activationSymmetric),
    fact('Activations, scales', scheme.activationGranularity),
    fact('Bias, bits', scheme.biasBits),
    fact('Rounding', scheme.rounding),
    fact('Conv and its activation are one', scheme.fusesActivation),
    ...device.fusions.map((f) =>
      fact('One layer', f, () => `${f.value.layers.join(', ')} (+ BatchNormalization) + ${f.value.activations.join(', ')}`),
    ),
    ...Object.entries(device.sharing).map(([op, rule]) => fact(`One scale: ${op}`, rule)),
    ...wider('16 bits', precision.sixteenBit),
    ...wider('Float', precision.float),
    fact('Widths', precision.modes),
    fact('One width', precision.uniform),
    fact('Fixed sizes, batch 1', device.staticShapes),
    fact('Operator sets', out.opset, () => `${out.opset.value.from} to ${out.opset.value.to}`),
    fact('Quantizes by itself', out.quantizesItself),
    fact('Quantize options', device.quantizeDefaults, (value) =>
      Object.entries(value as object)
        .map(([key, option]) => `${key} ${option}`)
        .join(', '),
    ),
  ];
  return `### ${device.title} (\`${device.id}\`)\n\nExport: ${text(out.title)}.\n\n${table(['Statement', 'Value', 'Mark', 'Source'], rows)}`;
}

/** All devices: the operators side by side, then each device's statements. */
export function supportMarkdown(devices: readonly Device[]): string {
  const operators = OP_TYPES.map((op) => [
    op,
    ...devices.map((device) => `${SIGN[device.operators[op].state]} ${MARK[device.operators[op].mark]}`),
  ]);
  const head = ['Operator', ...devices.map((device) => `\`${device.id}\``)];
  const key =
    'yes = runs; differs = runs, but not as written (fused, taken apart, one scale for all inputs…); host = falls back to the host’s processor; no = refused. Marks: V verified in a source text or table, S seen once, I inferred. Neighbours in the graph can change the answer: `deviceReport` says it node by node.';
  return `${['## Operators', key, table(head, operators), '## Devices', ...devices.map(deviceTable)].join('\n\n')}\n`;
}
