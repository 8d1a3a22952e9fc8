import { describe, expect, it } from 'vitest';
import { resizeBilinear } from '../../src/numerics';

const gray = (width: number, height: number, values: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from(values.flatMap((v) => [v, v, v])),
});
const red = (data: Uint8Array) => Array.from(data).filter((_, i) => i % 3 === 0);

describe('resizeBilinear', () => {
  it('takes half-pixel centres and repeats the edge', () => {
    // Centres of 4 targets over 2 sources: −0.25, 0.25, 0.75, 1.25 → 0, 25, 75, 100.
    expect(red(resizeBilinear(gray(2, 1, [0, 100]), 4, 1).data)).toEqual([0, 25, 75, 100]);
    expect(red(resizeBilinear(gray(1, 2, [0, 100]), 1, 4).data)).toEqual([0, 25, 75, 100]);
  });

  it('samples without antialiasing when it shrinks', () => {
    // Target centres 1 and 4 of six pixels (scale 3): exact hits.
    expect(red(resizeBilinear(gray(6, 1, [9, 10, 11, 12, 200, 13]), 2, 1).data)).toEqual([10, 200]);
  });

  it('rounds halves up', () => {
    expect(red(resizeBilinear(gray(2, 2, [0, 1, 1, 2]), 1, 1).data)).toEqual([1]);
    expect(red(resizeBilinear(gray(2, 1, [0, 1]), 1, 1).data)).toEqual([1]);
  });

  it('equals the formula computed pixel by pixel on a random image', () => {
    let seed = 7;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
    const image = { width: 37, height: 23, data: Uint8Array.from({ length: 37 * 23 * 3 }, () => random() * 256) };
    const [width, height] = [19, 41];
    const at = (x: number, y: number, c: number) => image.data[(y * 37 + x) * 3 + c]!;
    const expected = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++) {
          const sx = Math.min(Math.max(((x + 0.5) * 37) / width - 0.5, 0), 36);
          const sy = Math.min(Math.max(((y + 0.5) * 23) / height - 0.5, 0), 22);
          const [x0, y0] = [Math.floor(sx), Math.floor(sy)];
          const [x1, y1] = [Math.min(x0 + 1, 36), Math.min(y0 + 1, 22)];
          const top = at(x0, y0, c) + (at(x1, y0, c) - at(x0, y0, c)) * (sx - x0);
          const bottom = at(x0, y1, c) + (at(x1, y1, c) - at(x0, y1, c)) * (sx - x0);
          expected[(y * width + x) * 3 + c] = Math.floor(top + (bottom - top) * (sy - y0) + 0.5);
        }
    expect(resizeBilinear(image, width, height).data).toEqual(expected);
  });

  it('keeps an image of the right size and refuses an impossible one', () => {
    const image = gray(2, 1, [3, 4]);
    expect(resizeBilinear(image, 2, 1)).toBe(image);
    expect(() => resizeBilinear(image, 0, 1)).toThrow("An image can't be resized to 0×1.");
  });
});
