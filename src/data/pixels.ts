/** Pixels as decoders give them to pixels as the studio holds them. */
import type { RgbImage } from '../numerics';

/** RGBA to RGB; transparent pixels are laid over white. */
export function toRgb(rgba: ArrayLike<number>, pixels: number): Uint8Array {
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += 4, to += 3) {
    const alpha = rgba[from + 3]!;
    if (alpha === 255) {
      rgb[to] = rgba[from]!;
      rgb[to + 1] = rgba[from + 1]!;
      rgb[to + 2] = rgba[from + 2]!;
    } else {
      const white = 255 * (255 - alpha);
      for (let c = 0; c < 3; c++) rgb[to + c] = Math.floor((rgba[from + c]! * alpha + white) / 255 + 0.5);
    }
  }
  return rgb;
}

/** The image as a viewer shows it for an EXIF orientation of 1–8; 5–8 swap width and height. */
export function orient(image: RgbImage, orientation: number): RgbImage {
  if (orientation === 1) return image;
  const { width: w, height: h, data } = image;
  const swapped = orientation >= 5;
  const [width, height] = swapped ? [h, w] : [w, h];
  const out = new Uint8Array(data.length);
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const [u, v] = swapped ? [y, x] : [x, y];
      const from = 3 * ((mirrorY ? h - 1 - v : v) * w + (mirrorX ? w - 1 - u : u));
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, data: out };
}
