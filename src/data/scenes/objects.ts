/** The things in the scenes, drawn in a space of about −1…1 with y down. Each is a list of filled outlines, back to front. */
import type { Random } from '../../numerics';
import { BLACK, between, chance, hsv, mix, near, WHITE } from './colours';
import { arc, direction, ellipse, type Path, ribbon, roundedRect, smooth } from './paths';
import type { Rgb } from './raster';

export interface Part {
  readonly path: Path;
  readonly colour: Rgb;
  /** How much lighter and darker the lit and the dark side are, 0–1. Default 0.25. */
  readonly shade?: number;
  readonly alpha?: number;
  /** A soft spot of light: fades out from the centre. */
  readonly glow?: boolean;
}

const glow = (cx: number, cy: number, r: number, alpha: number): Part => ({
  path: ellipse(cx, cy, r, r),
  colour: WHITE,
  alpha,
  glow: true,
});

/** Turns to a dark or light version of the same colour. */
const darker = (colour: Rgb, t: number) => mix(colour, BLACK, t);
const lighter = (colour: Rgb, t: number) => mix(colour, WHITE, t);

function apple(random: Random): Part[] {
  const skin = chance(random, 0.65) ? near(random, 0.985, 0.85, 0.82) : near(random, 0.24, 0.7, 0.75);
  const body = smooth([
    0, -0.62, 0.42, -0.74, 0.86, -0.38, 0.84, 0.24, 0.5, 0.82, 0.12, 0.88, 0, 0.83, -0.12, 0.88, -0.5, 0.82, -0.84, 0.24, -0.86, -0.38,
    -0.42, -0.74,
  ]);
  return [
    { path: body, colour: skin, shade: 0.4 },
    { path: smooth([-0.3, -0.62, 0, -0.7, 0.3, -0.62, 0, -0.48]), colour: darker(skin, 0.45), alpha: 0.7 },
    { path: ribbon([0, -0.56, 0.03, -0.8, 0.13, -1], [0.05, 0.05, 0.07]), colour: near(random, 0.07, 0.6, 0.35) },
    { path: smooth([0.06, -0.74, 0.3, -1, 0.7, -0.96, 0.42, -0.72]), colour: near(random, 0.3, 0.65, 0.6) },
    glow(-0.4, -0.28, 0.4, 0.65),
  ];
}

/** A beach ball: white, with coloured sectors between meridians. */
function ball(random: Random): Part[] {
  const hue = random.next();
  const colours = [0, 0.33, 0.62].map((shift) => near(random, hue + shift, 0.8, 0.88));
  const parts: Part[] = [{ path: ellipse(0, 0, 0.95, 0.95), colour: [240, 240, 236], shade: 0.3 }];
  const meridian = (longitude: number, up: boolean) => {
    const [, across] = direction(longitude);
    return arc(0, 0, 0.95 * across, 0.95, up ? 0.25 : -0.25, up ? -0.25 : 0.25, 14);
  };
  const start = between(random, -0.05, 0.1);
  colours.forEach((colour, i) => {
    const from = Math.min(Math.max(-0.25 + start + i / 6, -0.25), 0.25);
    const to = Math.min(Math.max(from + 1 / 12, -0.25), 0.25);
    parts.push({ path: [...meridian(from, false), ...meridian(to, true)], colour, shade: 0.35 });
  });
  parts.push({ path: ellipse(0, -0.86, 0.16, 0.07), colour: WHITE, shade: 0.1 }, glow(-0.35, -0.4, 0.45, 0.6));
  return parts;
}

