/** Small networks for the analysis, analysed on the images that they were calibrated on. */
import { type Model, serializeModel } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { quantizableModel, readOptions } from '../../../src/steps/quantize';
import {
  type AnalysisInput,
  type AnalysisReport,
  type AnalysisState,
  analyzeQuantization,
  type Verdict,
} from '../../../src/steps/quantize/analysis';
import type { RangesArtifact, StepContext, TensorStats } from '../../../src/steps/types';
import { engine, quiet, rangesOf } from './helpers';

type Options = Record<string, string | number | boolean>;

/** Channel minima and maxima, which calibration gives and `rangesOf` leaves out. */
async function withChannels(model: Model, feeds: readonly Tensors[], ranges: RangesArtifact): Promise<RangesArtifact> {
  const { addTaps } = await import('../../../src/runtime');
  const names = model.graph.nodes.flatMap((node) => node.outputs);
  const session = await (await engine()).create(serializeModel(addTaps(model, names)), { optimization: 'disabled' });
  const tensors = new Map<string, TensorStats>(ranges.tensors);
  try {
    for (const one of feeds)
      for (const [name, { dims, data }] of Object.entries(await session.run(one))) {
        const stats = tensors.get(name);
        if (!stats || dims.length < 2) continue;
        const channels = dims[1]!;
        const inner = dims.slice(2).reduce((a, b) => a * b, 1);
        const channelMin = stats.channelMin ?? new Float32Array(channels).fill(Number.POSITIVE_INFINITY);
        const channelMax = stats.channelMax ?? new Float32Array(channels).fill(Number.NEGATIVE_INFINITY);
        (data as Float32Array).forEach((v, i) => {
          const c = Math.floor(i / inner) % channels;
          channelMin[c] = Math.min(channelMin[c]!, v);
          channelMax[c] = Math.max(channelMax[c]!, v);
        });
        tensors.set(name, { ...stats, channelMin, channelMax });
      }
  } finally {
    await session.release();
  }
  return { ...ranges, tensors };
}

export async function inputOf(
  model: Model,
  feeds: readonly Tensors[],
  options: Options = {},
  source: Model | null = null,
): Promise<AnalysisInput> {
  const float = quantizableModel(model);
  return {
    name: 'test.onnx',
    float,
    source: source && { bytes: serializeModel(source) },
    spec: null,
    ranges: await withChannels(float, feeds, await rangesOf(float, feeds)),
    options: readOptions({ calibrator: 'minmax', ...options }),
    feeds,
  };
}

export async function analysed(
  model: Model,
  feeds: readonly Tensors[],
  options: Options = {},
  source: Model | null = null,
): Promise<AnalysisReport> {
  return analyzeQuantization(await inputOf(model, feeds, options, source), { seconds: 60 }, { ...quiet, engine: await engine() });
}

export async function analyse(
  input: AnalysisInput,
  seconds: number,
  state?: AnalysisState,
  ctx: Pick<StepContext, 'cancel' | 'progress'> = quiet,
): Promise<AnalysisReport> {
  return analyzeQuantization(input, { seconds, ...(state ? { state } : {}) }, { ...ctx, engine: await engine() });
}

/** All verdicts of one kind, by the node that they are about. */
export function verdicts(report: AnalysisReport, kind: Verdict['kind']): Record<string, Verdict> {
  return Object.fromEntries(
    report.layers.flatMap(({ node, verdicts: list }) => list.filter((v) => v.kind === kind).map((v) => [node, v] as const)),
  );
}
