/** Decides which activations get a quantizer, which of them share one scale, and what that scale is. */

import type { DetectorSpec } from '../../models';
import { qparamsFromRange, type RangeScheme, StudioError } from '../../numerics';
import type { Node, ValueInfo } from '../../onnx';
import type { RangesArtifact, TensorStats } from '../types';
import { CALIBRATORS } from './calibrators';
import type { GraphIndex } from './graph-index';
import type { Layering } from './layers';
import type { QuantizeOptions } from './meta';
import type { ActivationQuant } from './plan-types';
import { opKind } from './rules';
import { isLayer } from './tail';

type Range = readonly [number, number];

/** Values that share a scale, by union; each group is named by its dominator. */
class Groups {
  readonly #parent = new Map<string, string>();
  readonly #ranges = new Map<string, Range>();

  has(value: string): boolean {
    return this.#parent.has(value);
  }
  values(): Iterable<string> {
    return this.#parent.keys();
  }
  /** A value with a range of its own. */
  add(value: string, range: Range): void {
    this.#parent.set(value, value);
    this.#ranges.set(value, range);
  }
  find(value: string): string {
    const parent = this.#parent.get(value)!;
    return parent === value ? value : this.find(parent);
  }
  /** `value` (new, or a member of a group) takes the scale of `dominator`, whose range grows to hold both. */
  join(value: string, dominator: string): void {
    const to = this.find(dominator);
    if (!this.has(value)) {
      this.#parent.set(value, to);
      return;
    }
    const from = this.find(value);
    if (from === to) return;
    const [a, b] = [this.#ranges.get(from)!, this.#ranges.get(to)!];
    this.#ranges.set(to, [Math.min(a[0], b[0]), Math.max(a[1], b[1])]);
    this.#parent.set(from, to);
  }
  range(value: string): Range {
    return this.#ranges.get(this.find(value))!;
  }
  /** Sets the ranges of whole groups by their members; where several are named, the group's range holds them all. */
  force(ranges: readonly (readonly [string, Range])[]): void {
    const byGroup = new Map<string, Range>();
    for (const [value, [low, high]] of ranges) {
      const [l, h] = byGroup.get(this.find(value)) ?? [0, 0];
      byGroup.set(this.find(value), [Math.min(l, low), Math.max(h, high)]);
    }
    for (const [root, range] of byGroup) this.#ranges.set(root, range);
  }
}

/** Widest range an input of 8-bit pixels takes: exact where every channel is normalised alike. */
function inputRange(spec: DetectorSpec | null, input: ValueInfo, stats: TensorStats | undefined): Range | null {
  if (spec && spec.input === input.name) {
    const { mean, std } = spec.preprocess;
    return [Math.min(...mean.map((m, c) => -m / std[c]!)), Math.max(...mean.map((m, c) => (255 - m) / std[c]!))];
  }
  if (!stats) return null;
  // No family says so, but values reach beyond 100 and never leave 0…255: pixels.
  return stats.min >= 0 && stats.max > 100 && stats.max <= 255 ? [0, 255] : [stats.min, stats.max];
}

/** Operators whose results are probabilities. */
const PROBABILITIES: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);

/** Whether a value is a probability: the output of a Sigmoid or Softmax, moved about or joined at most. */
export function isProbability(index: GraphIndex, value: string): boolean {
  const maker = index.producer(value);
  if (!maker) return false;
  if (maker.domain === '' && PROBABILITIES.has(maker.op)) return true;
  const inputs = opKind(maker) === 'concat' ? maker.inputs : opKind(maker) === 'share' ? maker.inputs.slice(0, 1) : [];
  return inputs.length > 0 && inputs.every((name) => isProbability(index, name));
}

/** What became of the ranges that the recipe sets. */
function rangeNotes(ranges: readonly { readonly value: string; readonly known: boolean }[]): string[] {
  const used = ranges.filter(({ known }) => known).length;
  const lost = ranges
    .filter(({ known }) => !known)
    .map(({ value }) => `The recipe's range of "${value}" is not used: nothing of that name is quantized.`);
  return [...(used > 0 ? [`${used} activation range${used === 1 ? ' is' : 's are'} set by the recipe.`] : []), ...lost];
}

export interface ActivationPlan {
  readonly activations: ReadonlyMap<string, ActivationQuant>;
  /** Concats whose inputs were put under one scale. */
  readonly sharedConcats: readonly Node[];
  readonly notes: readonly string[];
}

