/** An anti-aliased polygon filler on a float canvas: five sub-scanlines a row, exact coverage along x, non-zero winding. */
import type { Path } from './paths';

export type Rgb = readonly [number, number, number];

export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** height × width × 3, 0–255, not rounded. */
  readonly data: Float32Array;
}

/** Colour and opacity of a fill. */
export interface Paint {
  readonly from: Rgb;
  /** Colour at the other end of the gradient; absent = one colour. */
  readonly to?: Rgb;
  /** linear: from (x0, y0) to (x1, y1); radial: from the centre (x0, y0) to the distance of (x1, y1). Pixels. */
  readonly gradient?: {
    readonly kind: 'linear' | 'radial';
    readonly x0: number;
    readonly y0: number;
    readonly x1: number;
    readonly y1: number;
  };
  /** 0–1, default 1. */
  readonly alpha?: number;
  /** True: the opacity falls to 0 at the far end of the gradient (shadows, highlights). */
  readonly fade?: boolean;
}

/** Coverage 0–1 of the pixels of a rectangle. */
export interface Mask {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly coverage: Float32Array;
}

const SUB = 5;

export function createCanvas(width: number, height: number): Canvas {
  return { width, height, data: new Float32Array(width * height * 3) };
}

/** Where a path crosses a line, from left to right; the arrays are used again for every line. */
interface Crossings {
  readonly x: number[];
  readonly winding: number[];
  count: number;
}

function cross(path: Path, y: number, found: Crossings): void {
  const n = path.length;
  found.count = 0;
  for (let i = 0; i < n; i += 2) {
    const j = i + 2 === n ? 0 : i + 2;
    const y0 = path[i + 1]!;
    const y1 = path[j + 1]!;
    if (y0 <= y === y1 <= y) continue;
    const x = path[i]! + ((y - y0) / (y1 - y0)) * (path[j]! - path[i]!);
    let at = found.count++;
    for (; at > 0 && found.x[at - 1]! > x; at--) {
      found.x[at] = found.x[at - 1]!;
      found.winding[at] = found.winding[at - 1]!;
    }
    found.x[at] = x;
    found.winding[at] = y1 > y0 ? 1 : -1;
  }
}

function addSpan(row: Float32Array, start: number, from: number, to: number, width: number): void {
  const a = Math.max(from, 0);
  const b = Math.min(to, width);
  if (b <= a) return;
  const first = Math.floor(a);
  const last = Math.min(Math.floor(b), width - 1);
  if (first === last) {
    row[start + first]! += (b - a) / SUB;
    return;
  }
  row[start + first]! += (first + 1 - a) / SUB;
  for (let x = first + 1; x < last; x++) row[start + x]! += 1 / SUB;
  row[start + last]! += (b - last) / SUB;
}

/** Coverage of a closed path, null when it lies outside the canvas. */
export function rasterize(path: Path, width: number, height: number): Mask | null {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let i = 0; i < path.length; i += 2) {
    left = Math.min(left, Math.floor(path[i]!));
    right = Math.max(right, Math.ceil(path[i]!));
    top = Math.min(top, Math.floor(path[i + 1]!));
    bottom = Math.max(bottom, Math.ceil(path[i + 1]!));
  }
  const x = Math.max(left, 0);
  const y = Math.max(top, 0);
  const w = Math.min(right, width) - x;
  const h = Math.min(bottom, height) - y;
  if (w <= 0 || h <= 0) return null;
  const coverage = new Float32Array(w * h);
  const found: Crossings = { x: [], winding: [], count: 0 };
  for (let row = 0; row < h; row++)
    for (let s = 0; s < SUB; s++) {
      let winding = 0;
      let start = 0;
      cross(path, y + row + (s + 0.5) / SUB, found);
      for (let i = 0; i < found.count; i++) {
        if (winding === 0) start = found.x[i]!;
        winding += found.winding[i]!;
        if (winding === 0) addSpan(coverage, row * w, start - x, found.x[i]! - x, w);
      }
    }
  return { x, y, width: w, height: h, coverage };
}

/** How far along the gradient a pixel lies, 0–1. */
function along(g: NonNullable<Paint['gradient']>): (x: number, y: number) => number {
  const dx = g.x1 - g.x0;
  const dy = g.y1 - g.y0;
  const square = Math.max(dx * dx + dy * dy, 1e-9);
  const raw =
    g.kind === 'linear'
      ? (x: number, y: number) => ((x - g.x0) * dx + (y - g.y0) * dy) / square
      : (x: number, y: number) => Math.sqrt(((x - g.x0) * (x - g.x0) + (y - g.y0) * (y - g.y0)) / square);
  return (x, y) => Math.min(Math.max(raw(x, y), 0), 1);
}

/** Paints a mask onto the canvas; `each` hears every touched pixel with the opacity it got. */
export function paintMask(canvas: Canvas, mask: Mask, paint: Paint, each?: (pixel: number, opacity: number) => void): void {
  const t = paint.gradient ? along(paint.gradient) : () => 0;
  const to = paint.to ?? paint.from;
  const alpha = paint.alpha ?? 1;
  for (let row = 0; row < mask.height; row++)
    for (let col = 0; col < mask.width; col++) {
      const covered = Math.min(mask.coverage[row * mask.width + col]!, 1);
      if (covered <= 0) continue;
      const k = t(mask.x + col + 0.5, mask.y + row + 0.5);
      const opacity = covered * alpha * (paint.fade ? (1 - k) * (1 - k) : 1);
      const pixel = (mask.y + row) * canvas.width + mask.x + col;
      for (let c = 0; c < 3; c++) {
        const colour = paint.from[c]! + (to[c]! - paint.from[c]!) * k;
        const old = canvas.data[pixel * 3 + c]!;
        canvas.data[pixel * 3 + c] = old + (colour - old) * opacity;
      }
      each?.(pixel, opacity);
    }
}

export function fill(canvas: Canvas, path: Path, paint: Paint, each?: (pixel: number, opacity: number) => void): void {
  const mask = rasterize(path, canvas.width, canvas.height);
  if (mask) paintMask(canvas, mask, paint, each);
}
