import type { DetectorSpec } from '../../../../models';
import type { Model } from '../../../../onnx';
import type { RangesArtifact } from '../../../types';
import type { QuantizeOptions } from '../../meta';
import type { QuantPlan } from '../../plan-types';
import type { Row, Rows } from '../rows';
import type { Verdict } from '../types';

/** What verdicts are read from. */
export interface Scene {
  readonly float: Model;
  readonly plan: QuantPlan;
  readonly options: QuantizeOptions;
  readonly spec: DetectorSpec | null;
  readonly ranges: RangesArtifact;
  readonly rows: Rows;
  /** Layers (node names) that can be cut into parts of channels with like ranges. */
  readonly splittable: ReadonlySet<string>;
  /** The network as its file has it, before constants and BatchNorm were folded; null where it isn't known. */
  readonly source: Model | null;
}

/** A verdict before its gain is measured. */
export interface Finding extends Omit<Verdict, 'gain' | 'layerGain'> {
  /** Values that are quantized beside the layer's weights to measure its own gain; absent: the row's value. */
  readonly values?: readonly string[];
  /** For a fault that the plan has mended already: the plan as it would be without that. */
  readonly unmended?: QuantPlan;
}

/** Whether one cause is at work in one layer; null = it is not. */
export type Finder = (scene: Scene, row: Row) => Finding | null;
