/**
 * Outlines for the scene painter. Only + − × ÷ and sqrt on doubles, which IEEE 754 fixes to the last bit, so that a scene
 * has the same pixels in Node and in every browser; Math.sin and its like may differ between engines.
 */

/** x0, y0, x1, y1, … of one closed contour. */
export type Path = readonly number[];

const TAU = 6.283185307179586;

/** cos and sin of an eighth of a turn at most: Taylor series to x¹², error below 1e-12. */
function small(turns: number): [number, number] {
  const x = turns * TAU;
  const q = x * x;
  const cos = 1 - (q / 2) * (1 - (q / 12) * (1 - (q / 30) * (1 - (q / 56) * (1 - (q / 90) * (1 - q / 132)))));
  const sin = x * (1 - (q / 6) * (1 - (q / 20) * (1 - (q / 42) * (1 - (q / 72) * (1 - q / 110)))));
  return [cos, sin];
}

/** [cos, sin] of an angle in turns (1 = full circle). */
export function direction(turns: number): [number, number] {
  const quarter = Math.floor(turns * 4 + 0.5);
  const [c, s] = small(turns - quarter / 4);
  switch (((quarter % 4) + 4) % 4) {
    case 0:
      return [c, s];
    case 1:
      return [-s, c];
    case 2:
      return [-c, -s];
    default:
      return [s, -c];
  }
}

export function ellipse(cx: number, cy: number, rx: number, ry: number, points = 40): number[] {
  const path: number[] = [];
  for (let i = 0; i < points; i++) {
    const [c, s] = direction(i / points);
    path.push(cx + rx * c, cy + ry * s);
  }
  return path;
}

/** Points of an arc from `from` to `to` turns, ends included. */
export function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number, points = 16): number[] {
  const path: number[] = [];
  for (let i = 0; i <= points; i++) {
    const [c, s] = direction(from + ((to - from) * i) / points);
    path.push(cx + rx * c, cy + ry * s);
  }
  return path;
}

export function roundedRect(x: number, y: number, width: number, height: number, r: number): number[] {
  const corner = (cx: number, cy: number, from: number) => arc(cx, cy, r, r, from, from + 0.25, 5);
  return [
    ...corner(x + width - r, y + height - r, 0),
    ...corner(x + r, y + height - r, 0.25),
    ...corner(x + r, y + r, 0.5),
    ...corner(x + width - r, y + r, 0.75),
  ];
}

/** A smooth closed curve through the points (Catmull–Rom). */
export function smooth(through: Path, steps = 6): number[] {
  const n = through.length / 2;
  const path: number[] = [];
  for (let i = 0; i < n; i++)
    for (let s = 0; s < steps; s++) {
      const t = s / steps;
      for (let axis = 0; axis < 2; axis++) {
        const [a, b, c, d] = [i - 1, i, i + 1, i + 2].map((k) => through[((k + n) % n) * 2 + axis]!) as [number, number, number, number];
        path.push(b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))));
      }
    }
  return path;
}

/** The outline of a line through `points` that is `widths[i]` wide on either side of point i, with flat ends. */
export function ribbon(points: Path, widths: readonly number[]): number[] {
  const n = points.length / 2;
  const left: number[] = [];
  const right: number[] = [];
  for (let i = 0; i < n; i++) {
    const [a, b] = [Math.max(i - 1, 0) * 2, Math.min(i + 1, n - 1) * 2];
    const dx = points[b]! - points[a]!;
    const dy = points[b + 1]! - points[a + 1]!;
    const k = widths[i]! / Math.sqrt(dx * dx + dy * dy + 1e-12);
    left.push(points[i * 2]! - dy * k, points[i * 2 + 1]! + dx * k);
    right.unshift(points[i * 2]! + dy * k, points[i * 2 + 1]! - dx * k);
  }
  return [...left, ...right];
}

/** Object space to pixels: x' = a·x + c·y + e, y' = b·x + d·y + f. */
export interface Placement2d {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

export function place(path: Path, m: Placement2d): number[] {
  const out = new Array<number>(path.length);
  for (let i = 0; i < path.length; i += 2) {
    out[i] = m.a * path[i]! + m.c * path[i + 1]! + m.e;
    out[i + 1] = m.b * path[i]! + m.d * path[i + 1]! + m.f;
  }
  return out;
}
