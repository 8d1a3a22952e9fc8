/** The layer table's rows: which, in which order, and where a key leads. */
import type { LayerReport } from '../../pipeline';

export type Column = 'name' | 'op' | 'shape' | 'parameters' | 'macs' | 'error';
export const COLUMNS: readonly Column[] = ['name', 'op', 'shape', 'parameters', 'macs', 'error'];

export interface Sort {
  readonly column: Column;
  readonly down: boolean;
}

type Errors = Readonly<Record<string, number>>;

function key(layer: LayerReport, column: Column, errors: Errors): string | number {
  if (column === 'error') return errors[layer.name] ?? Number.POSITIVE_INFINITY;
  if (column === 'shape') return (layer.shape ?? []).reduce<number>((p, d) => p * (d ?? 1), 1);
  return layer[column];
}

/**
 * The layers whose name or operator contains `filter`, sorted; equal ones stay in the network's order.
 * @param sort null = the network's order
 */
export function rowsOf(layers: readonly LayerReport[], filter: string, sort: Sort | null, errors: Errors): readonly LayerReport[] {
  const wanted = filter.trim().toLowerCase();
  const all = wanted ? layers.filter(({ name, op }) => `${name} ${op}`.toLowerCase().includes(wanted)) : layers;
  if (!sort) return all;
  const sign = sort.down ? -1 : 1;
  return all
    .map((layer) => ({ layer, by: key(layer, sort.column, errors) }))
    .sort((a, b) => sign * (a.by < b.by ? -1 : a.by > b.by ? 1 : 0))
    .map(({ layer }) => layer);
}

/**
 * @param from −1 = no row is selected
 * @param page rows that a page has
 * @returns the row that the key leads to; null for a key that leads nowhere
 */
export function rowAfterKey(name: string, from: number, count: number, page: number): number | null {
  if (count === 0) return null;
  const last = count - 1;
  const inside = (row: number) => Math.min(last, Math.max(0, row));
  switch (name) {
    case 'ArrowDown':
      return inside(from + 1);
    case 'ArrowUp':
      return from < 0 ? last : inside(from - 1);
    case 'PageDown':
      return inside(Math.max(0, from) + page);
    case 'PageUp':
      return inside(from - page);
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return null;
  }
}
