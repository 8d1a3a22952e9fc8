import { describe, expect, it } from 'vitest';
import { nms } from '../../src/models';
import { byScore } from '../../src/models/nms';

const candidates = (list: readonly (readonly [x: number, y: number, w: number, h: number, score: number, cls: number])[]) => ({
  boxes: Float32Array.from(list.flatMap((c) => c.slice(0, 4))),
  scores: Float32Array.from(list.map((c) => c[4])),
  classes: Int32Array.from(list.map((c) => c[5])),
});

describe('byScore', () => {
  it('sorts as a stable comparison sort does, ties and zeros included', () => {
    let seed = 3;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
    const scores = Float32Array.from({ length: 5000 }, () => Math.floor(random() * 300) / 300);
    const expected = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
    expect([...byScore(scores)]).toEqual(expected);
    const fine = Float32Array.from({ length: 2000 }, () => random() ** 9);
    expect([...byScore(fine)]).toEqual([...fine.keys()].sort((a, b) => fine[b]! - fine[a]!));
  });
});

describe('nms', () => {
  const options = { iouThreshold: 0.5, nms: 'per-class', maxDetections: 100 } as const;

  it('drops what overlaps a better box of its class by more than the threshold', () => {
    // IoU of the first two: 8 / 12; of the first and third: exactly 0.5, which stays.
    const list = candidates([
      [0, 0, 10, 1, 0.9, 0],
      [2, 0, 10, 1, 0.8, 0],
      [0, 0, 5, 1, 0.7, 0],
      [2, 0, 10, 1, 0.6, 1],
    ]);
    expect(nms(list, options)).toEqual([0, 2, 3]);
    expect(nms(list, { ...options, nms: 'agnostic' })).toEqual([0, 2]);
    expect(nms(list, { ...options, iouThreshold: 0.7 })).toEqual([0, 1, 2, 3]);
  });

  it('lets the earlier of two equal scores win, and stops at the limit', () => {
    const list = candidates([
      [1, 0, 10, 10, 0.5, 0],
      [0, 0, 10, 10, 0.5, 0],
      [50, 0, 10, 10, 0.9, 0],
    ]);
    expect(nms(list, options)).toEqual([2, 0]);
    expect(nms(list, { ...options, maxDetections: 1 })).toEqual([2]);
  });

  it('keeps empty boxes apart instead of dividing by zero', () => {
    expect(
      nms(
        candidates([
          [5, 5, 0, 0, 0.9, 0],
          [5, 5, 0, 0, 0.8, 0],
        ]),
        options,
      ),
    ).toEqual([0, 1]);
  });
});
