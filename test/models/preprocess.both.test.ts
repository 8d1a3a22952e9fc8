import { describe, expect, it } from 'vitest';
import { applyPreset, PRESETS, type Preprocess, preprocess } from '../../src/models';
import { createRandom } from '../../src/numerics';

/** FNV-1a over the bytes. */
function fingerprint(data: Float32Array | Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

const base: Preprocess = {
  width: 64,
  height: 48,
  layout: 'nchw',
  channels: 'rgb',
  resize: 'stretch',
  pad: 114,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  dtype: 'float32',
};

/** Pinned, and run in Node and in Chromium: both must feed a network the same bits. */
describe('the input tensor, bit by bit', () => {
  const random = createRandom(5);
  const image = { width: 97, height: 61, data: Uint8Array.from({ length: 97 * 61 * 3 }, () => random.int(256)) };

  it.each([
    ['bgr-0-255-letterbox-corner', 'nchw', 'float32', '11b2424c'],
    ['rgb-imagenet-letterbox-center', 'nchw', 'float32', '4d7d4e77'],
    ['rgb-127-128-stretch', 'nhwc', 'float32', 'e5383103'],
    ['bgr-0-255-stretch', 'nhwc', 'uint8', 'b5fba30b'],
  ] as const)('%s, %s, %s', (id, layout, dtype, expected) => {
    const p = { ...applyPreset(base, PRESETS.find((preset) => preset.id === id)!), layout, dtype };
    expect(fingerprint(preprocess(image, p).input)).toBe(expected);
  });
});
