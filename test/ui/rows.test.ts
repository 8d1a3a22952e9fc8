import { describe, expect, it } from 'vitest';
import type { LayerReport } from '../../src/pipeline';
import { rowAfterKey, rowsOf } from '../../src/ui/layers/rows';

const layer = (name: string, op: string, macs: number, shape: readonly (number | null)[] | null = null) =>
  ({ name, op, macs, shape, parameters: 0 }) as unknown as LayerReport;
const layers = [layer('b', 'Conv', 2, [1, 8]), layer('a', 'Relu', 0, [2, null]), layer('c', 'Conv', 9)];
const names = (rows: readonly LayerReport[]) => rows.map(({ name }) => name).join('');

describe('the rows of the layer table', () => {
  it('stand in the network’s order until they are sorted', () => {
    expect(names(rowsOf(layers, '', null, {}))).toBe('bac');
    expect(names(rowsOf(layers, '', { column: 'macs', down: true }, {}))).toBe('cba');
    expect(names(rowsOf(layers, '', { column: 'name', down: false }, {}))).toBe('abc');
    expect(names(rowsOf(layers, '', { column: 'op', down: true }, {}))).toBe('abc');
    expect(names(rowsOf(layers, '', { column: 'shape', down: true }, {}))).toBe('bac');
    expect(names(rowsOf(layers, '', { column: 'error', down: false }, { c: 3, a: 20 }))).toBe('cab');
  });

  it('are filtered by name and operator', () => {
    expect(names(rowsOf(layers, ' CONV', null, {}))).toBe('bc');
    expect(rowsOf(layers, 'pool', null, {})).toEqual([]);
  });

  it('are walked by keys that stop at the ends', () => {
    const to = (key: string, from: number) => rowAfterKey(key, from, 100, 10);
    expect([to('ArrowDown', -1), to('ArrowDown', 99), to('ArrowUp', -1), to('ArrowUp', 0)]).toEqual([0, 99, 99, 0]);
    expect([to('PageDown', -1), to('PageDown', 95), to('PageUp', 25), to('PageUp', 4)]).toEqual([10, 99, 15, 0]);
    expect([to('Home', 50), to('End', 50), to('a', 50), rowAfterKey('End', -1, 0, 10)]).toEqual([0, 99, null, null]);
  });
});
