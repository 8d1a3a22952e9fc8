/** Causes that lie in the grid of an activation. */
import { percentileRange } from '../../../../numerics';
import type { Node } from '../../../../onnx';
import type { OptionValues } from '../../../common';
import { fuseActivation } from '../../patterns';
import { opKind } from '../../rules';
import { activationEvidence, figure, plural, times } from './evidence';
import type { Finder, Scene } from './types';

/** Values beyond this percentile, and below its mirror image, are the few. */
const FEW = 99.9;
/** The range is stretched when it is this much wider than without the few: one bit. */
const STRETCHED = 2;
/** Values are cut off when some reach this much farther than the grid. */
const CUT = 3;
const FEW_LEVELS = 16;

/** A few outliers stretch the range, so that all other values share few levels; or were cut off, although they count. */
export const outliers: Finder = (scene, row) => {
  const stats = scene.ranges.tensors.get(row.value);
  const planned = scene.plan.activations.get(row.value);
  // High scores are rare and wanted: the last layers keep their full range.
  if (!stats || !planned || row.made === null || (row.isHead && scene.options.headOutputs === 'minmax')) return null;
  const params = planned.params;
  const lo = Math.max((params.qmin - params.zeroPoint[0]!) * params.scale[0]!, Math.min(stats.min, 0));
  const hi = Math.min((params.qmax - params.zeroPoint[0]!) * params.scale[0]!, Math.max(stats.max, 0));
  const [a, b] = percentileRange(stats, FEW);
  const usual = Math.max(b, 0) - Math.min(a, 0);
  const ratio = usual > 0 ? (hi - lo) / usual : 1;
  const reach = Math.max(hi > 0 ? stats.max / hi : 1, lo < 0 ? stats.min / lo : 1);
  const weighing: OptionValues | null = scene.options.calibrator === 'mse' ? null : { calibrator: 'mse' };
  if (reach >= CUT)
    return {
      kind: 'outliers',
      sentence: `A few outliers are cut off: values reach ${figure(Math.min(stats.min, 0))}…${figure(Math.max(stats.max, 0))}, the grid ends at ${figure(lo)}…${figure(hi)}; ${Number((2 * FEW - 100).toFixed(2))} % of them lie in ${figure(Math.min(a, 0))}…${figure(Math.max(b, 0))}.`,
      evidence: activationEvidence(scene, row.value, { reach, usualLow: a, usualHigh: b, lo, hi }),
      repair: weighing,
    };
  if (ratio < STRETCHED || planned.sharesWith !== null) return null;
  return {
    kind: 'outliers',
    sentence: `A few outliers stretch the range ${times(ratio)}: ${Number((2 * FEW - 100).toFixed(2))} % of the values lie in ${figure(Math.min(a, 0))}…${figure(Math.max(b, 0))}, the grid covers ${figure(lo)}…${figure(hi)}.`,
    evidence: activationEvidence(scene, row.value, { ratio, usualLow: a, usualHigh: b, lo, hi }),
    repair: { calibrator: 'percentile', percentile: FEW },
  };
};

/** Conv, Sigmoid and Mul each rounded by themselves, where a device runs them as one layer. */
export const siluPieces: Finder = (scene, row) => {
  if (!row.hasWeights || scene.options.fuseActivations || !row.made) return null;
  const { tail, index } = scene.rows.layering;
  const { nodes, output } = fuseActivation(index, row.rawValue, (node) => tail.has(node));
  const product = nodes.find(({ op }) => op === 'Mul');
  if (!product || !nodes.some(({ op }) => op !== 'Mul')) return null;
  const pieces = [row.rawValue, ...nodes.flatMap((node) => node.outputs)].filter((value) => scene.plan.activations.has(value));
  if (pieces.length < 2) return null;
  return {
    kind: 'silu-pieces',
    sentence: `${nodes.some(({ op }) => op === 'Sigmoid') ? 'SiLU' : 'The activation'} is quantized in ${plural(pieces.length, 'piece')} (${[row.op, ...nodes.map(({ op }) => op)].join(', ')}), each rounded by itself; as one layer only its result is.`,
    evidence: activationEvidence(scene, output, { pieces: pieces.length }),
    repair: { fuseActivations: true },
    values: pieces,
  };
};

/** Whether a value is a probability: a Sigmoid or Softmax, moved about at most. */
function isProbability(scene: Scene, value: string): boolean {
  const made = scene.rows.layering.index.producer(value);
  if (!made) return false;
  if (made.op === 'Sigmoid' || made.op === 'Softmax' || made.op === 'HardSigmoid') return true;
  const inputs = opKind(made) === 'concat' ? made.inputs : opKind(made) === 'share' ? made.inputs.slice(0, 1) : [];
  return inputs.length > 0 && inputs.every((name) => isProbability(scene, name));
}

interface Levels {
  readonly value: string;
  readonly levels: number;
  readonly lo: number;
  readonly hi: number;
  readonly probability: boolean;
}

