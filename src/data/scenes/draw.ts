/**
 * Procedural scenes: a seed gives an image and its exact boxes, the same pixels in Node and in every browser. They stand
 * in for a data set where there is no network, and are what the embedded detectors were trained on.
 */
import { createRandom, type Random, type RgbImage } from '../../numerics';
import type { Category, GroundTruth, ImageSet } from '../types';
import { lattice, paintBackground } from './backgrounds';
import { BLACK, between, chance, mix, WHITE } from './colours';
import { clutter, OBJECTS, type Part } from './objects';
import { direction, ellipse, type Placement2d, place } from './paths';
import { type Canvas, createCanvas, fill, type Paint } from './raster';

/** Class names; the index is the detectors' class, category ids are index + 1. */
export const SCENE_CLASSES: readonly string[] = Object.keys(OBJECTS);

export const SCENE_CATEGORIES: readonly Category[] = SCENE_CLASSES.map((name, i) => ({ id: i + 1, name }));

export interface SceneOptions {
  /** Pixels, default 320 × 240. */
  readonly width?: number;
  readonly height?: number;
}

export interface Scene {
  readonly image: RgbImage;
  readonly truths: readonly GroundTruth[];
}

interface Light {
  /** Unit vector from the dark to the lit side. */
  readonly x: number;
  readonly y: number;
}

interface Thing {
  readonly parts: readonly Part[];
  readonly m: Placement2d;
  /** Half the size, pixels. */
  readonly radius: number;
  readonly x: number;
  readonly y: number;
}

/** Colour and light of a part as it lies in the image. */
function paintOf(part: Part, thing: Thing, path: readonly number[], light: Light): Paint {
  if (part.glow) {
    let [x0, y0] = [0, 0];
    for (let i = 0; i < path.length; i += 2) {
      x0 += path[i]!;
      y0 += path[i + 1]!;
    }
    [x0, y0] = [(2 * x0) / path.length, (2 * y0) / path.length];
    return { from: part.colour, alpha: part.alpha ?? 1, fade: true, gradient: { kind: 'radial', x0, y0, x1: path[0]!, y1: path[1]! } };
  }
  const s = part.shade ?? 0.25;
  const [dx, dy] = [light.x * thing.radius * 0.9, light.y * thing.radius * 0.9];
  return {
    from: mix(part.colour, WHITE, s * 0.55),
    to: mix(part.colour, BLACK, s),
    alpha: part.alpha ?? 1,
    gradient: { kind: 'linear', x0: thing.x + dx, y0: thing.y + dy, x1: thing.x - dx, y1: thing.y - dy },
  };
}

function drawThing(canvas: Canvas, thing: Thing, light: Light, each?: (pixel: number, opacity: number) => void): void {
  const r = thing.radius;
  const [cx, cy] = [thing.x - light.x * r * 0.25, thing.y + r * 0.45 - light.y * r * 0.2];
  const shadow = ellipse(cx, cy, r * 1.15, r * 0.8);
  fill(canvas, shadow, { from: BLACK, alpha: 0.5, fade: true, gradient: { kind: 'radial', x0: cx, y0: cy, x1: cx + r * 1.15, y1: cy } });
  for (const part of thing.parts) {
    const path = place(part.path, thing.m);
    fill(canvas, path, paintOf(part, thing, path, light), each);
  }
}

/** Half-size in pixels: small, medium and large things in turn, so that each of the three levels has work. */
function radiusFor(random: Random, height: number): number {
  const [low, high] = [
    [0.04, 0.075],
    [0.075, 0.17],
    [0.17, 0.36],
  ][[0, 0, 1, 1, 1, 2, 2][random.int(7)]!]!;
  return between(random, low!, high!) * height;
}

function placeThing(parts: readonly Part[], random: Random, x: number, y: number, radius: number): Thing {
  const [cos, sin] = direction(chance(random, 0.75) ? between(random, -0.06, 0.06) : random.next());
  const flip = chance(random, 0.5) ? -1 : 1;
  const stretch = between(random, 0.88, 1.12);
  const [rx, ry] = [radius * stretch, radius / stretch];
  return { parts, radius, x, y, m: { a: cos * rx * flip, b: sin * rx * flip, c: -sin * ry, d: cos * ry, e: x, f: y } };
}

/** Up to seven things, each keeping some distance from those before it; overlaps remain, and hide. */
function choose(random: Random, width: number, height: number): { thing: Thing; classIndex: number }[] {
  const chosen: { thing: Thing; classIndex: number }[] = [];
  for (let i = 1 + random.int(7); i > 0; i--) {
    const radius = radiusFor(random, height);
    const classIndex = random.int(SCENE_CLASSES.length);
    const parts = OBJECTS[SCENE_CLASSES[classIndex] as keyof typeof OBJECTS](random);
    for (let attempt = 0; attempt < 8; attempt++) {
      const x = between(random, 0.02, 0.98) * width;
      const y = between(random, 0.08, 0.95) * height;
      const apart = chosen.every(({ thing: other }) => {
        const [dx, dy] = [other.x - x, other.y - y];
        const near = (other.radius + radius) * 0.72;
        return dx * dx + dy * dy > near * near;
      });
      if (!apart) continue;
      chosen.push({ thing: placeThing(parts, random, x, y, radius), classIndex });
      break;
    }
  }
  return chosen.sort((p, q) => p.thing.y + p.thing.radius - (q.thing.y + q.thing.radius));
}

