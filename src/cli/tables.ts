import type { InspectReport, ResultRow } from '../pipeline';

/** Text with names from files in it, as a terminal may print it: nothing that moves the cursor, colours or turns text around. */
export function terminalText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
}

/** JSON with the same characters escaped; it means the same. */
export function terminalJson(value: unknown): string {
  const escaped = (character: string) =>
    Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}]/gu, escaped);
}

/** Rows of cells as aligned lines: the first two columns to the left, numbers to the right. */
export function columns(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(terminalText));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const whole = (n: number) => n.toLocaleString('en-US');
const percent = (value: number | null | undefined) => (value === null || value === undefined ? 'n/a' : value.toFixed(2));

export function layerTable(report: InspectReport): string {
  const head = [
    `${report.name}: ${report.family}, opset ${report.opset}, ${whole(report.parameters)} parameters, ${(report.macs / 1e6).toFixed(1)} MMACs`,
    ...report.notes,
  ];
  const rows = report.layers.map((l) => [l.name, l.op, l.shape?.map((d) => d ?? '?').join('×') ?? '?', whole(l.parameters), whole(l.macs)]);
  return `${head.map(terminalText).join('\n')}\n\n${columns([['layer', 'op', 'shape', 'parameters', 'MACs'], ...rows])}`;
}

/** Share of the FP32 network's mAP on the same images, with its interval. */
function kept({ metrics }: ResultRow): string {
  const paired = metrics?.paired;
  if (!paired || paired.kept === null) return '–';
  const range = paired.keptInterval ? ` (${paired.keptInterval.low.toFixed(0)}…${paired.keptInterval.high.toFixed(0)})` : '';
  return `${paired.kept.toFixed(1)} %${range}`;
}

export function resultTable(rows: readonly ResultRow[]): string {
  const line = (row: ResultRow) => [
    row.model,
    row.environment,
    whole(row.parameters),
    `${(row.weightBytes / 1e6).toFixed(2)} MB`,
    `${(row.macs / 1e6).toFixed(1)} M`,
    percent(row.metrics?.mAP),
    row.metrics?.interval ? `${percent(row.metrics.interval.low)}…${percent(row.metrics.interval.high)}` : '–',
    kept(row),
    percent(row.metrics?.AP50),
    row.metrics?.sqnr === null || row.metrics?.sqnr === undefined ? '–' : `${row.metrics.sqnr.toFixed(1)} dB`,
    String(row.metrics?.images ?? 0),
  ];
  return columns([
    ['model', 'environment', 'parameters', 'weights', 'MACs', 'mAP', '95 % interval', 'kept', 'AP50', 'SQNR', 'images'],
    ...rows.map(line),
  ]);
}