function banana(random: Random): Part[] {
  const ripe = chance(random, 0.8) ? near(random, 0.145, 0.8, 0.93, 0.06) : near(random, 0.19, 0.65, 0.8, 0.06);
  const bend = between(random, 0.85, 1.2);
  const spine: number[] = [];
  const widths: number[] = [];
  const n = 16;
  for (let i = 0; i <= n; i++) {
    const t = i / n;
    const [c, s] = direction(0.25 + (t - 0.5) * 0.42);
    spine.push(0.98 * c, (s - 0.62) * bend);
    widths.push(0.05 + 0.27 * Math.sqrt(Math.max(4 * t * (1 - t), 0)) * (0.75 + 0.25 * 4 * t * (1 - t)));
  }
  const ridge = spine.slice(4, -4).map((v, i) => (i % 2 ? v + 0.05 : v));
  const end = (at: number, to: number): number[] => [spine[at * 2]!, spine[at * 2 + 1]!, spine[to * 2]!, spine[to * 2 + 1]! - 0.1];
  const brown = near(random, 0.08, 0.6, 0.3);
  return [
    { path: ribbon(end(1, 0), [0.09, 0.07]), colour: darker(ripe, 0.25) },
    { path: ribbon(spine, widths), colour: ripe, shade: 0.3 },
    {
      path: ribbon(
        ridge,
        widths.slice(2, -2).map((w) => w * 0.16),
      ),
      colour: darker(ripe, 0.28),
      alpha: 0.75,
    },
    { path: ellipse(spine[0]!, spine[1]! - 0.1, 0.08, 0.06), colour: brown },
    { path: ellipse(spine[2 * n]!, spine[2 * n + 1]!, 0.075, 0.06), colour: brown },
  ];
}

/** A tree in a pot. */
function bonsai(random: Random): Part[] {
  const bark = near(random, 0.07, 0.5, 0.4);
  const pot = chance(random, 0.5) ? near(random, 0.04, 0.6, 0.55) : near(random, 0.58, 0.45, 0.5);
  const leaf = near(random, 0.31, 0.6, 0.5);
  const lean = between(random, -0.25, 0.25);
  const parts: Part[] = [
    { path: [-0.6, 0.58, 0.6, 0.58, 0.46, 0.95, -0.46, 0.95], colour: pot },
    { path: roundedRect(-0.68, 0.5, 1.36, 0.13, 0.05), colour: lighter(pot, 0.12) },
    { path: ribbon([0, 0.52, -0.18 + lean, 0.22, 0.12 + lean, -0.1, lean, -0.5], [0.17, 0.12, 0.09, 0.05]), colour: bark, shade: 0.4 },
    { path: ribbon([0.05 + lean, -0.05, 0.5, -0.2], [0.07, 0.04]), colour: bark },
    { path: ribbon([-0.12 + lean, 0.15, -0.5, 0.02], [0.07, 0.04]), colour: bark },
  ];
  const pads = [
    [-0.56, -0.02, 0.4, 0.21],
    [0.56, -0.2, 0.42, 0.22],
    [-0.3 + lean, -0.42, 0.46, 0.24],
    [0.12 + lean, -0.7, 0.44, 0.25],
  ] as const;
  for (const [x, y, rx, ry] of pads) {
    const cloud: number[] = [];
    for (let i = 0; i < 12; i++) {
      const [c, s] = direction(i / 12);
      const r = i % 2 ? 0.86 : 1.08;
      cloud.push(x + rx * c * r, y + ry * s * r);
    }
    parts.push(
      { path: smooth(cloud), colour: leaf, shade: 0.4 },
      { path: ellipse(x - 0.08, y - 0.07, rx * 0.6, ry * 0.45), colour: lighter(leaf, 0.25), alpha: 0.5 },
    );
  }
  return parts;
}