function countVisible(opacities: Float32Array): number {
  let count = 0;
  for (let i = 0; i < opacities.length; i++) if (opacities[i]! >= 0.5) count++;
  return count;
}

/** What is seen of a thing: pixels that show at least half of it. Null when too little to name it. */
function truthOf(visible: Float32Array, whole: number, width: number, categoryId: number): GroundTruth | null {
  let [left, top, right, bottom, area] = [width, Number.POSITIVE_INFINITY, -1, -1, 0];
  for (let i = 0; i < visible.length; i++) {
    if (visible[i]! < 0.5) continue;
    const x = i % width;
    const y = (i - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    area++;
  }
  if (area < 24 || area < 0.3 * whole) return null;
  return { bbox: [left, top, right - left + 1, bottom - top + 1], categoryId, area, crowd: false };
}

/** Three-tap blur, weight `k` for either neighbour, both ways. */
function blur(canvas: Canvas, k: number): void {
  const { width, height, data } = canvas;
  const pass = (step: number, count: number, lines: number, stride: number) => {
    for (let line = 0; line < lines; line++)
      for (let c = 0; c < 3; c++) {
        let at = line * stride + c;
        let before = data[at]!;
        for (let i = 0; i < count; i++, at += step) {
          const here = data[at]!;
          const after = i + 1 < count ? data[at + step]! : here;
          data[at] = here + k * (before + after - 2 * here);
          before = here;
        }
      }
  };
  pass(3, width, height, width * 3);
  pass(width * 3, height, width, 3);
}

/** Exposure, a tint, light falling off to one side, grain; then 8 bit. */
function develop(canvas: Canvas, random: Random, light: Light): Uint8Array {
  const { width, height, data } = canvas;
  const exposure = between(random, 0.65, 1.15);
  const tint = [between(random, 0.93, 1.07), 1, between(random, 0.93, 1.07)];
  const fall = between(random, 0, 0.35) / width;
  const grain = between(random, 0, chance(random, 0.25) ? 26 : 8);
  const seed = random.int(1e9);
  const out = new Uint8Array(data.length);
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const gain = exposure * (1 + fall * ((x - width / 2) * light.x + (y - height / 2) * light.y));
      for (let c = 0; c < 3; c++, o++) {
        const value = data[o]! * gain * tint[c]! + grain * (lattice(x, y * 3 + c, seed) - 0.5);
        out[o] = Math.min(Math.max(Math.floor(value + 0.5), 0), 255);
      }
    }
  return out;
}

/**
 * Draws the scene of a seed.
 * @returns the image and the boxes of what is at least 30 % visible; `area` in visible pixels
 */
export function drawScene(seed: number, options: SceneOptions = {}): Scene {
  const { width = 320, height = 240 } = options;
  const random = createRandom(Math.imul(seed + 1, 2654435761));
  const canvas = createCanvas(width, height);
  const [x, y] = direction(between(random, 0.55, 0.95));
  const light = { x, y };
  paintBackground(canvas, random);
  for (let i = random.int(5); i > 0; i--) {
    const radius = between(random, 0.04, 0.16) * height;
    drawThing(canvas, placeThing(clutter(random), random, between(random, 0, width), between(random, 0, height), radius), light);
  }
  const chosen = choose(random, width, height);
  const shown = chosen.map(() => new Float32Array(width * height));
  const whole = chosen.map(({ thing }, i) => {
    drawThing(canvas, thing, light, (pixel, opacity) => {
      for (let j = 0; j < i; j++) shown[j]![pixel]! *= 1 - opacity;
      shown[i]![pixel]! += (1 - shown[i]![pixel]!) * opacity;
    });
    return countVisible(shown[i]!);
  });
  const truths = chosen.map(({ classIndex }, i) => truthOf(shown[i]!, whole[i]!, width, classIndex + 1));
  if (chance(random, 0.4)) blur(canvas, between(random, 0.05, 0.25));
  return { image: { width, height, data: develop(canvas, random, light) }, truths: truths.filter((t) => t !== null) };
}

/**
 * `count` scenes of consecutive seeds with their exact boxes as ground truth. Nothing is drawn before an image is loaded
 * or the boxes are asked for (about 15 ms a scene); boxes are kept, images are not.
 */
export function sceneSet(seedStart: number, count: number, options: SceneOptions = {}): ImageSet {
  const { width = 320, height = 240 } = options;
  const known = new Map<number, readonly GroundTruth[]>();
  const draw = (index: number): RgbImage => {
    const { image, truths } = drawScene(seedStart + index, options);
    known.set(index, truths);
    return image;
  };
  const entries = Array.from({ length: count }, (_, id) => ({
    id,
    fileName: `scene-${seedStart + id}`,
    width,
    height,
    get truths() {
      if (!known.has(id)) draw(id);
      return known.get(id)!;
    },
  }));
  return {
    name: `Scenes ${seedStart}–${seedStart + count - 1}`,
    entries,
    categories: SCENE_CATEGORIES,
    notes: [],
    load: async (index) => {
      if (!(Number.isInteger(index) && index >= 0 && index < count))
        throw new RangeError(`There are ${count} scenes; there is no index ${index}.`);
      return draw(index);
    },
  };
}
