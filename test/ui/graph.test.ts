import { describe, expect, it } from 'vitest';
import type { InspectReport } from '../../src/pipeline';
import { shades } from '../../src/ui/graph/quantities';
import { walk } from '../../src/ui/graph/walk';
import { blockEnds, placeLayers } from '../../workers/place';
import type { JobResult } from '../../workers/wire';

const layer = (name: string, macs: number, parameters: number, after: number[] = []) => ({
  name,
  op: 'Conv',
  shape: [1, 8, 4, 4],
  parameters,
  macs,
  activationBytes: 0,
  output: `${name}:0`,
  after,
});
const reportOf = (layers: ReturnType<typeof layer>[]) => ({ layers }) as unknown as InspectReport;
const report = reportOf([layer('a', 400, 100), layer('b', 100, 50), layer('c', 0, 0)]);
const result = {
  layerError: { a: 20, b: -10 },
  quant: [
    { tensor: 'a:0', dtype: 'uint8' },
    { tensor: 'b:0', dtype: 'int16' },
  ],
} as unknown as JobResult;
const known = { report, result, compressed: null, device: [] };

describe('what the graph is coloured by', () => {
  it('MACs, by the root of their share', () => {
    expect(shades('macs', known).map(({ depth }) => depth)).toEqual([1, 0.5, null]);
  });

  it('error, where it was measured', () => {
    expect(shades('error', known).map(({ depth }) => depth)).toEqual([0.5, 1, null]);
    expect(shades('error', { ...known, result: null }).every(({ depth }) => depth === null)).toBe(true);
  });

  it('bits of the output', () => {
    expect(shades('bits', known).map(({ words }) => words)).toEqual(['8 bit', '16 bit', '']);
  });

  it('parameters that are gone; the parts of a cut layer count together', () => {
    const compressed = reportOf([layer('a_part0', 1, 30), layer('a_part1', 1, 20), layer('b', 1, 50)]);
    expect(shades('pruned', { ...known, compressed }).map(({ words }) => words)).toEqual(['−50 %', '−0 %', '']);
  });

  it("the device's answer", () => {
    const device = [{ node: 'b', state: 'falls back' }] as never;
    expect(shades('device', { ...known, device }).map(({ words, depth }) => [words, depth])).toEqual([
      ['', null],
      ['falls back', 0.7],
      ['', null],
    ]);
  });
});

describe('arrow keys', () => {
  // 0 → 1, 2 → 3, and 4 stands alone.
  const after = [[], [0], [0], [1, 2], []];
  it('go along the edges and stop at the ends', () => {
    expect(walk(after, 0, 'ArrowDown')).toBe(1);
    expect(walk(after, 1, 'ArrowRight')).toBe(2);
    expect(walk(after, 2, 'ArrowLeft')).toBe(1);
    expect(walk(after, 3, 'ArrowUp')).toBe(1);
    expect(walk(after, 3, 'ArrowDown')).toBe(3);
    expect(walk(after, 0, 'ArrowUp')).toBe(0);
    expect(walk(after, 0, 'ArrowRight')).toBe(4);
    expect(walk(after, 2, 'ArrowRight')).toBe(2);
  });
});

describe('where boxes lie', () => {
  const chain = (count: number, skip: number) =>
    Array.from({ length: count }, (_, i) => (i === 0 ? [] : i % skip === skip - 1 ? [i - 1, i - skip + 1] : [i - 1]));

  it('cuts where the fewest edges cross', () => {
    expect(blockEnds([[], [0], [1], [2, 1], [3], [4]], 4)).toEqual([4, 6]);
    expect(blockEnds([[], [0], [1], [2, 0], [3], [4]], 3)).toEqual([3, 6]);
    // Two edges leave 3, one leads to it.
    expect(blockEnds([[], [0], [1], [2], [3], [4, 3]], 4)).toEqual([3, 6]);
    expect(blockEnds([], 4)).toEqual([]);
  });

  it('places more layers than a block holds, each below those that it reads, none upon another', () => {
    const after = chain(900, 4);
    const corners = placeLayers({ width: 168, height: 50, after });
    const y = (i: number) => corners[2 * i + 1]!;
    for (const [i, before] of after.entries()) for (const from of before) expect(y(i)).toBeGreaterThanOrEqual(y(from) + 50);
    const places = new Set(after.map((_, i) => `${corners[2 * i]} ${y(i)}`));
    expect(places.size).toBe(after.length);
    expect(Math.max(...corners.filter((_, i) => i % 2 === 0)) - Math.min(...corners.filter((_, i) => i % 2 === 0))).toBeLessThan(800);
  });
});
