/** Weight rounding that shifts the mean of a layer's output: few weights a channel, so that their errors don't cancel. */
import { type Model, tensor, toFloat32, withGraph } from '../../../../onnx';
import { sqnrDb } from '../../error';
import type { Row } from '../rows';
import { plural } from './evidence';
import type { Finding, Scene } from './types';

/** Half of the error is a constant that a bias could take away. */
const MOST = 0.5;
/** Better than this, nobody sees it. */
const GOOD_DB = 30;

/** What quantizing only a layer's weights did to its own output, before its activation, over all images. */
export interface Shift {
  /** Per channel: mean of quantized − exact. */
  readonly means: readonly number[];
  readonly signal: number;
  readonly noise: number;
  /** Values per channel in all. */
  readonly positions: number;
}

export function meanShift(scene: Scene, row: Row, { means, signal, noise, positions }: Shift): Finding | null {
  const share = noise === 0 ? 0 : (means.reduce((sum, m) => sum + m * m, 0) * positions) / noise;
  const sqnr = sqnrDb(signal, noise);
  if (share < MOST || sqnr > GOOD_DB) return null;
  const rms = Math.sqrt(signal / (positions * means.length));
  const largest = Math.max(...means.map(Math.abs));
  return {
    kind: 'mean-shift',
    sentence: `Rounding the weights shifts the mean of ${plural(means.length, 'channel')} by up to ${Math.round((100 * largest) / rms)} % of the output's size: ${Math.round(100 * share)} % of the weights' error (${sqnr.toFixed(1)} dB) is a constant that the bias can take away.`,
    evidence: {
      tensor: row.rawValue,
      role: 'activation',
      grid: null,
      histogram: null,
      channels: { low: means.map((m) => Math.min(m, 0)), high: means.map((m) => Math.max(m, 0)) },
      figures: { share, sqnrDb: sqnr, largestShift: largest, rms },
    },
    repair: scene.options.biasCorrection ? null : { biasCorrection: true },
    values: [],
  };
}

/** The float network with a layer's bias lowered by the shift; null where it has no bias of its own to change. */
export function compensated(scene: Scene, row: Row, means: readonly number[]): Model | null {
  const add = row.made && (scene.rows.layering.biasAdds.get(row.made) ?? row.made);
  const found = scene.plan.constants.find(({ node, role }) => node === add?.name && role === 'bias');
  const bias = found && scene.float.graph.initializers.get(found.tensor);
  if (!bias || bias.data.length !== means.length) return null;
  const readers = scene.float.graph.nodes.filter(({ inputs }) => inputs.includes(bias.name));
  if (readers.length !== 1) return null;
  const data = toFloat32(bias).map((b, c) => b - means[c]!);
  const initializers = new Map(scene.float.graph.initializers).set(bias.name, tensor(bias.name, 'float32', bias.dims, data));
  return withGraph(scene.float, { initializers });
}
