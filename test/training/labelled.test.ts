import { describe, expect, it } from 'vitest';
import { drawScene, type GroundTruth } from '../../src/data';
import type { Preprocess } from '../../src/models';
import { preprocess } from '../../src/models';
import { createRandom } from '../../src/numerics';
import { LABELLED_AUGMENTATION, type LabelledAugmentation, type LabelledImage, labelledView, plainView } from '../../src/training';

const P: Preprocess = {
  width: 96,
  height: 64,
  layout: 'nchw',
  channels: 'rgb',
  resize: 'letterbox-corner',
  pad: 114,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  dtype: 'float32',
};
const NOTHING: LabelledAugmentation = { ...LABELLED_AUGMENTATION, flip: 0, move: 0, colour: 0, mosaic: 0 };

const truth = (x: number, y: number, w: number, h: number): GroundTruth => ({
  bbox: [x, y, w, h],
  categoryId: 3,
  area: w * h,
  crowd: false,
});

/** A bright rectangle on black, labelled. */
function rectangle(width: number, height: number, x: number, y: number, w: number, h: number, colour = [250, 200, 150]): LabelledImage {
  const data = new Uint8Array(width * height * 3);
  for (let row = y; row < y + h; row++) for (let column = x; column < x + w; column++) data.set(colour, (row * width + column) * 3);
  return { image: { width, height, data }, truths: [truth(x, y, w, h)] };
}

const pool = (...images: LabelledImage[]) => ({ count: images.length, at: async (i: number) => images[i]! });

