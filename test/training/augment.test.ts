import { describe, expect, it } from 'vitest';
import type { Preprocess } from '../../src/models';
import { createRandom } from '../../src/numerics';
import { AUGMENTATION, type Augmentation, augment } from '../../src/training';

const P: Preprocess = {
  width: 6,
  height: 4,
  layout: 'nchw',
  channels: 'rgb',
  resize: 'letterbox-corner',
  pad: 114,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  dtype: 'float32',
};
const NOTHING: Augmentation = { ...AUGMENTATION, flip: 0, move: 0, colour: 0 };
const pixels = Float32Array.from({ length: 72 }, (_, i) => (i * 37) % 256);

describe('augmentation', () => {
  it('changes nothing where no chance comes up', () => {
    expect(augment(pixels, P, createRandom(1), NOTHING)).toEqual(pixels);
    expect(augment(Uint8Array.from(pixels), { ...P, dtype: 'uint8' }, createRandom(1), NOTHING)).toEqual(Uint8Array.from(pixels));
  });

  it('takes normalised inputs back to pixels and forth', () => {
    const p: Preprocess = { ...P, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] };
    const input = pixels.map((v, i) => (v - p.mean[Math.floor(i / 24)]!) / p.std[Math.floor(i / 24)]!);
    const output = augment(input, p, createRandom(1), NOTHING);
    output.forEach((v, i) => {
      expect(v).toBeCloseTo(input[i]!, 5);
    });
  });

  it('mirrors rows', () => {
    const output = augment(pixels, P, createRandom(1), { ...NOTHING, flip: 1 });
    for (let row = 0; row < 12; row++)
      expect([...output.slice(row * 6, row * 6 + 6)]).toEqual([...pixels.slice(row * 6, row * 6 + 6)].reverse());
  });

  it('halves the image on its canvas: means of 2 × 2 pixels somewhere, the pad colour elsewhere', () => {
    const output = augment(pixels, P, createRandom(4), { ...NOTHING, move: 1, scale: [0.5, 0.5] });
    const pads = [...output].filter((v) => v === 114).length;
    expect(pads).toBeGreaterThanOrEqual(72 - 3 * 12);
    expect(pads).toBeLessThan(72 - 3 * 4);
  });

  it('gives whole pixels of 0…255 whatever the colours do', () => {
    const loud: Augmentation = { ...NOTHING, colour: 1, brightness: [1.2, 1.3], saturation: [1.3, 1.3] };
    const output = augment(pixels, P, createRandom(2), loud);
    expect([...output].every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    expect(output).not.toEqual(pixels);
    expect([...output].filter((v) => v === 255).length).toBeGreaterThan(0);
  });

  it('desaturates to the luma, whatever the order of channels', () => {
    const gray: Augmentation = { ...NOTHING, colour: 1, saturation: [0, 0], brightness: [1, 1], gain: [1, 1] };
    for (const channels of ['rgb', 'bgr'] as const) {
      const output = augment(pixels, { ...P, channels }, createRandom(1), gray);
      const [first, green, last] = [pixels[5]!, pixels[29]!, pixels[53]!];
      const luma = channels === 'rgb' ? 0.299 * first + 0.587 * green + 0.114 * last : 0.114 * first + 0.587 * green + 0.299 * last;
      expect([output[5], output[29], output[53]]).toEqual(Array(3).fill(Math.floor(luma + 0.5)));
    }
  });

  it('does the same to either layout, and the same again from the same seed', () => {
    const nhwc = Float32Array.from({ length: 72 }, (_, i) => pixels[(i % 3) * 24 + Math.floor(i / 3)]!);
    const a = augment(pixels, P, createRandom(9));
    const b = augment(nhwc, { ...P, layout: 'nhwc' }, createRandom(9));
    expect(Array.from(b, (_, i) => b[(i % 24) * 3 + Math.floor(i / 24)])).toEqual([...a]);
    expect(augment(pixels, P, createRandom(9))).toEqual(a);
    expect(augment(pixels, P, createRandom(10))).not.toEqual(a);
  });

  it('handles one channel', () => {
    const output = augment(pixels.slice(0, 24), { ...P, channels: 'gray' }, createRandom(3), { ...AUGMENTATION, colour: 1, move: 1 });
    expect(output.length).toBe(24);
    expect([...output].every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
  });
});
