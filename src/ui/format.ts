/** Numbers with units, one way everywhere. */
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

function scaled(value: number, unit: string): string {
  for (const [limit, prefix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= limit) return `${short.format(value / limit)} ${prefix}${unit}`;
  return `${whole.format(value)} ${unit}`.trim();
}

export const count = (value: number) => whole.format(value);
export const parameters = (value: number) => scaled(value, '');
export const macs = (value: number) => scaled(value, 'MAC');
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
export const percent = (value: number | null | undefined) => (value === null || value === undefined ? 'n/a' : value.toFixed(1));
/** "+1.2", "−3.4": with the sign that a difference needs. */
export const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;

/** "[21.0, 27.3]" */
export const interval = ({ low, high }: { readonly low: number; readonly high: number }, format: (value: number) => string = percent) =>
  `[${format(low)}, ${format(high)}]`;

export const milliseconds = (value: number) => `${value < 10 ? value.toFixed(1) : whole.format(value)} ms`;
export const decibels = (value: number | null | undefined) => (value === null || value === undefined ? '–' : `${value.toFixed(1)} dB`);

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