/** Extent of what is bright in the first channel: x, y, width, height. */
function extent(input: Float32Array | Uint8Array, least = 120): number[] {
  let [left, top, right, bottom] = [P.width, P.height, -1, -1];
  for (let i = 0; i < P.width * P.height; i++) {
    if (input[i]! <= least) continue;
    const [x, y] = [i % P.width, Math.floor(i / P.width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  return [left, top, right - left + 1, bottom - top + 1];
}

describe('labelled views', () => {
  it('are what the network is fed, and the boxes with it, where no chance comes up', async () => {
    const { image, truths } = drawScene(3, { width: 96, height: 60 });
    const p: Preprocess = { ...P, channels: 'bgr', mean: [10, 20, 30], std: [2, 4, 8] };
    const view = await labelledView(pool({ image, truths }), 0, p, createRandom(1), NOTHING);
    expect(view.input).toEqual(preprocess(image, p).input);
    expect(view.truths).toEqual(truths);
    expect(plainView({ image, truths }, p)).toEqual(view);
    const bytes = await labelledView(pool({ image, truths }), 0, { ...P, layout: 'nhwc', dtype: 'uint8' }, createRandom(1), NOTHING);
    expect(bytes.input).toEqual(preprocess(image, { ...P, layout: 'nhwc', dtype: 'uint8' }).input);
  });

  it('scale an image and its boxes alike', () => {
    const { input, truths } = plainView(rectangle(192, 128, 40, 20, 60, 80), P);
    expect(truths[0]).toMatchObject({ bbox: [20, 10, 30, 40], area: 1200, categoryId: 3 });
    expect(extent(input)).toEqual([20, 10, 30, 40]);
  });

  it('mirror', async () => {
    const one = pool(rectangle(96, 64, 10, 20, 30, 12));
    const { input, truths } = await labelledView(one, 0, P, createRandom(1), { ...NOTHING, flip: 1 });
    expect(truths[0]!.bbox).toEqual([56, 20, 30, 12]);
    expect(extent(input)).toEqual([56, 20, 30, 12]);
  });

  it('keep boxes on what they name, whatever the move, and drop what hardly shows', async () => {
    const one = pool(rectangle(96, 64, 30, 20, 36, 24));
    const a = { ...NOTHING, flip: 0.5, move: 1, scale: [0.5, 2] as const, shift: 0.45, visible: 0.7 };
    let [kept, dropped] = [0, 0];
    for (let seed = 0; seed < 60; seed++) {
      const { input, truths } = await labelledView(one, 0, P, createRandom(seed), a);
      if (truths.length === 0) {
        dropped++;
        continue;
      }
      kept++;
      const seen = extent(input);
      truths[0]!.bbox.forEach((edge, i) => {
        expect(Math.abs(edge - seen[i]!)).toBeLessThan(i < 2 ? 1.01 : 2.01);
      });
    }
    expect(kept).toBeGreaterThan(40);
    expect(dropped).toBeGreaterThan(0);
  });

  it('join four images in a mosaic, each in its quarter, cut there', async () => {
    const colours = [
      [250, 0, 0],
      [200, 0, 0],
      [160, 0, 0],
      [140, 0, 0],
    ];
    const four = pool(...colours.map((colour) => rectangle(96, 64, 0, 0, 96, 64, colour)));
    const { input, truths } = await labelledView(four, 2, P, createRandom(5), { ...NOTHING, mosaic: 1, mosaicScale: [1, 1], visible: 0 });
    expect(truths).toHaveLength(4);
    // Without a rescale each image covers more than its quarter: the boxes are the quarters themselves.
    expect(truths.reduce((sum, { bbox: [, , w, h] }) => sum + w * h, 0)).toBe(96 * 64);
    const [first] = truths;
    expect(first!.bbox.slice(0, 2)).toEqual([0, 0]);
    expect(truths[3]!.bbox.slice(0, 2)).toEqual(first!.bbox.slice(2));
    expect(input[0]).toBe(160);
    expect([250, 200, 160, 140]).toContain(input[96 * 64 - 1]);
    for (const { bbox } of truths) {
      const [x, y, w, h] = bbox;
      const inside = new Set<number>();
      for (let row = y; row < y + h; row++) for (let column = x; column < x + w; column++) inside.add(input[row * 96 + column]!);
      expect(inside.size).toBe(1);
    }
  });

  it('turn hues around the circle, saturate and brighten', async () => {
    const colour = (rgb: number[], a: Partial<LabelledAugmentation>) => {
      const all = { ...NOTHING, colour: 1, hue: 0, saturation: [1, 1] as const, brightness: [1, 1] as const, gain: [1, 1] as const, ...a };
      return labelledView(pool(rectangle(96, 64, 0, 0, 96, 64, rgb)), 0, P, { ...createRandom(1), next: () => 0.999999 }, all);
    };
    const pixel = async (rgb: number[], a: Partial<LabelledAugmentation>) => {
      const { input } = await colour(rgb, a);
      return [0, 1, 2].map((c) => input[c * 96 * 64]);
    };
    expect(await pixel([200, 40, 90], {})).toEqual([200, 40, 90]);
    // A third of the circle: red becomes green, green blue.
    expect(await pixel([200, 40, 40], { hue: 1 / 3 })).toEqual([40, 200, 40]);
    expect(await pixel([40, 200, 90], { hue: 1 / 3 })).toEqual([90, 40, 200]);
    expect(await pixel([200, 100, 100], { saturation: [0, 0] })).toEqual([200, 200, 200]);
    expect(await pixel([200, 150, 100], { saturation: [1.5, 1.5] })).toEqual([200, 125, 50]);
    expect(await pixel([100, 60, 20], { brightness: [2, 2] })).toEqual([200, 120, 40]);
    expect(await pixel([0, 0, 0], { brightness: [2, 2], hue: 0.2 })).toEqual([0, 0, 0]);
    expect(await pixel([90, 90, 90], { saturation: [2, 2] })).toEqual([90, 90, 90]);
  });

  it('are the same for the same seed, and others for another', async () => {
    const scenes = pool(...[1, 2, 3, 4].map((seed) => drawScene(seed, { width: 96, height: 64 })));
    const all = { ...LABELLED_AUGMENTATION, mosaic: 0.5 };
    const [a, b, c] = await Promise.all([4, 4, 5].map((seed) => labelledView(scenes, 1, P, createRandom(seed), all)));
    expect(a).toEqual(b);
    expect(a!.input).not.toEqual(c!.input);
  });
});
