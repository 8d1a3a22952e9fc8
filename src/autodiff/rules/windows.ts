/**
 * Gradients of convolutions, in the fastest forms measured in ONNX Runtime on both CPU backends: the input's gradient is
 * a convolution with the flipped, transposed kernel where the stride is 1, ConvTranspose otherwise.
 */
import { attrInt, attrInts, attrString, type Node } from '../../onnx';
import type { Dims, Emitter } from '../emitter';
import type { GradientContext, GradientRule } from '../types';
import { weightGradient } from './weight-gradient';

export interface Window {
  readonly kernel: Dims;
  readonly strides: Dims;
  readonly dilations: Dims;
  /** Begins of each axis. */
  readonly before: Dims;
  /** Ends of each axis, as given: what really is read may end earlier. */
  readonly after: Dims;
}

/** Window of a node over spatial sizes `input`, auto_pad resolved. */
export function windowOf(node: Node, kernel: Dims, input: Dims): Window {
  const ones = kernel.map(() => 1);
  const [strides, dilations] = [attrInts(node, 'strides', ones), attrInts(node, 'dilations', ones)];
  const auto = attrString(node, 'auto_pad', 'NOTSET');
  const rank = kernel.length;
  if (auto.startsWith('SAME')) {
    const total = kernel.map((k, i) => {
      const out = Math.ceil(input[i]! / strides[i]!);
      return Math.max(0, (out - 1) * strides[i]! + (k - 1) * dilations[i]! + 1 - input[i]!);
    });
    const small = total.map((t) => Math.floor(t / 2));
    const large = total.map((t, i) => t - small[i]!);
    const [before, after] = auto === 'SAME_LOWER' ? [large, small] : [small, large];
    return { kernel, strides, dilations, before, after };
  }
  const pads =
    auto === 'VALID'
      ? [...ones, ...ones].map(() => 0)
      : attrInts(
          node,
          'pads',
          [...ones, ...ones].map(() => 0),
        );
  return { kernel, strides, dilations, before: pads.slice(0, rank), after: pads.slice(rank) };
}

const spatialAxes = (kernel: Dims): number[] => kernel.map((_, i) => i + 2);

/** [A, B/g, k…] → [B, A/g, k…]: the two channel axes of a weight change places within each group. */
function swapChannels(e: Emitter, w: string, dims: Dims, groups: number): string {
  const [a, b, ...kernel] = dims as [number, number, ...number[]];
  const inner = kernel.map((_, i) => i);
  if (groups === 1) return e.transpose(w, [1, 0, ...inner.map((i) => i + 2)]);
  if (a === groups && b === 1) return w;
  const grouped = e.reshape(w, [groups, a / groups, b, ...kernel]);
  const swapped = b === 1 || a === groups ? grouped : e.transpose(grouped, [0, 2, 1, ...inner.map((i) => i + 3)]);
  return e.reshape(swapped, [groups * b, a / groups, ...kernel]);
}

function flip(e: Emitter, w: string, kernel: Dims): string {
  const axes = spatialAxes(kernel).filter((_, i) => kernel[i]! > 1);
  if (axes.length === 0) return w;
  const all = (v: number) => axes.map(() => v);
  return e.slice(w, axes, all(-1), all(-(2 ** 31)), all(-1));
}

/** dL/dx of a convolution of `w` (of shape `weight`) from dL/dy = `g` of spatial sizes `out`, for x of spatial sizes `input`. */
function inputGradient(e: Emitter, g: string, out: Dims, w: string, weight: Dims, input: Dims, window: Window, group: number): string {
  const { kernel, strides, dilations, before } = window;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]!);
  if (strides.every((s) => s === 1) && before.every((p, i) => p <= reach[i]! && input[i]! + p - out[i]! >= 0)) {
    const begins = before.map((p, i) => reach[i]! - p);
    // Output = out + begin + end − reach must be the input's size.
    const ends = input.map((size, i) => size - out[i]! + reach[i]! - begins[i]!);
    const turned = swapChannels(e, flip(e, w, kernel), weight, group);
    return e.emit('Conv', [g, turned], { kernel_shape: kernel, pads: [...begins, ...ends], dilations, group });
  }
  // ConvTranspose's output before cropping, against what x occupies of it.
  const full = out.map((o, i) => (o - 1) * strides[i]! + reach[i]! + 1);
  const missing = input.map((size, i) => size + before[i]! - full[i]!);
  const value = e.emit('ConvTranspose', [g, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    group,
    pads: [...before, ...missing.map((m) => Math.max(0, -m))],
    output_padding: missing.map((m, i) => Math.min(Math.max(0, m), strides[i]! - 1)),
  });
  // Rows that no window reached, beyond what output_padding may add.
  const rest = missing.map((m, i) => Math.max(0, m - (strides[i]! - 1)));
  return e.pad(value, [0, 0, ...rest.map(() => 0), 0, 0, ...rest]);
}

