import { describe, expect, it } from 'vitest';
import { tensorsOf } from '../../src/ui/layers/parts';

describe('the tensors of a layer', () => {
  const tensors = new Map([
    ['a', 1],
    ['b_part1', 2],
    ['b_part2', 3],
    ['bb_part1', 4],
  ]);
  it('are its output, or the parts that it was cut into', () => {
    expect(tensorsOf('a', tensors)).toEqual([1]);
    expect(tensorsOf('b', tensors)).toEqual([2, 3]);
    expect(tensorsOf('c', tensors)).toEqual([]);
  });
});
