/** Where the arrow keys lead in a graph of layers. */
export type Arrow = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight';

export const isArrow = (key: string): key is Arrow => /^Arrow(Up|Down|Left|Right)$/.test(key);

/**
 * @param after for each layer, those that it reads
 * @returns the layer that `from` leads to: what it reads, what reads it, or the neighbour that reads the same; `from` at an end
 */
export function walk(after: readonly (readonly number[])[], from: number, arrow: Arrow): number {
  if (arrow === 'ArrowUp') return after[from]?.[0] ?? from;
  const readers = (of: number) => after.flatMap((before, i) => (before.includes(of) ? [i] : []));
  if (arrow === 'ArrowDown') return readers(from)[0] ?? from;
  const parent = after[from]?.[0];
  const row = parent === undefined ? after.flatMap((before, i) => (before.length === 0 ? [i] : [])) : readers(parent);
  const at = row.indexOf(from) + (arrow === 'ArrowLeft' ? -1 : 1);
  return row[at] ?? from;
}
