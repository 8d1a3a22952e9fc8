/** Shows those who look on what quantizing does to one image, layer after layer. */
import { StudioError } from '../numerics';
import type { ModelArtifact, OptionValues } from '../steps';
import type { RepairSource } from '../steps/quantize';
import type { Run } from './run';

/** Of a result's samples the image with the most detections of this score is shown. */
const LEAST_SCORE = 0.3;

/**
 * Emits 'layers' events. It is no part of the job: where it can't be done, nothing is shown.
 * @returns undefined for networks that are no known detectors
 */
export function layersWatcher(run: Run, artifact: ModelArtifact, values: OptionValues): RepairSource['watch'] {
  const { spec } = artifact;
  const { event } = run.env;
  if (!spec || !event) return undefined;
  const samples = run.rows.find(({ id }) => id === 'fp32')?.samples ?? [];
  const clear = samples.map(({ detections }) => detections.filter(({ score }) => score >= LEAST_SCORE).length);
  const image = samples[clear.indexOf(Math.max(...clear))]?.image ?? 0;
  return async (end, repaired) => {
    const { followLayers, loadFeeds, quantizableModel, readOptions } = await import('../steps/quantize');
    try {
      const [loaded] = await loadFeeds(artifact, run.input.evaluation ?? run.input.calibration, [image], run.ctx);
      const { feeds, placement } = loaded!;
      const input = { float: quantizableModel(artifact.model), spec, options: readOptions(values), end, feeds, placement };
      await followLayers(input, run.ctx, ({ layersQuantized, layers, detections }) =>
        event({ type: 'layers', image, quantized: layersQuantized, layers, repaired, detections }),
      );
    } catch (error) {
      if (error instanceof StudioError && error.code === 'cancelled') throw error;
    }
  };
}
