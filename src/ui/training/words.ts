/** Figures of training in words. */
import { percent } from '../format';
import { named, t } from '../text';

/** A loss: three digits that count. */
export function lossFigure(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  return Math.abs(value) >= 0.001 && Math.abs(value) < 10_000 ? value.toPrecision(3) : value.toExponential(1);
}

/** 12400 → "12.4k": as short as an axis wants it. */
export function axisFigure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size > 0 && size < 0.001) return value.toExponential(0);
  return String(Number(value.toPrecision(4)));
}

export const mapFigure = (value: number | null) => (value === null ? t('figures.none') : `${percent(value)} %`);
export const partName = (name: string) => named('training.parts', name);
