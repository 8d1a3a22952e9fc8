/** What an image's detections become while more and more layers are quantized, for a job that shows what it does. */
import { type Detection, type DetectorSpec, detect, type Placement, PREVIEW_OPTIONS } from '../../../models';
import type { Model } from '../../../onnx';
import type { Tensors } from '../../../runtime';
import type { QuantizeOptions } from '../meta';
import type { QuantState } from '../repairs/types';
import type { AnalysisContext } from './analyze';
import { openBoard } from './board';
import { findRows, NOTHING } from './rows';

export interface FollowInput {
  /** As `quantizableModel` gives it. */
  readonly float: Model;
  readonly spec: DetectorSpec;
  readonly options: QuantizeOptions;
  /** Float weights and plan; its layers are quantized in graph order. */
  readonly state: QuantState;
  readonly feeds: Tensors;
  readonly placement: Placement;
}

export interface FollowFrame {
  readonly layersQuantized: number;
  readonly layers: number;
  readonly detections: readonly Detection[];
}

/** Pictures from float to the last layer: one each is run. */
const FRAMES = 12;

/**
 * @param onFrame told of the float network's detections first
 * @throws StudioError 'cancelled'
 */
export async function followLayers(
  { float, spec, options, state, feeds, placement }: FollowInput,
  ctx: Pick<AnalysisContext, 'engine' | 'cancel'>,
  onFrame: (frame: FollowFrame) => void,
): Promise<void> {
  const rows = findRows(state.float, state.plan, options, spec);
  const layers = rows.rows.length;
  const board = await openBoard(state.float, [state.plan], [], ctx.engine, { exact: float });
  try {
    const show = async (layersQuantized: number, part: QuantState): Promise<void> => {
      ctx.cancel.throwIfAborted();
      const detections = detect(spec, await board.run(feeds, part), placement, PREVIEW_OPTIONS);
      onFrame({ layersQuantized, layers, detections });
      await new Promise((resolve) => setTimeout(resolve, 0));
    };
    await show(0, { float, plan: { ...state.plan, ...NOTHING } });
    const stops = new Set(Array.from({ length: FRAMES }, (_, i) => Math.round(((i + 1) * layers) / FRAMES)));
    for (const stop of stops) if (stop > 0) await show(stop, { float: state.float, plan: rows.prefix(state.plan, stop - 1) });
  } finally {
    await board.release();
  }
}
