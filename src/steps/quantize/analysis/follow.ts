/** What an image's detections become while more and more layers are quantized, for a job that shows what it does. */
import { type Detection, detect, PREVIEW_OPTIONS } from '../../../models';
import type { QuantState } from '../repairs/types';
import type { AnalysisContext } from './analyze';
import { openBoard } from './board';
import { findRows, frameStops, NOTHING } from './rows';
import type { StoryInput } from './story';

export interface FollowFrame {
  readonly layersQuantized: number;
  readonly layers: number;
  readonly detections: readonly Detection[];
}

/**
 * @param onFrame told of the float network's detections first
 * @throws StudioError 'cancelled'
 */
export async function followLayers(
  { float, spec, options, end, feeds, placement }: Omit<StoryInput, 'image'>,
  ctx: Pick<AnalysisContext, 'engine' | 'cancel'>,
  onFrame: (frame: FollowFrame) => void,
): Promise<void> {
  const rows = findRows(end.float, end.plan, options, spec);
  const layers = rows.rows.length;
  const board = await openBoard(end.float, [end.plan], [], ctx.engine, { exact: float });
  try {
    const show = async (layersQuantized: number, part: QuantState): Promise<void> => {
      ctx.cancel.throwIfAborted();
      const detections = detect(spec, await board.run(feeds, part), placement, PREVIEW_OPTIONS);
      onFrame({ layersQuantized, layers, detections });
      await new Promise((resolve) => setTimeout(resolve, 0));
    };
    await show(0, { float, plan: { ...end.plan, ...NOTHING } });
    // None of the layers between them is run.
    for (const stop of frameStops(layers)) if (stop > 0) await show(stop, { float: end.float, plan: rows.prefix(end.plan, stop - 1) });
  } finally {
    await board.release();
  }
}
