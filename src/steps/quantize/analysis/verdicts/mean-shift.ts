/** Weight rounding that shifts the mean of a layer's output: few weights a channel, so that their errors don't cancel. */
import { type Model, tensor, toFloat32, withGraph } from '../../../../onnx';
import type { Row } from '../rows';
import { plural } from './evidence';
import type { Finding, Scene } from './types';

/** Half of a channel's error is a constant that a bias could take away. */
const MOST = 0.5;
/** Noise over signal of a channel below which nobody sees it: 30 dB. */
const NEGLIGIBLE = 1e-3;
/** Share of a layer's channels from which on it is the layer's fault. */
const MANY = 0.25;

/** What quantizing only a layer's weights did to one channel of its own output, before its activation. */
export interface ChannelShift {
  /** Mean of quantized − exact. */
  readonly mean: number;
  /** The part of the error power that this mean is, 0…1. */
  readonly share: number;
  /** Error power over signal power. */
  readonly noise: number;
  /** Root mean square of the exact channel. */
  readonly rms: number;
}

/** @param runs what `channelPowers` gave for each image */
export function channelShifts(runs: readonly (readonly number[])[]): readonly ChannelShift[] {
  const sum = (i: number): number => runs.reduce((total, run) => total + run[i]!, 0);
  return Array.from({ length: (runs[0]?.length ?? 0) / 4 }, (_, c) => {
    const [count, difference, noise, signal] = [0, 1, 2, 3].map((i) => sum(c * 4 + i)) as [number, number, number, number];
    const mean = difference / count;
    return {
      mean,
      share: noise > 0 ? (mean * mean * count) / noise : 0,
      noise: signal > 0 ? noise / signal : 0,
      rms: Math.sqrt(signal / count),
    };
  });
}

export function meanShift(scene: Scene, row: Row, shifts: readonly ChannelShift[]): Finding | null {
  const shifted = shifts.filter(({ share, noise }) => share >= MOST && noise > NEGLIGIBLE);
  if (shifted.length === 0 || shifted.length < MANY * shifts.length) return null;
  const worst = shifted.reduce((a, b) => (Math.abs(b.mean) / b.rms > Math.abs(a.mean) / a.rms ? b : a));
  const percent = Math.round((100 * Math.abs(worst.mean)) / worst.rms);
  return {
    kind: 'mean-shift',
    sentence: `Rounding the weights shifts the mean of ${shifted.length} of ${plural(shifts.length, 'channel')}, by up to ${percent} % of the channel's size: most of the weights' error there is a constant that the bias can take away.`,
    evidence: {
      tensor: row.rawValue,
      role: 'activation',
      grid: null,
      histogram: null,
      channels: { low: shifts.map(({ mean }) => Math.min(mean, 0)), high: shifts.map(({ mean }) => Math.max(mean, 0)) },
      figures: { shifted: shifted.length, channels: shifts.length, worstMean: worst.mean, worstRms: worst.rms },
    },
    repair: scene.options.biasCorrection ? null : { biasCorrection: true },
    values: [],
  };
}

/** The float network with a layer's bias lowered by the shift; null where it has no bias of its own to change. */
export function compensated(scene: Scene, row: Row, shifts: readonly ChannelShift[]): Model | null {
  const add = row.made && (scene.rows.layering.biasAdds.get(row.made) ?? row.made);
  const found = scene.plan.constants.find(({ node, role }) => node === add?.name && role === 'bias');
  const bias = found && scene.float.graph.initializers.get(found.tensor);
  if (!bias || bias.data.length !== shifts.length) return null;
  const readers = scene.float.graph.nodes.filter(({ inputs }) => inputs.includes(bias.name));
  if (readers.length !== 1) return null;
  const data = toFloat32(bias).map((b, c) => b - shifts[c]!.mean);
  const initializers = new Map(scene.float.graph.initializers).set(bias.name, tensor(bias.name, 'float32', bias.dims, data));
  return withGraph(scene.float, { initializers });
}
