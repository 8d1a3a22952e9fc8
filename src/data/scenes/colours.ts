/** Colours of the scenes: hue, saturation and value to 0–255 RGB, and mixing. */
import type { Random } from '../../numerics';
import type { Rgb } from './raster';

/** Hue in turns (any real), saturation and value 0–1. */
export function hsv(hue: number, saturation: number, value: number): Rgb {
  const channel = (shift: number) => {
    const k = hue * 6 + shift - 6 * Math.floor((hue * 6 + shift) / 6);
    return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

export function mix(a: Rgb, b: Rgb, t: number): Rgb {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

/** {@link mix} into `out`, which may be `a` or `b`: a colour for each of many pixels costs no new array. */
export function mixInto(out: [number, number, number], a: Rgb, b: Rgb, t: number): void {
  out[0] = a[0] + (b[0] - a[0]) * t;
  out[1] = a[1] + (b[1] - a[1]) * t;
  out[2] = a[2] + (b[2] - a[2]) * t;
}

export const WHITE: Rgb = [255, 255, 255];
export const BLACK: Rgb = [12, 12, 16];

export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.next();
}

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}

/** A near colour: hue ± 0.02, saturation and value ± `spread`. */
export function near(random: Random, hue: number, saturation: number, value: number, spread = 0.1): Rgb {
  const clamp = (v: number) => Math.min(Math.max(v, 0), 1);
  return hsv(
    hue + between(random, -0.02, 0.02),
    clamp(saturation + between(random, -spread, spread)),
    clamp(value + between(random, -spread, spread)),
  );
}
