/** A chart's axis: from values to 0…1, with round numbers to read it by. */
export interface Scale {
  readonly log: boolean;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}

export interface ScaleOptions {
  /** Ends that hold whatever the values are. */
  readonly from?: number;
  readonly to?: number;
  /** A logarithmic axis where the values, all above 0, span more than this factor; absent = never. */
  readonly logAbove?: number;
  /** Ticks wished for. */
  readonly ticks?: number;
}

/** The round step (1, 2 or 5 times a power of ten) that gives about `count` ticks over `span`. */
function roundStep(span: number, count: number): number {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
}

function linearTicks(from: number, to: number, count: number): number[] {
  const step = roundStep(to - from, count);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten; where those are too few, 2 and 5 times them too; where they are too many, every second, third… */
function logTicks(from: number, to: number, count: number): number[] {
  const [low, high] = [Math.floor(Math.log10(from)), Math.ceil(Math.log10(to))];
  const at = (factors: readonly number[]) =>
    Array.from({ length: high - low + 1 }, (_, i) => factors.map((factor) => factor * 10 ** (low + i)))
      .flat()
      .filter((tick) => tick >= from * (1 - 1e-9) && tick <= to * (1 + 1e-9))
      .map((tick) => Number(tick.toPrecision(12)));
  const powers = at([1]);
  if (powers.length >= 3) return powers.filter((_, i) => i % Math.ceil(powers.length / (count + 1)) === 0);
  return at([1, 2, 5]);
}

/** An axis that holds the values; 0…1 where there are none. */
export function scaleOf(values: readonly number[], { from, to, logAbove, ticks = 4 }: ScaleOptions = {}): Scale {
  const finite = values.filter(Number.isFinite);
  let low = from ?? (finite.length ? Math.min(...finite) : 0);
  let high = to ?? (finite.length ? Math.max(...finite) : 1);
  if (logAbove !== undefined && low > 0 && high / low > logAbove) {
    const [start, end] = [low / 1.15, high * 1.15];
    return { log: true, from: start, to: end, ticks: logTicks(start, end, ticks) };
  }
  if (high - low < 1e-12 * Math.max(1, Math.abs(high))) [low, high] = [from ?? low - 0.5, to ?? low + 0.5];
  const pad = 0.06 * (high - low);
  const start = from ?? (low >= 0 && low < 0.35 * high ? 0 : low - pad);
  const end = to ?? high + pad;
  return { log: false, from: start, to: end, ticks: linearTicks(start, end, ticks) };
}

/** Ends for percentages: tiny ones are not blown up to the height of the chart. */
export function percentEnds(values: readonly number[]): ScaleOptions {
  return Math.max(0, ...values) < 5 ? { from: 0, to: 5 } : {};
}

/** Where a value lies: 0 at the axis's start, 1 at its end. */
export function position({ log, from, to }: Scale, value: number): number {
  if (log) return Math.log(Math.max(value, from) / from) / Math.log(to / from);
  return (value - from) / (to - from);
}