/** Each measured input of a Concat, and how many steps of the output's grid it spans; fewest first. */
function levelsUnder(scene: Scene, node: Node, scale: number): readonly Levels[] {
  const inputs = node.inputs.flatMap((value): Levels[] => {
    const stats = scene.ranges.tensors.get(value);
    if (!stats) return [];
    const probability = isProbability(scene, value);
    // What few images show of a score says little: it may be anything from 0 to 1.
    const [lo, hi] = probability ? [0, 1] : [stats.min, stats.max];
    return lo === hi ? [] : [{ value, levels: Math.round(hi / scale) - Math.round(lo / scale) + 1, lo, hi, probability }];
  });
  return inputs.sort((a, b) => a.levels - b.levels);
}

/** A Concat whose one scale leaves an input next to nothing: boxes beside scores, or branches of different size. */
export const sharedScale: Finder = (scene, row) => {
  const planned = scene.plan.activations.get(row.value);
  if (row.op !== 'Concat' || !row.made || !planned) return null;
  const inputs = levelsUnder(scene, row.made, planned.params.scale[0]!);
  const worst = inputs[0];
  if (inputs.length < 2 || !worst || worst.levels > FEW_LEVELS) return null;
  const widest = Math.max(...inputs.map(({ lo, hi }) => Math.max(-lo, hi)));
  const scores = widest > 4 && (worst.probability || (worst.lo >= 0 && worst.hi <= 1));
  const what = scores
    ? `Boxes and scores share a scale (step ${figure(planned.params.scale[0]!)}): scores have ${plural(worst.levels, 'level')}.`
    : `The inputs of this Concat share a scale (step ${figure(planned.params.scale[0]!)}): "${worst.value}" (${figure(worst.lo)}…${figure(worst.hi)}) has ${plural(worst.levels, 'level')}.`;
  const inTail = scene.rows.layering.tail.has(row.made);
  const requantized: OptionValues | null = scene.options.concat === 'shared' ? { concat: 'requantize' } : null;
  return {
    kind: 'shared-scale',
    sentence: what,
    evidence: activationEvidence(scene, row.value, { levels: worst.levels, lo: worst.lo, hi: worst.hi, widest }),
    repair: inTail ? { tail: 'float' } : requantized,
    values: [row.value, ...row.made.inputs.filter((value) => scene.plan.activations.has(value))],
  };
};

/** About half of the levels used: room for the little below zero that SiLU has. */
const HALF = 0.55;

/** Values of one sign on a grid that is symmetric about 0: half of its levels stay empty, ReLU's zero in their midst. */
export const reluZero: Finder = (scene, row) => {
  const stats = scene.ranges.tensors.get(row.value);
  const planned = scene.plan.activations.get(row.value);
  if (!scene.options.symmetric || !stats || !planned || row.made === null) return null;
  const { scale, qmin, qmax } = planned.params;
  const used = Math.round(Math.max(stats.max, 0) / scale[0]!) - Math.round(Math.min(stats.min, 0) / scale[0]!) + 1;
  const levels = qmax - qmin + 1;
  if (used > HALF * levels || stats.min === stats.max) return null;
  const relu = scene.rows.layering.index.producer(row.value)?.op === 'Relu';
  return {
    kind: 'relu-zero',
    sentence: `${relu ? "ReLU's zero stands" : 'Zero stands'} in the middle of a symmetric grid, but the values lie in ${figure(stats.min)}…${figure(stats.max)}: ${used} of ${levels} levels are used, one bit is lost.`,
    evidence: activationEvidence(scene, row.value, { used, levels, min: stats.min, max: stats.max }),
    repair: { symmetric: false },
  };
};

/** What the repair asks for: the worst layers bring nearly all of the gain. */
const SPLIT_LAYERS = 4;

/** Channels far smaller than the range that all of them share: an activation has one scale on the device. */
export const activationRanges: Finder = (scene, row) => {
  const stats = scene.ranges.tensors.get(row.value);
  const planned = scene.plan.activations.get(row.value);
  if (!stats?.channelMin || !stats.channelMax || !planned || row.made === null || row.op === 'Concat') return null;
  const scale = planned.params.scale[0]!;
  const spans = [...stats.channelMin].map((min, c) => stats.channelMax![c]! - min).filter((span) => span > 0);
  const coarse = spans.filter((span) => span / scale < FEW_LEVELS);
  if (spans.length < 2 || coarse.length < spans.length / 4) return null;
  const ratio = Math.max(...spans) / Math.min(...spans);
  const exact = scene.rows.layering.index.producer(row.value)?.op === 'Relu' || row.value === row.rawValue;
  const resolved: OptionValues | null = scene.options.reconstruct === 'off' ? { reconstruct: 'least-squares' } : null;
  const cut: OptionValues | null = scene.splittable.has(row.node)
    ? { splitLayers: Math.max(SPLIT_LAYERS, scene.options.splitLayers) }
    : null;
  return {
    kind: 'channel-ranges',
    sentence: `Channel ranges differ ${times(ratio)} under one activation scale: ${coarse.length} of ${plural(spans.length, 'channel')} span fewer than ${FEW_LEVELS} of 255 levels.`,
    evidence: activationEvidence(scene, row.value, { ratio, coarseChannels: coarse.length, channels: spans.length }),
    repair: cut ?? (exact && !scene.options.equalize ? { equalize: true } : resolved),
  };
};
