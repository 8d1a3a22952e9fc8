/** Repairs: what is done to a plan and its float weights, after calibration and before the QDQ network is written. */
import type { DetectorSpec } from '../../../models';
import type { Model } from '../../../onnx';
import type { Tensors } from '../../../runtime';
import type { TrainingPool } from '../../../training';
import type { Journal } from '../../journal';
import type { RangesArtifact, StepContext } from '../../types';
import type { QuantizeOptions } from '../meta';
import type { QuantPlan } from '../plan-types';

/** What repairs pass along. `buildQdq(float, plan)` is the quantized network at any point between two of them. */
export interface QuantState {
  /** Opset ≥ 13, constants folded. Repairs may change weights and biases; nodes and value names stay. */
  readonly float: Model;
  readonly plan: QuantPlan;
}

/** Prepared inputs of some images; images that can't be decoded are left out when the set is made. */
export interface Feeds {
  readonly count: number;
  /** @throws StudioError 'cancelled' */
  at(index: number): Promise<Tensors>;
}

/** How far a network's outputs are from the teacher's on images that no repair has seen. */
export interface Judge {
  /**
   * Geometric mean over the images of the outputs' error, > 0, lower is better; comparable within one run only (see
   * output-error.ts). An arithmetic mean would be the error of the one or two images that are hardest to quantize.
   * @param journal keeps the images' errors
   */
  score(model: Model, journal?: Journal): Promise<number>;
}

export interface RepairContext
  extends Pick<StepContext, 'engine' | 'gpu' | 'cancel' | 'progress' | 'seed' | 'prepare' | 'look' | 'control' | 'resumed'> {
  /** The float network as it was given, without repairs; same value names as the state's. */
  readonly teacher: Model;
  readonly spec: DetectorSpec | null;
  readonly ranges: RangesArtifact;
  readonly options: QuantizeOptions;
  /** Four fifths of the calibration images. */
  readonly fit: Feeds;
  /** The other fifth: repairs may look at them to choose or to stop, never fit on them. */
  readonly held: Feeds;
  readonly judge: Judge;
  /** Images that training learns from and is judged on, where more than the calibration images were given. */
  readonly training?: Pick<TrainingPool, 'fit' | 'held'>;
  /** mAP in percent of a quantized network on images held back, for curves. */
  validate?(model: Model): Promise<number | null>;
  /** Of the repair that is applied. */
  readonly journal?: Journal;
  /** A sentence for the user. */
  note(text: string): void;
}

export interface Repair {
  readonly id: 'calibrator' | 'sixteen-bit' | 'task-clipping' | 'least-squares' | 'learn' | 'qat' | 'rounding' | 'bias-correction';
  /** In words, for progress: "Re-solving the 1×1 convolutions". */
  readonly label: string;
  wanted(options: QuantizeOptions): boolean;
  /** Returns a new state. It is kept only where the judge finds it better than the old one, unless `always`. */
  apply(state: QuantState, ctx: RepairContext): Promise<QuantState>;
  readonly always?: boolean;
}