function biasGradient(c: GradientContext): string | null {
  if (!c.has(2) || !c.wants(2)) return null;
  const dims = c.outDims(0);
  const { e, g } = c;
  if (e.target !== 'wasm') return e.reduceSum(g, [0, ...spatialAxes(dims.slice(2))], false);
  const sums = e.times(e.sumPlaces(g, dims), e.placesShare(dims));
  return dims[0] === 1 ? e.reshape(sums, [dims[1]!]) : e.reduceSum(sums, [0, ...spatialAxes(dims.slice(2))], false);
}

export const conv: GradientRule = (c) => {
  const { e, g, node } = c;
  const [x, w, y] = [c.dims(0), c.dims(1), c.outDims(0)];
  const window = windowOf(node, w.slice(2), x.slice(2));
  const group = attrInt(node, 'group', 1);
  return [
    c.wants(0) ? inputGradient(e, g, y.slice(2), c.x(1), w, x.slice(2), window, group) : null,
    c.wants(1) ? weightGradient(e, { ...window, x: c.x(0), xDims: x, g, gDims: y, weight: w, group }) : null,
    biasGradient(c),
  ];
};

/**
 * A ConvTranspose from x to y is the input gradient of a convolution from y to x with the same weight: its own input
 * gradient is that convolution, and its weight gradient is that convolution's with x and y in each other's place.
 */
export const convTranspose: GradientRule = (c) => {
  const { e, g, node } = c;
  const [x, w, y] = [c.dims(0), c.dims(1), c.outDims(0)];
  const kernel = w.slice(2);
  const ones = kernel.map(() => 1);
  const [strides, dilations] = [attrInts(node, 'strides', ones), attrInts(node, 'dilations', ones)];
  const group = attrInt(node, 'group', 1);
  const total = kernel.map((k, i) => strides[i]! * (x[i + 2]! - 1) + (k - 1) * dilations[i]! + 1);
  const window: Window = { kernel, strides, dilations, before: transposedBegins(node, total, y.slice(2)), after: ones };
  const ends = total.map((t, i) => t - window.before[i]! - y[i + 2]!);
  // Padding beyond what the windows read (output_padding) is not read by the convolution back either.
  const back = () => {
    const grown = ends.map((end) => Math.max(0, end));
    const pads = [...window.before, ...grown];
    const value = e.emit('Conv', [g, c.x(1)], { kernel_shape: kernel, strides, dilations, group, pads });
    const made = y
      .slice(2)
      .map((size, i) => Math.floor((size + pads[i]! + grown[i]! - (kernel[i]! - 1) * dilations[i]! - 1) / strides[i]!) + 1);
    const axes = spatialAxes(kernel).filter((_, i) => made[i] !== x[i + 2]);
    return axes.length === 0
      ? value
      : e.slice(
          value,
          axes,
          axes.map(() => 0),
          axes.map((axis) => x[axis]!),
        );
  };
  return [
    c.wants(0) ? back() : null,
    c.wants(1) ? weightGradient(e, { ...window, x: g, xDims: y, g: c.x(0), gDims: x, weight: w, group }) : null,
    biasGradient(c),
  ];
};

/** Begin pads of a ConvTranspose: given, or what auto_pad or output_shape make of the difference. */
function transposedBegins(node: Node, total: Dims, out: Dims): Dims {
  const auto = attrString(node, 'auto_pad', 'NOTSET');
  if (auto === 'NOTSET' && !attrInts(node, 'output_shape')) return attrInts(node, 'pads')?.slice(0, total.length) ?? total.map(() => 0);
  if (auto === 'VALID') return total.map(() => 0);
  const extra = attrInts(
    node,
    'output_padding',
    total.map(() => 0),
  );
  return total.map((t, i) => {
    const cut = Math.max(0, t + extra[i]! - out[i]!);
    return auto === 'SAME_UPPER' ? Math.floor(cut / 2) : cut - Math.floor(cut / 2);
  });
}
