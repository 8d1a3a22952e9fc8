/** Numbers with units, one way everywhere, as the page's language writes them. */
import { formatLocale, locale, t } from './text';

const formats = new Map<string, Intl.NumberFormat>();

/** Making a format costs more than using one. */
function number(value: number, options: Intl.NumberFormatOptions): string {
  const language = locale();
  const key = `${language} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(language, options)));
  return format.format(value);
}

const whole = (value: number) => number(value, { maximumFractionDigits: 0 });
const fixed = (value: number, digits: number) => number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });

function scaled(value: number, unit: string): string {
  for (const [limit, prefix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= limit) return `${number(value / limit, { maximumSignificantDigits: 3 })} ${prefix}${unit}`;
  return `${whole(value)} ${unit}`.trim();
}

export const count = whole;
export const parameters = (value: number) => scaled(value, '');
export const macs = (value: number) => scaled(value, 'MAC');
export const megabytes = (bytes: number) => `${fixed(bytes / 1e6, 2)} MB`;
/** "12.3 kB", "45.9 MB", "10.7 GB". */
export const size = (bytes: number) => scaled(bytes, 'B');
export const percent = (value: number | null | undefined) => (value === null || value === undefined ? t('figures.none') : fixed(value, 1));
/** "+1.2", "−3.4": with the sign that a difference needs. */
export const signed = (value: number) => `${value < 0 ? '−' : '+'}${fixed(Math.abs(value), 1)}`;

/** "[21.0, 27.3]" */
export const interval = ({ low, high }: { readonly low: number; readonly high: number }, format: (value: number) => string = percent) =>
  `[${format(low)}, ${format(high)}]`;

export const milliseconds = (value: number) => `${value < 10 ? fixed(value, 1) : whole(value)} ms`;
export const decibels = (value: number | null | undefined) => (value === null || value === undefined ? '–' : `${fixed(value, 1)} dB`);

export function duration(seconds: number): string {
  if (seconds < 60) return t('figures.seconds', { seconds: Math.max(1, Math.round(seconds)) });
  return t('figures.minutes', { minutes: Math.floor(seconds / 60), seconds: Math.round(seconds % 60) });
}

/** Day and time of a moment (ms since 1970), short. */
export const moment = (at: number) => new Intl.DateTimeFormat(formatLocale(), { dateStyle: 'short', timeStyle: 'short' }).format(at);
