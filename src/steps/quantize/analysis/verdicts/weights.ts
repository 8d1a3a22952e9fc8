/** Causes that lie in a layer's weights and bias. */
import { attrFloat, type Model, type Node, producers, toFloat32 } from '../../../../onnx';
import type { QuantPlan } from '../../plan-types';
import { figure, gridLines, plural, times, weightEvidence, weightView } from './evidence';
import type { Finder, Scene } from './types';

/** A channel with fewer levels than this is coarse: 4 bits, where rounding alone leaves about 25 dB. */
const FEW_LEVELS = 16;

/** One scale for all output channels although some are far smaller. */
export const weightRanges: Finder = (scene, row) => {
  const view = weightView(scene, row.made);
  if (!view || view.constant.params.axis !== null) return null;
  const scale = view.constant.params.scale[0]!;
  const alive = view.bounds.filter((bound) => bound > 0);
  const [least, most] = [Math.min(...alive), Math.max(...alive)];
  const levels = (bound: number): number => 2 * Math.round(bound / scale) + 1;
  const coarse = alive.filter((bound) => levels(bound) < FEW_LEVELS);
  if (alive.length < 2 || coarse.length === 0) return null;
  const ratio = most / least;
  return {
    kind: 'channel-ranges',
    sentence: `Channel ranges differ ${times(ratio)} under one weight scale (±${figure(least)} to ±${figure(most)}): ${coarse.length} of ${plural(view.bounds.length, 'channel')} keep fewer than ${FEW_LEVELS} of 255 levels, the smallest ${levels(least)}.`,
    evidence: weightEvidence(view, { ratio, least, most, coarseChannels: coarse.length, channels: view.bounds.length }),
    repair: { weights: 'per-channel' },
    values: [],
  };
};

/** Output channels that say nothing: all their weights are 0, or every image gave the same value. */
export const deadChannel: Finder = (scene, row) => {
  const view = weightView(scene, row.made);
  if (!view) return null;
  const stats = scene.ranges.tensors.get(row.value);
  const empty = view.bounds.flatMap((bound, c) => (bound === 0 ? [c] : []));
  const constant = [...(stats?.channelMin ?? [])].flatMap((min, c) => (min === stats!.channelMax![c] && !empty.includes(c) ? [c] : []));
  if (empty.length + constant.length === 0) return null;
  const list = (channels: readonly number[]): string =>
    `${channels.slice(0, 6).join(', ')}${channels.length > 6 ? ` and ${channels.length - 6} more` : ''}`;
  const why = [
    ...(empty.length > 0 ? [`${list(empty)} ${empty.length === 1 ? 'has' : 'have'} no weight but 0`] : []),
    ...(constant.length > 0 ? [`${list(constant)} gave one and the same value on every calibration image`] : []),
  ];
  const count = empty.length + constant.length;
  return {
    kind: 'dead-channel',
    sentence: `${count} of ${plural(view.bounds.length, 'output channel')} ${count === 1 ? 'is' : 'are'} dead: ${why.join('; ')}. Pruning takes ${count === 1 ? 'it' : 'them'} out for nothing.`,
    evidence: weightEvidence(view, { deadChannels: count, channels: view.bounds.length }),
    repair: null,
  };
};

/** The plan with a layer's natural weight scales: biases saturate where they don't fit. */
function withoutEnlarging(plan: QuantPlan, node: string, bias: string, natural: readonly number[], inputScale: number): QuantPlan {
  return {
    ...plan,
    constants: plan.constants.map((constant) => {
      if (constant.node === node && constant.role === 'weight')
        return { ...constant, params: { ...constant.params, scale: natural.map(Math.fround) } };
      if (constant.tensor !== bias || constant.role !== 'bias') return constant;
      const scale = constant.params.scale.map((_, c) => Math.fround(inputScale * natural[c % natural.length]!));
      return { ...constant, params: { ...constant.params, scale } };
    }),
  };
}

