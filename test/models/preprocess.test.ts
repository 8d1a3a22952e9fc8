import { describe, expect, it } from 'vitest';
import {
  applyPreset,
  defaultPreprocess,
  describePreprocess,
  inputDims,
  inputNote,
  PRESETS,
  type Preprocess,
  place,
  preprocess,
  presetOf,
  toImageBox,
} from '../../src/models';
import type { Dim, Model } from '../../src/onnx';

const base: Preprocess = {
  width: 8,
  height: 8,
  layout: 'nchw',
  channels: 'bgr',
  resize: 'letterbox-corner',
  pad: 114,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  dtype: 'float32',
};
/** 4×2: left half (10, 20, 30), right half (200, 210, 220). */
const image = {
  width: 4,
  height: 2,
  data: Uint8Array.from([0, 0, 1, 1, 0, 0, 1, 1].flatMap((right) => (right ? [200, 210, 220] : [10, 20, 30]))),
};
const plane = (input: ArrayLike<number>, c: number, row: number) => Array.from({ length: 8 }, (_, x) => input[c * 64 + row * 8 + x]!);

describe('place', () => {
  it('truncates the resized size as YOLOX does', () => {
    const { width, height, placement } = place(640, 427, { ...base, width: 416, height: 416 });
    expect([width, height]).toEqual([416, 277]); // 427 · 0.65 = 277.55
    expect(placement).toEqual({ imageWidth: 640, imageHeight: 427, scaleX: 0.65, scaleY: 0.65, offsetX: 0, offsetY: 0 });
  });

  it('rounds and centres as YOLOv5 does, the odd pixel below', () => {
    const { height, placement } = place(640, 427, { ...base, width: 416, height: 416, resize: 'letterbox-center' });
    expect(height).toBe(278);
    expect(placement.offsetY).toBe(69);
    expect(place(640, 425, { ...base, width: 416, height: 415, resize: 'letterbox-center' })).toMatchObject({
      height: 276,
      placement: { offsetY: 69 },
    });
  });

  it('keeps one pixel of a very thin image', () => {
    expect(place(5000, 2, base)).toMatchObject({ width: 8, height: 1 });
  });
});

describe('preprocess', () => {
  it('letterboxes into the corner, BGR planes, pad below', () => {
    const { input } = preprocess(image, base);
    expect(plane(input, 0, 0)).toEqual([30, 30, 30, 78, 173, 220, 220, 220]); // B: 30…220, 77.5 and 172.5 rounded up
    expect(plane(input, 2, 3)).toEqual([10, 10, 10, 58, 153, 200, 200, 200]);
    expect(plane(input, 0, 4)).toEqual(Array(8).fill(114));
  });

  it('centres, subtracts and divides in the order of its channels', () => {
    const { input } = preprocess(image, { ...base, channels: 'rgb', resize: 'letterbox-center', mean: [10, 20, 30], std: [2, 4, 5] });
    expect(plane(input, 0, 1)).toEqual(Array(8).fill(52)); // (114 − 10) / 2
    expect(plane(input, 0, 2).slice(0, 3)).toEqual([0, 0, 0]);
    expect(plane(input, 1, 2)[7]).toBe(47.5); // (210 − 20) / 4
    expect(plane(input, 2, 6)).toEqual(Array(8).fill(Math.fround(84 / 5)));
  });

  it('stretches, interleaves NHWC and keeps uint8', () => {
    const p: Preprocess = { ...base, resize: 'stretch', layout: 'nhwc', dtype: 'uint8' };
    const { input, placement } = preprocess(image, p);
    expect(input).toBeInstanceOf(Uint8Array);
    expect(Array.from(input.slice(-3))).toEqual([220, 210, 200]);
    expect(placement).toMatchObject({ scaleX: 2, scaleY: 4 });
    expect(inputDims(p)).toEqual([1, 8, 8, 3]);
  });

  it('makes one luma plane for a gray network', () => {
    const p: Preprocess = { ...base, channels: 'gray', width: 4, height: 2 };
    expect(Array.from(preprocess(image, p).input.slice(1, 3))).toEqual([18, 208]); // 0.299·10 + 0.587·20 + 0.114·30 = 18.15
    expect(inputDims(p)).toEqual([1, 1, 2, 4]);
  });

  it('maps boxes back and clips them', () => {
    const { placement } = place(640, 427, { ...base, width: 416, height: 416, resize: 'letterbox-center' });
    const box = toImageBox(65, 69 + 6.5, 130, 650, placement);
    expect(box.x).toBeCloseTo(100, 9);
    expect(box.y).toBeCloseTo(10, 9);
    expect(box.width).toBeCloseTo(200, 9);
    expect(box.height).toBeCloseTo(417, 9);
  });
});

describe('presets', () => {
  it('are 30 distinct ones; the reference model and NanoDet are among them', () => {
    expect(new Set(PRESETS.map((preset) => preset.id)).size).toBe(30);
    expect(presetOf(base)?.id).toBe('bgr-0-255-letterbox-corner');
    const nanodet: Preprocess = { ...base, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395], resize: 'stretch' };
    expect(describePreprocess(nanodet)).toBe('BGR, ImageNet mean/std, stretched');
    expect(describePreprocess({ ...base, mean: [1, 2, 3] })).toBe('BGR, mean 1/2/3, std 1/1/1, letterbox, image top-left');
    const preset = PRESETS.find((p) => p.id === 'rgb-imagenet-stretch')!;
    expect(applyPreset(base, preset)).toMatchObject({
      width: 8,
      channels: 'rgb',
      mean: [123.675, 116.28, 103.53],
      std: [58.395, 57.12, 57.375],
    });
  });
});

describe('defaultPreprocess', () => {
  const model = (shape: readonly Dim[] | null, dtype: 'float32' | 'int64' = 'float32') =>
    ({ metadata: {}, graph: { inputs: [{ name: 'x', dtype, shape }], nodes: [] } }) as unknown as Model;

  it('reads layout, channels and size from the input', () => {
    expect(defaultPreprocess(model([1, 256, 192, 3]))).toMatchObject({ layout: 'nhwc', width: 192, height: 256, channels: 'rgb' });
    expect(defaultPreprocess(model([1, 1, 28, 28]))).toMatchObject({ layout: 'nchw', width: 28, channels: 'gray' });
  });

  it('says what it assumed where the size is open', () => {
    const open = model(['n', 3, 'h', 'w']);
    expect(defaultPreprocess(open)).toMatchObject({ width: 416, height: 416 });
    expect(inputNote(open)).toBe(
      "Preprocessing can't be read from the file: RGB, 0–1, stretched is assumed. Its size is open: 416 is used (a multiple of 32).",
    );
  });

  it('is null where no image goes in', () => {
    expect(defaultPreprocess(model([1, 10]))).toBeNull();
    expect(defaultPreprocess(model([1, 4, 8, 8]))).toBeNull();
    expect(defaultPreprocess(model([1, 3, 8, 8], 'int64'))).toBeNull();
    expect(inputNote(model(null))).toBeNull();
  });
});
