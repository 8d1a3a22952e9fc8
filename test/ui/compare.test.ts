import { describe, expect, it } from 'vitest';
import type { Detection } from '../../src/pipeline';
import { compareDetections, compareLayers, lastRow } from '../../src/ui/compare/compare';

const box = (x: number, classIndex = 0, score = 0.9): Detection => ({ x, y: 0, width: 10, height: 10, classIndex, score }) as Detection;

describe('two runs', () => {
  it('are compared by the row they end in, not by the device’s other reading', () => {
    const rows = [{ id: 'fp32' }, { id: 'int8' }, { id: 'int8-other' }] as never;
    expect(lastRow({ rows })!.id).toBe('int8');
    expect(lastRow({ rows: [] })).toBeNull();
  });

  it('layer by layer, largest change first, the lone ones last', () => {
    expect(compareLayers({ a: 10, b: 20, gone: 5 }, { a: 12, b: 8, more: 7 })).toEqual([
      { layer: 'b', a: 20, b: 8, change: -12 },
      { layer: 'a', a: 10, b: 12, change: 2 },
      { layer: 'gone', a: 5, b: null, change: null },
      { layer: 'more', a: null, b: 7, change: null },
    ]);
  });

  it('detection by detection: the same class at the same place', () => {
    const a = [box(0), box(100), box(200, 1), box(300, 0, 0.1)];
    const b = [box(2), box(200, 2), box(104, 0, 0.5)];
    const pairs = compareDetections(a, b, 0.3).map((pair) => [pair.a?.x ?? null, pair.b?.x ?? null]);
    // 100 and 104 overlap by 60 of 140, which is less than half.
    expect(pairs).toEqual([
      [0, 2],
      [100, null],
      [200, null],
      [null, 200],
      [null, 104],
    ]);
  });

  it('gives one box to one partner only, the best', () => {
    const pairs = compareDetections([box(0), box(1)], [box(1)], 0.3);
    expect(pairs.filter(({ b }) => b !== null)).toHaveLength(1);
  });
});