/** A weight so small, or a bias so large, that the bias's integer would leave int32; its weight scale was enlarged. */
export const biasOverflow: Finder = (scene, row) => {
  const view = weightView(scene, row.made);
  if (!view || !row.made) return null;
  const adds = scene.rows.layering.biasAdds.get(row.made) ?? row.made;
  const bias = scene.plan.constants.find((c) => c.node === adds.name && c.role === 'bias');
  const inputScale = scene.plan.activations.get(row.made.inputs[0]!)?.params.scale[0];
  if (!bias || inputScale === undefined) return null;
  const { params } = view.constant;
  const bounds = params.axis === null ? [Math.max(...view.bounds)] : view.bounds;
  const natural = bounds.map((bound, c) => (bound > 0 ? bound / params.qmax : params.scale[c]!));
  const enlarged = natural.map((scale, c) => params.scale[c]! / scale);
  const worst = enlarged.indexOf(Math.max(...enlarged));
  if (enlarged[worst]! < 1 + 1e-5) return null;
  const values = toFloat32(scene.float.graph.initializers.get(bias.tensor)!);
  const ofScale = [...values].filter((_, c) => params.axis === null || c % natural.length === worst).map(Math.abs);
  const integer = Math.max(...ofScale) / (inputScale * natural[worst]!);
  const count = enlarged.filter((factor) => factor >= 1 + 1e-5).length;
  return {
    kind: 'bias-overflow',
    sentence: `The bias would need the integer ${figure(integer)}, and int32 ends at ${figure(2 ** 31 - 1)}: ${plural(count, 'weight scale')} ${count === 1 ? 'was' : 'were'} enlarged, up to ${times(enlarged[worst]!)}, so that it fits.`,
    evidence: {
      tensor: bias.tensor,
      role: 'bias',
      grid: gridLines(bias.params, Math.min(worst, bias.params.scale.length - 1)),
      histogram: null,
      channels: { low: view.low, high: view.high },
      figures: { integer, limit: 2 ** 31 - 1, enlarged: enlarged[worst]!, scales: count },
    },
    repair: null,
    values: [],
    unmended: withoutEnlarging(scene.plan, row.node, bias.tensor, natural, inputScale),
  };
};

/** BatchNormalization nodes whose mean and variance are what they were created with. */
function untouched(source: Model): readonly Node[] {
  return source.graph.nodes.filter((node) => {
    if (node.op !== 'BatchNormalization') return false;
    const [mean, variance] = [3, 4].map((i) => source.graph.initializers.get(node.inputs[i] ?? ''));
    return mean && variance && toFloat32(mean).every((v) => v === 0) && toFloat32(variance).every((v) => v === 1);
  });
}

/** Statistics that were never measured, or were lost on export. */
export const missingBatchNorm: Finder = (scene: Scene, row) => {
  const source = scene.source ?? scene.float;
  const made = producers(source.graph);
  const found = untouched(source).find((bn) => {
    const before = made.get(bn.inputs[0]!);
    return bn === row.made || bn.name === row.node || before?.name === row.node || bn.outputs[0] === row.rawValue;
  });
  if (!found) return null;
  const view = weightView(scene, row.made);
  const figures = { epsilon: attrFloat(found, 'epsilon', 1e-5), channels: source.graph.initializers.get(found.inputs[3]!)!.data.length };
  const bare = { tensor: found.inputs[3]!, role: 'weight' as const, grid: null, histogram: null, channels: null, figures };
  return {
    kind: 'missing-batchnorm',
    sentence: `BatchNormalization "${found.name}" has mean 0 and variance 1 in all ${plural(figures.channels, 'channel')}, as when it was created: its statistics were never measured or were lost on export. Export the trained network again in evaluation mode.`,
    evidence: view ? weightEvidence(view, figures) : bare,
    repair: null,
  };
};
