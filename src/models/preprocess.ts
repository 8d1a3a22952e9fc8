/**
 * From a decoded image to the input tensor and back. Resize is our own (see numerics/resize.ts), so that Node and every
 * browser feed a network the same bits.
 */
import { type RgbImage, resizeBilinear } from '../numerics';
import type { Detection, Placement, Preprocess } from './types';

export interface Preprocessed {
  /** Length channels × height × width, in the order of `Preprocess.layout`. */
  readonly input: Float32Array | Uint8Array;
  readonly placement: Placement;
}

/** Where an image of the given size lands in the network's input: size after the resize, and {@link Placement}. */
export function place(imageWidth: number, imageHeight: number, p: Preprocess): { width: number; height: number; placement: Placement } {
  const size = { imageWidth, imageHeight };
  if (p.resize === 'stretch') {
    const placement = { ...size, scaleX: p.width / imageWidth, scaleY: p.height / imageHeight, offsetX: 0, offsetY: 0 };
    return { width: p.width, height: p.height, placement };
  }
  const scale = Math.min(p.width / imageWidth, p.height / imageHeight);
  const scales = { scaleX: scale, scaleY: scale };
  // YOLOX truncates and keeps the top-left corner; YOLOv5 rounds and centres, an odd pixel of border going right/down.
  const round = p.resize === 'letterbox-corner' ? Math.floor : Math.round;
  const width = Math.min(p.width, Math.max(1, round(imageWidth * scale)));
  const height = Math.min(p.height, Math.max(1, round(imageHeight * scale)));
  if (p.resize === 'letterbox-corner') return { width, height, placement: { ...size, ...scales, offsetX: 0, offsetY: 0 } };
  const offsetX = Math.floor((p.width - width) / 2);
  const offsetY = Math.floor((p.height - height) / 2);
  return { width, height, placement: { ...size, ...scales, offsetX, offsetY } };
}

/** Resizes and pads: RGB, 8 bit, p.width × p.height. What a device with its own normalisation gets (calibration sets). */
export function letterbox(image: RgbImage, p: Preprocess): { image: RgbImage; placement: Placement } {
  const { width, height, placement } = place(image.width, image.height, p);
  const small = resizeBilinear(image, width, height);
  if (width === p.width && height === p.height) return { image: small, placement };
  const data = new Uint8Array(p.width * p.height * 3).fill(p.pad);
  for (let y = 0; y < height; y++)
    data.set(small.data.subarray(y * width * 3, (y + 1) * width * 3), ((y + placement.offsetY) * p.width + placement.offsetX) * 3);
  return { image: { width: p.width, height: p.height, data }, placement };
}

/** Channels of the network's input. */
export function channelCount(p: Preprocess): number {
  return p.channels === 'gray' ? 1 : 3;
}

/** Shape of the input tensor for one image. */
export function inputDims(p: Preprocess): readonly number[] {
  const c = channelCount(p);
  return p.layout === 'nchw' ? [1, c, p.height, p.width] : [1, p.height, p.width, c];
}

/** BT.601 luma, rounded. */
function toLuma(rgb: Uint8Array): Uint8Array {
  const luma = new Uint8Array(rgb.length / 3);
  for (let i = 0, o = 0; i < luma.length; i++, o += 3)
    luma[i] = Math.floor(0.299 * rgb[o]! + 0.587 * rgb[o + 1]! + 0.114 * rgb[o + 2]! + 0.5);
  return luma;
}

/** (v − mean) / std of every 8-bit value, channel after channel; the values themselves for a uint8 input. */
function valueTable(p: Preprocess): Float32Array {
  const table = new Float32Array(256 * channelCount(p));
  for (let i = 0; i < table.length; i++) {
    const [c, v] = [i >> 8, i & 255];
    table[i] = p.dtype === 'uint8' ? v : (v - p.mean[c]!) / p.std[c]!;
  }
  return table;
}

/**
 * Resize, pad, order channels, (x − mean) / std; a uint8 input takes the 0–255 values as they are.
 *
 * @example
 * const { input, placement } = preprocess(image, spec.preprocess);
 * const outputs = await session.run({ [spec.input]: { dtype: 'float32', dims: inputDims(spec.preprocess), data: input } });
 */
export function preprocess(image: RgbImage, p: Preprocess): Preprocessed {
  const { image: boxed, placement } = letterbox(image, p);
  const area = p.width * p.height;
  const count = channelCount(p);
  const input = p.dtype === 'uint8' ? new Uint8Array(area * count) : new Float32Array(area * count);
  const table = valueTable(p);
  if (p.channels === 'gray') {
    const luma = toLuma(boxed.data);
    for (let i = 0; i < area; i++) input[i] = table[luma[i]!]!;
    return { input, placement };
  }
  const rgb = boxed.data;
  const [first, last] = p.channels === 'rgb' ? [0, 2] : [2, 0];
  const [channelStep, step] = p.layout === 'nchw' ? [area, 1] : [1, 3];
  for (let i = 0, from = 0, to = 0; i < area; i++, from += 3, to += step) {
    input[to] = table[rgb[from + first]!]!;
    input[to + channelStep] = table[256 + rgb[from + 1]!]!;
    input[to + 2 * channelStep] = table[512 + rgb[from + last]!]!;
  }
  return { input, placement };
}

/** A box in network pixels → a detection in image pixels, clipped to the image. */
export function toImageBox(
  x: number,
  y: number,
  width: number,
  height: number,
  placement: Placement,
): Pick<Detection, 'x' | 'y' | 'width' | 'height'> {
  const { scaleX, scaleY, offsetX, offsetY, imageWidth, imageHeight } = placement;
  const clip = (v: number, limit: number) => Math.min(Math.max(v, 0), limit);
  const left = clip((x - offsetX) / scaleX, imageWidth);
  const top = clip((y - offsetY) / scaleY, imageHeight);
  const right = clip((x + width - offsetX) / scaleX, imageWidth);
  const bottom = clip((y + height - offsetY) / scaleY, imageHeight);
  return { x: left, y: top, width: right - left, height: bottom - top };
}