function car(random: Random): Part[] {
  const paint = chance(random, 0.75) ? near(random, random.next(), 0.75, 0.75, 0.15) : near(random, 0, 0.03, between(random, 0.25, 0.9));
  const glass = near(random, 0.56, 0.3, 0.75);
  const van = chance(random, 0.3);
  const roof = van
    ? [-0.86, -0.05, -0.8, -0.52, -0.7, -0.58, 0.3, -0.58, 0.42, -0.5, 0.66, -0.05]
    : [-0.72, -0.05, -0.42, -0.48, -0.3, -0.54, 0.2, -0.54, 0.32, -0.48, 0.6, -0.05];
  const wheel = (x: number): Part[] => [
    { path: ellipse(x, 0.36, 0.235, 0.235), colour: [28, 28, 32], shade: 0.1 },
    { path: ellipse(x, 0.36, 0.125, 0.125), colour: [188, 190, 196], shade: 0.3 },
  ];
  return [
    { path: roof, colour: paint, shade: 0.25 },
    {
      path: van ? [-0.74, -0.08, -0.7, -0.46, -0.22, -0.46, -0.22, -0.08] : [-0.56, -0.08, -0.33, -0.43, -0.1, -0.44, -0.1, -0.08],
      colour: glass,
      shade: 0.35,
    },
    {
      path: van ? [-0.12, -0.08, -0.12, -0.46, 0.3, -0.46, 0.52, -0.08] : [0, -0.08, 0, -0.44, 0.18, -0.44, 0.46, -0.08],
      colour: glass,
      shade: 0.35,
    },
    {
      path: smooth([-0.96, 0.3, -0.98, 0.02, -0.8, -0.1, 0, -0.1, 0.7, -0.07, 0.96, 0.06, 0.98, 0.3, 0.8, 0.38, -0.8, 0.38], 4),
      colour: paint,
      shade: 0.35,
    },
    { path: roundedRect(-0.8, 0.08, 1.6, 0.05, 0.02), colour: darker(paint, 0.3), alpha: 0.7 },
    { path: ellipse(0.9, 0.1, 0.07, 0.06), colour: [255, 244, 190] },
    { path: ellipse(-0.92, 0.1, 0.05, 0.07), colour: [214, 40, 40] },
    ...wheel(-0.52),
    ...wheel(0.54),
  ];
}

function cup(random: Random): Part[] {
  const glaze = chance(random, 0.3) ? near(random, 0.1, 0.06, 0.92, 0.05) : near(random, random.next(), 0.55, 0.78, 0.15);
  const tea = chance(random, 0.5) ? near(random, 0.07, 0.7, 0.3) : near(random, 0.09, 0.75, 0.65);
  const handle = [...arc(0.5, 0.02, 0.46, 0.44, -0.25, 0.25, 16), ...arc(0.5, 0.02, 0.28, 0.27, 0.25, -0.25, 16)];
  const body = [
    ...arc(-0.12, -0.6, 0.62, 0.16, 0.5, 0, 14),
    ...smooth([0.5, -0.6, 0.46, 0.4, 0.3, 0.78, -0.12, 0.86, -0.54, 0.78, -0.7, 0.4, -0.74, -0.6]).slice(0, 72),
  ];
  const band = chance(random, 0.6);
  return [
    { path: handle, colour: darker(glaze, 0.12), shade: 0.3 },
    { path: body, colour: glaze, shade: 0.4 },
    ...(band
      ? [
          {
            path: [...arc(-0.12, -0.1, 0.595, 0.1, 0.5, 0, 12), ...arc(-0.12, 0.16, 0.57, 0.1, 0, 0.5, 12)],
            colour: lighter(glaze, 0.55),
            alpha: 0.85,
          },
        ]
      : []),
    { path: ellipse(-0.12, -0.6, 0.62, 0.2), colour: lighter(glaze, 0.35), shade: 0.1 },
    { path: ellipse(-0.12, -0.58, 0.53, 0.15), colour: tea, shade: 0.2 },
  ];
}