/**
 * @throws StudioError 'missing-data' when `ranges` lacks a value that needs a quantizer
 */
export function planActivations(
  layering: Layering,
  ranges: RangesArtifact,
  options: QuantizeOptions,
  spec: DetectorSpec | null,
): ActivationPlan {
  const { index, tail, absorbed, exits } = layering;
  const scheme: RangeScheme = { bits: 8, signed: options.activations === 'int8', symmetric: options.symmetric };
  const groups = new Groups();
  const notes: string[] = [];
  const sharedConcats: Node[] = [];
  const pixelInputs = new Set<string>();
  const heads = new Set(layering.layers.filter(({ isHead }) => isHead).map(({ output }) => output));

  const own = (value: string): void => {
    const stats = ranges.tensors.get(value);
    if (!stats)
      throw new StudioError(
        'missing-data',
        `The calibration has no statistics of "${value}".`,
        'Calibrate this model again with more images.',
      );
    if (options.fixedRanges && isProbability(index, value)) {
      groups.add(value, [0, 1]);
      return;
    }
    const id = options.headOutputs === 'minmax' && heads.has(value) ? 'minmax' : options.calibrator;
    groups.add(value, CALIBRATORS[id](stats, { percentile: options.percentile, scheme }));
  };
  const ownIfMeasured = (value: string): void => {
    if (ranges.tensors.has(value)) own(value);
  };

  for (const input of index.graph.inputs) {
    if (!index.consumers(input.name).some((node) => !tail.has(node) && opKind(node) !== 'none')) continue;
    const range = inputRange(spec, input, ranges.tensors.get(input.name));
    if (!range) continue;
    groups.add(input.name, range);
    if (range[0] === 0 && range[1] === 255) pixelInputs.add(input.name);
  }
  for (const node of index.graph.nodes) {
    if (absorbed.has(node) || (tail.has(node) && (options.tail === 'float' || isLayer(index, node)))) continue;
    const kind = tail.has(node) && opKind(node) === 'float' ? 'rescale' : opKind(node);
    const first = node.inputs[0] ?? '';
    switch (kind) {
      case 'layer':
      case 'rescale': {
        const output = exits.get(node) ?? node.outputs[0]!;
        // Arithmetic on shapes isn't measured, layers always are.
        if (isLayer(index, node)) own(output);
        else ownIfMeasured(output);
        break;
      }
      case 'share':
        for (const output of node.outputs) {
          if (output === '') continue;
          if (groups.has(first)) groups.join(output, first);
          else ownIfMeasured(output);
        }
        break;
      case 'concat': {
        const output = node.outputs[0]!;
        const inputs = node.inputs.filter((name) => !index.constant(name));
        if (inputs.length === 0 || !inputs.every((name) => groups.has(name))) ownIfMeasured(output);
        else if (new Set(inputs.map((name) => groups.find(name))).size === 1) groups.join(output, inputs[0]!);
        else if (options.concat === 'requantize') own(output);
        else {
          groups.add(output, groups.range(inputs[0]!));
          for (const name of inputs) groups.join(name, output);
          sharedConcats.push(node);
        }
        break;
      }
      case 'float': {
        const quantizedReader = (reader: Node) => !tail.has(reader) && ['layer', 'rescale', 'share', 'concat'].includes(opKind(reader));
        for (const output of node.outputs) if (index.consumers(output).some(quantizedReader)) ownIfMeasured(output);
        break;
      }
      case 'none':
      case 'quantized':
        break;
      default:
        kind satisfies never;
    }
  }

  const byHand = Object.entries(options.ranges);
  groups.force(byHand.filter(([value]) => groups.has(value)));
  notes.push(...rangeNotes(byHand.map(([value]) => ({ value, known: groups.has(value) }))));

  const activations = new Map<string, ActivationQuant>();
  for (const value of groups.values()) {
    const root = groups.find(value);
    const [lo, hi] = groups.range(value);
    // Pixels keep their exact grid (scale 1) even where the other activations are symmetric.
    const exact = pixelInputs.has(root) && lo === 0 && hi === 255;
    const params = qparamsFromRange(lo, hi, exact ? { ...scheme, symmetric: false } : scheme);
    activations.set(value, { value, params, sharesWith: root === value ? null : root });
  }
  for (const name of pixelInputs)
    if (activations.get(name)!.params.scale[0] === 1) notes.push(`Input "${name}" takes pixels 0…255: quantized exactly (scale 1).`);
  return { activations, sharedConcats, notes };
}
