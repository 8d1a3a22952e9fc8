/**
 * Which calibrator suits a network: clipping saves one whose rare large values only coarsen the grid, and ruins one whose
 * rare large values are its detections. Nobody can tell from the histograms; the outputs can.
 */

import { NO_JOURNAL } from '../../journal';
import type { QuantizeOptions } from '../meta';
import { planQuantization } from '../plan';
import { buildQdq } from '../qdq';
import type { QuantState, Repair } from './types';

type Choice = Partial<Pick<QuantizeOptions, 'calibrator' | 'percentile'>>;

const CHOICES: readonly Choice[] = [
  { calibrator: 'minmax' },
  { calibrator: 'percentile', percentile: 99.99 },
  { calibrator: 'percentile', percentile: 99.9 },
  { calibrator: 'mse' },
];

const named = ({ calibrator, percentile }: Choice): string => (percentile === undefined ? calibrator! : `${calibrator} ${percentile}`);

/** Plans with each calibrator and takes the one with the least output error on the held-back images. */
export const calibratorChoice: Repair = {
  id: 'calibrator',
  label: 'Trying calibrators',
  wanted: (options) => options.tryCalibrators,
  async apply(state, ctx) {
    const { journal = NO_JOURNAL } = ctx;
    let best: { state: QuantState; error: number; choice: Choice } | null = null;
    for (const [done, choice] of CHOICES.entries()) {
      ctx.cancel.throwIfAborted();
      ctx.progress({ step: 'quantize', label: 'Trying calibrators', done, total: CHOICES.length });
      const plan = planQuantization(state.float, ctx.ranges, { ...ctx.options, ...choice }, ctx.spec);
      const error = await journal.next((inner) => ctx.judge.score(buildQdq(state.float, plan), inner));
      if (!best || error < best.error) best = { state: { ...state, plan }, error, choice };
    }
    ctx.note(`Of ${CHOICES.map(named).join(', ')} the calibrator "${named(best!.choice)}" errs least on ${ctx.held.count} unseen images.`);
    return best!.state;
  },
};