function fish(random: Random): Part[] {
  const scale = chance(random, 0.5) ? near(random, 0.065, 0.85, 0.92) : near(random, between(random, 0.45, 0.95), 0.65, 0.78);
  const fin = darker(scale, 0.22);
  const stripe = chance(random, 0.5) ? lighter(scale, 0.75) : darker(scale, 0.4);
  const bar = (x: number, h: number, w: number): Part => ({
    path: smooth([x - w, -h, x + w, -h, x + w * 1.6, 0, x + w, h, x - w, h, x - w * 0.2, 0]),
    colour: stripe,
    alpha: 0.85,
  });
  return [
    { path: smooth([-0.5, 0, -0.98, -0.52, -0.84, 0, -0.98, 0.52]), colour: fin, shade: 0.35 },
    { path: smooth([-0.35, -0.35, -0.05, -0.72, 0.3, -0.5, 0.25, -0.3]), colour: fin, shade: 0.3 },
    { path: smooth([-0.1, 0.35, -0.05, 0.66, 0.2, 0.42]), colour: fin, shade: 0.3 },
    {
      path: smooth([-0.64, 0, -0.3, -0.33, 0.25, -0.47, 0.75, -0.28, 0.97, 0.03, 0.7, 0.3, 0.2, 0.46, -0.3, 0.32]),
      colour: scale,
      shade: 0.38,
    },
    bar(0.28, 0.39, 0.09),
    bar(-0.22, 0.28, 0.07),
    { path: ellipse(0.66, -0.06, 0.12, 0.12), colour: WHITE, shade: 0.05 },
    { path: ellipse(0.69, -0.05, 0.065, 0.065), colour: BLACK, shade: 0 },
    { path: smooth([0.02, 0.05, 0.22, 0.02, 0.1, 0.24, -0.08, 0.2]), colour: fin, alpha: 0.9 },
  ];
}

/** A five-pointed star folded from paper: ten facets, alternately light and dark. */
function star(random: Random): Part[] {
  const gold = chance(random, 0.55) ? near(random, 0.125, 0.85, 0.95, 0.06) : near(random, random.next(), 0.7, 0.85);
  const tip = (i: number): [number, number] => {
    const [c, s] = direction(-0.25 + i / 10);
    const r = i % 2 ? 0.44 : 1;
    return [c * r, s * r];
  };
  const outline = Array.from({ length: 10 }, (_, i) => tip(i)).flat();
  const facets = Array.from(
    { length: 10 },
    (_, i): Part => ({
      path: [0, 0, ...tip(i), ...tip((i + 1) % 10)],
      colour: i % 2 ? darker(gold, 0.24) : lighter(gold, 0.16),
      shade: 0.15,
    }),
  );
  return [{ path: outline, colour: gold }, ...facets];
}

/** Draws of each class; the order is the class index. */
export const OBJECTS = { apple, ball, banana, bonsai, car, cup, fish, star } satisfies Record<string, (random: Random) => Part[]>;

/** Unlabelled things that are none of the classes: boxes, sticks, leaves, pebbles. */
export function clutter(random: Random): Part[] {
  const colour = near(random, random.next(), between(random, 0.1, 0.6), between(random, 0.3, 0.85));
  switch (random.int(5)) {
    case 0:
      return [
        { path: roundedRect(-0.8, -0.6, 1.6, 1.2, 0.08), colour },
        { path: roundedRect(-0.8, -0.12, 1.6, 0.24, 0.04), colour: lighter(colour, 0.3) },
      ];
    case 1:
      return [{ path: ribbon([-1, 0.1, 0, -0.08, 1, 0.1], [0.06, 0.09, 0.05]), colour: hsv(0.08, 0.5, 0.4) }];
    case 2:
      return [
        { path: smooth([-0.95, 0, -0.2, -0.36, 0.95, 0, -0.2, 0.36]), colour },
        { path: ribbon([-0.9, 0, 0.85, 0], [0.03, 0.015]), colour: darker(colour, 0.4) },
      ];
    case 3:
      return [
        {
          path: smooth([-0.8, 0.2, -0.5, -0.45, 0.2, -0.55, 0.85, 0, 0.5, 0.5, -0.3, 0.52]),
          colour: mix(colour, [128, 128, 128], 0.6),
          shade: 0.4,
        },
      ];
    default:
      return [
        { path: [-0.7, 0.7, 0, -0.8, 0.7, 0.7], colour },
        { path: [0, -0.8, 0.7, 0.7, 0.2, 0.7], colour: darker(colour, 0.25) },
      ];
  }
}
