import { beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, drawScene, readHeader } from '../../src/data';
import type { RgbImage } from '../../src/numerics';
import { alphaPng, cmykJpeg, deepPng, gradientJpeg, grayJpeg, palettePng, progressiveJpeg, turnedJpeg } from './files';

beforeAll(async () => {
  if (typeof window === 'undefined') await import('../../src/data/node');
  else await import('../../src/data/web');
});

async function sha(data: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data.slice().buffer));
  return [...digest.subarray(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join('');
}

const pixel = (image: RgbImage, x: number, y: number) => [...image.data.subarray(3 * (y * image.width + x), 3 * (y * image.width + x) + 3)];
const ascii = (text: string) => new TextEncoder().encode(text);

/** Largest distance of the decoded gradient from its formula. */
function gradientError(image: RgbImage): number {
  let worst = 0;
  for (let y = 0; y < 40; y++)
    for (let x = 0; x < 100; x++) {
      const [r, g, b] = pixel(image, x, y) as [number, number, number];
      worst = Math.max(worst, Math.abs(r - 2 * x), Math.abs(g - Math.min(6 * y, 255)), Math.abs(b - (255 - x - y)));
    }
  return worst;
}

describe('decoding gives the same bits in Node and Chromium', () => {
  it.each([
    ['baseline', gradientJpeg, 'bae3a7d932ce8b78'],
    ['progressive', progressiveJpeg, 'bae3a7d932ce8b78'],
    ['gray', grayJpeg, 'ad892f819a233258'],
    ['turned', turnedJpeg, 'b80624799ae2894c'],
    ['CMYK', cmykJpeg, 'd09ae0fdf1bce8a7'],
  ])('%s JPEG', async (name, bytes, expected) => {
    expect(await sha((await decodeImage(bytes, `${name}.jpg`)).data)).toBe(expected);
  });

  it('and the right ones', async () => {
    const image = await decodeImage(gradientJpeg, 'a.jpg');
    expect([image.width, image.height, image.data.length]).toEqual([100, 40, 12_000]);
    expect(gradientError(image)).toBeLessThan(24);
    const gray = await decodeImage(grayJpeg, 'a.jpg');
    const [r, g, b] = pixel(gray, 50, 20) as [number, number, number];
    expect([g, b]).toEqual([r, r]);
    expect(Math.abs(r - Math.round(0.299 * 100 + 0.587 * 120 + 0.114 * 185))).toBeLessThan(4);
  });

  it('CMYK as an Adobe reader shows it', async () => {
    const image = await decodeImage(cmykJpeg, 'cmyk.jpg');
    const error = (x: number, rgb: number[]) => Math.max(...pixel(image, x, 4).map((v, i) => Math.abs(v - rgb[i]!)));
    expect(error(3, [255, 0, 0])).toBeLessThan(4);
    expect(error(12, [0, 191, 191])).toBeLessThan(4);
  });

  it('PNG of any depth, transparency over white', async () => {
    expect([...(await decodeImage(alphaPng, 'a.png')).data]).toEqual([200, 100, 50, 227, 177, 152, 255, 255, 255]);
    expect([...(await decodeImage(deepPng, 'd.png')).data]).toEqual([0, 0, 0, 100, 100, 100, 255, 255, 255]);
    expect([...(await decodeImage(palettePng, 'p.png')).data]).toEqual([10, 20, 30, 200, 100, 50, 255, 255, 0]);
  });
});

describe('EXIF orientation (I01)', () => {
  it('is obeyed where nothing says otherwise', async () => {
    const image = await decodeImage(turnedJpeg, 't.jpg');
    expect([image.width, image.height]).toEqual([40, 100]);
    expect(pixel(image, 20, 10)[0]).toBeGreaterThan(240);
    expect(pixel(image, 20, 90)[2]).toBeGreaterThan(240);
  });

  it('is left alone where the annotations have the stored size', async () => {
    const image = await decodeImage(turnedJpeg, 't.jpg', { expected: { width: 100, height: 40 } });
    expect([image.width, image.height]).toEqual([100, 40]);
    expect(pixel(image, 10, 20)[0]).toBeGreaterThan(240);
    expect(pixel(image, 90, 20)[2]).toBeGreaterThan(240);
  });

  it('is obeyed where the annotations have the turned size', async () => {
    const image = await decodeImage(turnedJpeg, 't.jpg', { expected: { width: 40, height: 100 } });
    expect(image).toEqual(await decodeImage(turnedJpeg, 't.jpg'));
  });

  it('refuses an image of neither size: its boxes would be elsewhere', async () => {
    await expect(decodeImage(turnedJpeg, 't.jpg', { expected: { width: 640, height: 480 } })).rejects.toMatchObject({
      code: 'bad-data',
      message: 't.jpg is 40 × 100 pixels, its annotations are for 640 × 480.',
    });
  });

  // The nine pixels 0…8 as a viewer shows them, stored in each of the eight ways (EXIF 2.3, 4.6.4 A).
  it.each([
    [1, '012345678'],
    [2, '210543876'],
    [3, '876543210'],
    [4, '678345012'],
    [5, '036147258'],
    [6, '630741852'],
    [7, '852741630'],
    [8, '258147036'],
  ])('orientation %i', async (orientation, shown) => {
    const { orient } = await import('../../src/data/pixels');
    const stored = { width: 3, height: 3, data: Uint8Array.from({ length: 27 }, (_, i) => Math.floor(i / 3)) };
    const image = orient(stored, orientation);
    expect([...image.data].filter((_, i) => i % 3 === 0).join('')).toBe(shown);
  });
});

describe('damaged files (I03) are named, never half decoded', () => {
  const cut = (bytes: Uint8Array, share: number) => bytes.slice(0, Math.floor(bytes.length * share));
  it.each([
    ['cut.jpg', cut(gradientJpeg, 0.6), 'cut.jpg is damaged (Premature end of JPEG file).'],
    ['late.jpg', cut(gradientJpeg, 0.97), 'late.jpg is damaged (Premature end of JPEG file).'],
    ['prog.jpg', cut(progressiveJpeg, 0.8), 'prog.jpg is damaged (Premature end of JPEG file).'],
    ['start.jpg', cut(gradientJpeg, 0.02), 'start.jpg is a JPEG that is cut off before its size.'],
    ['cmyk.jpg', cut(cmykJpeg, 0.97), 'cmyk.jpg is damaged (marker was not found).'],
    ['empty.jpg', new Uint8Array(0), 'empty.jpg is empty (0 bytes).'],
    ['page.jpg', ascii('<!DOCTYPE html><html><body>404</body></html>'), 'page.jpg is an HTML page, not a JPEG or PNG.'],
    ['text.jpg', ascii('hello, this is no image'), 'text.jpg is not a JPEG or PNG.'],
    ['a.webp', ascii('RIFF\x10\0\0\0WEBPVP8 '), 'a.webp is a WebP image, not a JPEG or PNG.'],
    ['a.bmp', ascii('BM\x10\0\0\0'), 'a.bmp is a BMP, not a JPEG or PNG.'],
    ['cut.png', cut(palettePng, 0.7), 'cut.png is damaged (cut off or corrupted PNG).'],
  ])('%s', async (name, bytes, message) => {
    await expect(decodeImage(bytes, name)).rejects.toMatchObject({ name: 'StudioError', code: 'bad-data', message });
  });

  it('and the next image decodes as if nothing had been', async () => {
    const before = await decodeImage(gradientJpeg, 'a.jpg');
    await expect(decodeImage(cut(gradientJpeg, 0.5), 'b.jpg')).rejects.toThrow('b.jpg');
    await expect(decodeImage(cut(deepPng, 0.8), 'b.png')).rejects.toThrow('b.png');
    expect(await decodeImage(gradientJpeg, 'a.jpg')).toEqual(before);
    expect([...(await decodeImage(palettePng, 'p.png')).data.subarray(0, 3)]).toEqual([10, 20, 30]);
  });

  it('bytes between the last pixel and the end marker do no harm', async () => {
    const padded = new Uint8Array(gradientJpeg.length + 3);
    padded.set(gradientJpeg.subarray(0, -2));
    padded.set([0, 0, 0, 0xff, 0xd9], gradientJpeg.length - 2);
    expect(await decodeImage(padded, 'a.jpg')).toEqual(await decodeImage(gradientJpeg, 'a.jpg'));
  });

  it('absurd sizes are refused from the header', () => {
    const huge = palettePng.slice();
    new DataView(huge.buffer).setUint32(16, 60_000);
    new DataView(huge.buffer).setUint32(20, 60_000);
    expect(() => readHeader(huge, 'huge.png')).toThrow('huge.png is too large (60000 × 60000 pixels).');
    new DataView(huge.buffer).setUint32(16, 6000);
    new DataView(huge.buffer).setUint32(20, 4000);
    expect(() => readHeader(huge, 'huge.png')).toThrow(`huge.png is cut off: 6000 × 4000 pixels in ${huge.length} bytes.`);
    const cmyk = cmykJpeg.slice();
    const frame = cmyk.findIndex((byte, i) => byte === 0xff && cmyk[i + 1] === 0xc0);
    cmyk.set([4000 >> 8, 4000 & 255, 6000 >> 8, 6000 & 255], frame + 5);
    expect(() => readHeader(cmyk, 'c.jpg')).toThrow('c.jpg is too large (6000 × 4000 pixels of CMYK).');
  });
});

describe('scenes have the same pixels in Node and Chromium', () => {
  it.each([
    [0, '4b155da832de203b'],
    [7, '47d78f5ea3ad34f3'],
    [500_123, '6171c88b3ae1dc9f'],
  ])('seed %i', async (seed, expected) => {
    const { image, truths } = drawScene(seed);
    expect(await sha(new Uint8Array([...image.data, ...new TextEncoder().encode(JSON.stringify(truths))]))).toBe(expected);
  });
});
