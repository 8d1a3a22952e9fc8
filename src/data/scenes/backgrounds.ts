/** Grounds to put things on: sky and table, wood, tiles, cloth, grass, lights, stripes. */
import type { Random } from '../../numerics';
import { between, hsv, mixInto, near } from './colours';
import { ellipse } from './paths';
import { type Canvas, fill, type Rgb } from './raster';

/** A reproducible 32-bit hash of a lattice point (Wang's mixing), 0–1. */
export function lattice(x: number, y: number, seed: number): number {
  let h = (Math.imul(x, 374761393) + Math.imul(y, 668265263) + seed) | 0;
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  h = Math.imul(h ^ (h >>> 16), 2246822519);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
}

const DARK: Rgb = [0, 0, 0];
const GRAIN: Rgb = [40, 24, 12];
const GROUT: Rgb = [225, 222, 215];
const SOIL: Rgb = [20, 40, 14];

function fade(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Smooth noise 0–1 with features of one unit. */
function noise(x: number, y: number, seed: number): number {
  const ix = Math.floor(x);
  const iy = Math.floor(y);
  const u = fade(x - ix);
  const v = fade(y - iy);
  const top = lattice(ix, iy, seed) * (1 - u) + lattice(ix + 1, iy, seed) * u;
  const bottom = lattice(ix, iy + 1, seed) * (1 - u) + lattice(ix + 1, iy + 1, seed) * u;
  return top * (1 - v) + bottom * v;
}

/** Writes the colour of a pixel to `out`. */
type Shader = (x: number, y: number, out: [number, number, number]) => void;

function shade(canvas: Canvas, shader: Shader): void {
  const colour: [number, number, number] = [0, 0, 0];
  for (let y = 0, o = 0; y < canvas.height; y++)
    for (let x = 0; x < canvas.width; x++, o += 3) {
      shader(x, y, colour);
      canvas.data[o] = colour[0];
      canvas.data[o + 1] = colour[1];
      canvas.data[o + 2] = colour[2];
    }
}

const soft = (random: Random): Rgb => near(random, random.next(), between(random, 0.08, 0.45), between(random, 0.45, 0.9));

function skyAndTable(canvas: Canvas, random: Random): void {
  const [high, low] = [near(random, 0.57, 0.35, 0.8), near(random, 0.1, 0.15, 0.92)];
  const [front, back] = [near(random, random.next(), 0.3, 0.6), near(random, random.next(), 0.3, 0.5)];
  const horizon = canvas.height * between(random, 0.25, 0.6);
  const seed = random.int(1e9);
  shade(canvas, (x, y, out) => {
    if (y < horizon) {
      mixInto(out, high, low, y / horizon);
      return;
    }
    mixInto(out, back, front, (y - horizon) / (canvas.height - horizon));
    mixInto(out, out, DARK, 0.12 * noise(x / 6, y / 3, seed));
  });
}

function wood(canvas: Canvas, random: Random): void {
  const base = near(random, 0.075, 0.5, 0.6, 0.15);
  const plank = between(random, 34, 70);
  const seed = random.int(1e9);
  shade(canvas, (x, y, out) => {
    const board = Math.floor(y / plank);
    const edge = y - board * plank < 1.5 ? 0.35 : 0;
    const grain = noise(x / 38 + board * 17, y / 2.6, seed) * 0.28 + noise(x / 9, y / 1.6, seed + 7) * 0.1;
    mixInto(out, base, GRAIN, Math.min(grain + edge + lattice(board, 3, seed) * 0.22, 1));
  });
}

function tiles(canvas: Canvas, random: Random): void {
  const [a, b] = [soft(random), soft(random)];
  const size = between(random, 22, 54);
  const [dx, dy] = [between(random, 0, 50), between(random, 0, 50)];
  const checked = random.next() < 0.6;
  shade(canvas, (x, y, out) => {
    const u = (x + dx) / size;
    const v = (y + dy) / size;
    const i = Math.floor(u);
    const j = Math.floor(v);
    const grout = u - i < 0.05 || v - j < 0.05;
    const tile = checked && (i + j) % 2 ? b : a;
    mixInto(out, tile, GROUT, grout ? 0.7 : 0.1 * lattice(i, j, 11));
  });
}

function cloth(canvas: Canvas, random: Random): void {
  const [a, b] = [soft(random), soft(random)];
  const seed = random.int(1e9);
  const size = between(random, 14, 60);
  shade(canvas, (x, y, out) =>
    mixInto(out, a, b, 0.7 * noise(x / size, y / size, seed) + 0.3 * noise((x * 3.1) / size, (y * 3.1) / size, seed + 1)),
  );
}

function grass(canvas: Canvas, random: Random): void {
  const base = near(random, 0.27, 0.5, 0.5);
  const seed = random.int(1e9);
  shade(canvas, (x, y, out) =>
    mixInto(out, base, SOIL, 0.6 * noise(x / 2.2, y / 6, seed) * noise(x / 40, y / 30, seed + 5) + 0.2 * noise(x / 1.4, y / 3, seed + 2)),
  );
}

function lights(canvas: Canvas, random: Random): void {
  const [a, b] = [near(random, random.next(), 0.5, 0.3), near(random, random.next(), 0.5, 0.55)];
  shade(canvas, (_, y, out) => mixInto(out, a, b, y / canvas.height));
  for (let i = 4 + random.int(12); i > 0; i--) {
    const r = between(random, 6, 34);
    const [x, y] = [between(random, 0, canvas.width), between(random, 0, canvas.height)];
    fill(canvas, ellipse(x, y, r, r), { from: hsv(random.next(), between(random, 0.1, 0.5), 0.95), alpha: between(random, 0.12, 0.4) });
  }
}

function stripes(canvas: Canvas, random: Random): void {
  const [a, b] = [soft(random), soft(random)];
  const period = between(random, 14, 60);
  const [kx, ky] = [between(random, -1, 1), between(random, -1, 1)];
  shade(canvas, (x, y, out) => {
    const t = (x * kx + y * ky) / period;
    const wave = Math.abs(t - Math.floor(t) - 0.5) * 2;
    mixInto(out, a, b, Math.min(Math.max((wave - 0.42) * 6, 0), 1));
  });
}

const BACKGROUNDS = [skyAndTable, skyAndTable, wood, wood, tiles, cloth, cloth, grass, lights, stripes];

/** Covers the whole canvas with one of the grounds. */
export function paintBackground(canvas: Canvas, random: Random): void {
  BACKGROUNDS[random.int(BACKGROUNDS.length)]!(canvas, random);
}
