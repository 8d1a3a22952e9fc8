/** Numbers with their units, in the reader's locale. Everything the page shows as a figure passes here. */

const locale = (): string | undefined => (typeof document === 'undefined' ? 'en' : document.documentElement.lang || undefined);
const cache = new Map<string, Intl.NumberFormat>();

function formatter(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale()}${JSON.stringify(options)}`;
  let found = cache.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale(), options);
    cache.set(key, found);
  }
  return found;
}

export function number(value: number, digits = 0): string {
  return formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** 1234567 → "1.23 M". */
export function compact(value: number): string {
  const [divisor, suffix] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, ''];
  const scaled = value / divisor;
  return formatter({ maximumSignificantDigits: 3 }).format(scaled) + suffix;
}

/** Bytes as MB (10⁶), the unit of the result table. */
export function megabytes(bytes: number): string {
  return number(bytes / 1e6, bytes < 1e7 ? 2 : 1);
}

export function bytes(value: number): string {
  if (value >= 1e9) return `${number(value / 1e9, 1)} GB`;
  if (value >= 1e6) return `${number(value / 1e6, 1)} MB`;
  return `${number(value / 1e3)} kB`;
}

/** A percent figure (0–100), or a dash for what can't be said. */
export function percent(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined || Number.isNaN(value) ? '–' : number(value, digits);
}

/** A change in percent with its sign: "−12 %". */
export function change(before: number, after: number): string {
  if (before === 0) return '';
  const value = ((after - before) / before) * 100;
  return `${formatter({ maximumFractionDigits: 0, signDisplay: 'exceptZero' }).format(value).replace('-', '−')} %`;
}

export function signed(value: number, digits = 1): string {
  return formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'exceptZero' })
    .format(value)
    .replace('-', '−');
}

export function milliseconds(value: number): string {
  return `${number(value, value < 10 ? 1 : 0)} ms`;
}

/** "8 s", "2 min 10 s". */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** A value of an axis or a tensor, at three digits. */
export function value(x: number): string {
  return formatter({ maximumSignificantDigits: 3 }).format(x);
}

export function shape(dims: readonly (number | string | null)[] | null): string {
  return dims ? dims.map((d) => d ?? '?').join('×') : '?';
}

export function when(at: number): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}
