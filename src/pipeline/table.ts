import type { StepId, StepMeta } from '../steps';
import { calibrateMeta } from '../steps/calibrate/meta';
import { evaluateMeta } from '../steps/evaluate/meta';
import { exportMeta } from '../steps/export/meta';
import { inspectMeta } from '../steps/inspect/meta';
import { openMeta } from '../steps/open/meta';
import { pruneMeta } from '../steps/prune/meta';
import { quantizeMeta } from '../steps/quantize/meta';
import { recoverMeta } from '../steps/recover/meta';

/** Every step's declaration, in order. Eager and light: the steps' code is loaded when one runs. */
export const STEP_META = {
  open: openMeta,
  inspect: inspectMeta,
  prune: pruneMeta,
  recover: recoverMeta,
  calibrate: calibrateMeta,
  quantize: quantizeMeta,
  evaluate: evaluateMeta,
  export: exportMeta,
} satisfies Record<StepId, StepMeta>;
