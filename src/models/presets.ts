/** Preprocessing conventions met in the wild, by name: what the user chooses from and what the probe tries. */
import type { Model, ValueInfo } from '../onnx';
import { hasOwnPreprocess, ownPreprocess } from './metadata';
import type { Preprocess, ResizeMode } from './types';

/** One value range of the input: (x − mean) / std in 0–255 units. */
interface ValueRange {
  readonly id: string;
  readonly label: string;
  /** In RGB order. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface Preset {
  /** "bgr-0-255-letterbox-corner". */
  readonly id: string;
  readonly label: string;
  readonly channels: 'rgb' | 'bgr';
  readonly resize: ResizeMode;
  /** In the order of `channels`. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

const RANGES: readonly ValueRange[] = [
  { id: '0-255', label: '0–255', mean: [0, 0, 0], std: [1, 1, 1] },
  { id: '0-1', label: '0–1', mean: [0, 0, 0], std: [255, 255, 255] },
  { id: 'imagenet', label: 'ImageNet mean/std', mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
  { id: '127-128', label: '(x − 127) / 128', mean: [127, 127, 127], std: [128, 128, 128] },
  { id: '-1-1', label: 'x / 127.5 − 1', mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] },
];

const RESIZES: readonly { readonly id: ResizeMode; readonly label: string }[] = [
  { id: 'letterbox-corner', label: 'letterbox, image top-left' },
  { id: 'letterbox-center', label: 'letterbox, image centred' },
  { id: 'stretch', label: 'stretched' },
];

function inOrder(values: readonly [number, number, number], channels: 'rgb' | 'bgr'): readonly [number, number, number] {
  return channels === 'rgb' ? values : [values[2], values[1], values[0]];
}

/** Every range × channel order × resize. NanoDet's convention is "BGR, ImageNet mean/std". */
export const PRESETS: readonly Preset[] = RESIZES.flatMap((resize) =>
  RANGES.flatMap((range) =>
    (['bgr', 'rgb'] as const).map((channels) => ({
      id: `${channels}-${range.id}-${resize.id}`,
      label: `${channels.toUpperCase()}, ${range.label}, ${resize.label}`,
      channels,
      resize: resize.id,
      mean: inOrder(range.mean, channels),
      std: inOrder(range.std, channels),
    })),
  ),
);

/** `base` with the preset's channel order, range and resize; size, layout, padding and element type stay. */
export function applyPreset(base: Preprocess, preset: Preset): Preprocess {
  const { channels, resize, mean, std } = preset;
  return { ...base, channels, resize, mean, std };
}

/** The preset that says the same as `p`, or null. */
export function presetOf(p: Preprocess): Preset | null {
  const same = (a: readonly number[], b: readonly number[]) => a.every((v, i) => Math.abs(v - b[i]!) < 1e-3);
  const fits = (q: Preset) => q.channels === p.channels && q.resize === p.resize && same(q.mean, p.mean) && same(q.std, p.std);
  return PRESETS.find(fits) ?? null;
}

/** "BGR, 0–255, letterbox, image top-left" or the numbers where no preset fits. */
export function describePreprocess(p: Preprocess): string {
  const preset = presetOf(p);
  if (preset) return preset.label;
  const resize = RESIZES.find((r) => r.id === p.resize)!.label;
  return `${p.channels.toUpperCase()}, mean ${p.mean.join('/')}, std ${p.std.join('/')}, ${resize}`;
}

/** Height and width where a graph leaves them open. */
export const DEFAULT_SIZE = 416;

/** Pixels above which an input counts as no image: 4096 × 4096. A calibration image of it would fill a page's memory. */
const MAX_PIXELS = 2 ** 24;

interface ImageInput {
  readonly value: ValueInfo;
  readonly layout: 'nchw' | 'nhwc';
  readonly channels: 1 | 3;
  readonly width: number | null;
  readonly height: number | null;
}

/** The graph's only image input: rank 4 with 1 or 3 channels. */
export function imageInput(model: Model): ImageInput | null {
  const [value, ...others] = model.graph.inputs;
  if (!value || others.length > 0 || value.shape?.length !== 4) return null;
  if (value.dtype !== 'float32' && value.dtype !== 'uint8') return null;
  const [, a, b, c] = value.shape.map((d) => (typeof d === 'number' && d > 0 ? d : null));
  const isChannels = (d: number | null | undefined): d is 1 | 3 => d === 1 || d === 3;
  const of = (layout: ImageInput['layout'], channels: 1 | 3, height: number | null, width: number | null): ImageInput | null =>
    (height ?? DEFAULT_SIZE) * (width ?? DEFAULT_SIZE) > MAX_PIXELS ? null : { value, layout, channels, height, width };
  if (isChannels(a)) return of('nchw', a, b!, c!);
  if (isChannels(c)) return of('nhwc', c, a!, b!);
  return null;
}

/**
 * A first guess for a generic image network: RGB 0–1, stretched, {@link DEFAULT_SIZE} where the size is open (see
 * {@link inputNote}); null when the network takes no image.
 */
export function defaultPreprocess(model: Model): Preprocess | null {
  const input = imageInput(model);
  if (!input) return null;
  return ownPreprocess(model, {
    width: input.width ?? DEFAULT_SIZE,
    height: input.height ?? DEFAULT_SIZE,
    layout: input.layout,
    channels: input.channels === 1 ? 'gray' : 'rgb',
    resize: 'stretch',
    pad: 114,
    mean: [0, 0, 0],
    std: [255, 255, 255],
    dtype: input.value.dtype === 'uint8' ? 'uint8' : 'float32',
  });
}

/** What was assumed about a generic network's input, as a sentence for the user; null when it takes no image or the file says. */
export function inputNote(model: Model): string | null {
  const input = imageInput(model);
  if (!input || hasOwnPreprocess(model)) return null;
  const size = input.width === null || input.height === null ? ` Its size is open: ${DEFAULT_SIZE} is used (a multiple of 32).` : '';
  return `Preprocessing can't be read from the file: ${input.channels === 1 ? 'gray' : 'RGB'}, 0–1, stretched is assumed.${size}`;
}
