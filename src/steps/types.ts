/**
 * What passes between steps. A step is `run(artifact, options, ctx) -> artifact`; artifacts are immutable plain data
 * (structured-cloneable), keyed by a content hash, so cache, undo and replay are one mechanism.
 */
import type { ImageSet } from '../data';
import type { DetectorSpec, Preprocess, Preprocessed } from '../models';
import type { Model } from '../onnx';
import type { Engine } from '../runtime';
import type { Journal } from './journal';

/** Cooperative cancel: long loops call throwIfAborted() between images and await a macrotask at least every 100 ms. */
export interface CancelToken {
  readonly aborted: boolean;
  throwIfAborted(): void;
}

export interface Progress {
  readonly step: string;
  /** What is happening, in words: "Calibrating". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Seconds left, once it can be estimated. */
  readonly secondsLeft?: number;
}

export interface StepContext {
  readonly cancel: CancelToken;
  progress(p: Progress): void;
  /** CPU engine ('node' or 'wasm'): every accuracy figure comes from it. */
  readonly engine: Engine;
  /** WebGPU engine for float passes, null where there is none or where it failed its parity check. */
  readonly gpu: Engine | null;
  readonly seed: number;
  /** Decodes and preprocesses image `index` elsewhere (another worker); absent: here, see prepareImage. */
  readonly prepare?: PrepareImage;
  look?(look: TrainingLook): void;
  readonly control?: TrainingControl;
  /** Absent: nothing outlives a run that dies. */
  readonly journal?: Journal;
  /** A training run goes on from this step of its own. */
  resumed?(step: number): void;
}

/** A look at a training run, for live curves. Steps are counted in images that went through the network. */
export interface TrainingLook {
  /** In words: "Recovery after −5 % MACs". */
  readonly run: string;
  readonly step: number;
  readonly total: number;
  /** Mean since the last look, and its weighted parts; null before the first step. */
  readonly loss: number | null;
  readonly parts: Readonly<Record<string, number>>;
  /** On images that no step sees. */
  readonly unseen: number;
  /** Factor of the schedule on every learning rate, 0…1. */
  readonly rate: number;
  /** Percent: mAP of the averaged weights' detections on unseen images, against the original's; null where it can't be measured. */
  readonly mAP: number | null;
}

/** What the user can do to a training run while it goes on. */
export interface TrainingControl {
  /** Resolves once training may go on. */
  paused(): Promise<void>;
  /** True = end now, keep the best so far. */
  stopped(): boolean;
}

export type PrepareImage = (images: ImageSet, index: number, p: Preprocess) => Promise<Preprocessed>;

/** A network as it goes through the steps. */
export interface ModelArtifact {
  readonly kind: 'model';
  /** SHA-256 (hex) of the serialized model. */
  readonly hash: string;
  readonly name: string;
  readonly model: Model;
  /** null = a generic network, judged by output SQNR. */
  readonly spec: DetectorSpec | null;
}

/** Streaming statistics of one activation tensor over the calibration set. */
export interface TensorStats {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly variance: number;
  /** Values seen by min and max; and by histogram, mean and variance: a sample on CPU engines, all of them on WebGPU. */
  readonly count: number;
  readonly histogramCount: number;
  /** Equal-width bins over [histogramMin, histogramMax]; always covers every sampled value. */
  readonly histogram: Uint32Array;
  readonly histogramMin: number;
  readonly histogramMax: number;
  /** Per channel (axis 1), absent for tensors of rank < 2. */
  readonly channelMin?: Float32Array;
  readonly channelMax?: Float32Array;
}

export interface RangesArtifact {
  readonly kind: 'ranges';
  readonly hash: string;
  /** Hash of the model they were measured on; a different model refuses them. */
  readonly modelHash: string;
  readonly images: number;
  readonly backend: string;
  readonly tensors: ReadonlyMap<string, TensorStats>;
}

/** How one tensor is quantized: x ≈ (q − zeroPoint) · scale. */
export interface TensorQuant {
  readonly tensor: string;
  readonly role: 'weight' | 'bias' | 'activation';
  readonly dtype: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32';
  /** One entry, or one per slice along `axis`. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
  /** Tensor whose scale this one shares (Concat, pooling, resize), else null. */
  readonly sharesWith: string | null;
}

/** One choice of layers in 16 bits, and what it costs and wins. */
export interface ParetoPoint {
  /** Activations in 16 bits, in the order in which they were added. */
  readonly tensors: readonly string[];
  /** Names of the nodes that make them (the convolution, not its activation function). */
  readonly layers: readonly string[];
  /** Time against the network in 8 bits alone, estimated from multiply-accumulates: 1 = nothing lost. */
  readonly cost: number;
  /** Output error on the images it was chosen on; comparable within one curve. */
  readonly error: number;
  /** Percent, where it was evaluated. */
  readonly mAP?: number;
}

export interface QuantArtifact {
  readonly kind: 'quant';
  readonly hash: string;
  /** The float model that was quantized. */
  readonly floatHash: string;
  readonly name: string;
  /** An ordinary QDQ ONNX model. */
  readonly model: Model;
  readonly spec: DetectorSpec | null;
  /** The same network with the other weight granularity, where a device doesn't say which it has. */
  readonly reading?: { readonly weights: 'per-tensor' | 'per-channel'; readonly model: Model; readonly hash: string };
  readonly plan: readonly TensorQuant[];
  /** Accuracy against cost of layers in 16 bits, where they were searched; the last point is the one taken. */
  readonly pareto?: readonly ParetoPoint[];
  /** Sentences for the user: what stayed in float and why, what was enlarged, what shares a scale… */
  readonly notes: readonly string[];
}

/** A bootstrap interval over images. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Percent of draws inside. */
  readonly level: number;
  readonly replicates: number;
}

/** A network against its reference (FP32) on the same images, draw by draw; mAP in percent. */
export interface PairedComparison {
  /** The reference's mAP. */
  readonly reference: number;
  /** mAP points; negative = lost. */
  readonly difference: number;
  readonly differenceInterval: Interval;
  /** Percent of the reference's mAP; null where that is 0. */
  readonly kept: number | null;
  readonly keptInterval: Interval | null;
}

export interface DetectionMetrics {
  /** 'coco' = against ground truth, 'agreement' = against the FP32 model's own detections, 'sqnr' = generic network. */
  readonly kind: 'coco' | 'agreement' | 'sqnr';
  /** Percent; null = n/a (no ground truth). */
  readonly mAP: number | null;
  /** 95 % interval of the mAP in percent; null where there is no mAP or only one image. */
  readonly interval: Interval | null;
  /** Against the FP32 network on the same labelled images; null for FP32 itself and without labels. */
  readonly paired: PairedComparison | null;
  readonly AP50: number | null;
  readonly AP75: number | null;
  readonly APs: number | null;
  readonly APm: number | null;
  readonly APl: number | null;
  readonly images: number;
  /** Detections per class name over all images, descending: {"banana": 812, …}. */
  readonly classHistogram: Readonly<Record<string, number>>;
  readonly perClass: readonly { readonly name: string; readonly AP: number | null; readonly truths: number; readonly detections: number }[];
  /** Output SQNR in dB against FP32, for kind 'sqnr'. */
  readonly sqnr: number | null;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  readonly nms: 'per-class' | 'agnostic';
  readonly notes: readonly string[];
}

export interface MetricsArtifact {
  readonly kind: 'metrics';
  readonly hash: string;
  readonly modelHash: string;
  readonly environment: string;
  readonly metrics: DetectionMetrics;
}

export interface BundleArtifact {
  readonly kind: 'bundle';
  readonly hash: string;
  /** Path inside the bundle to bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface StepImages {
  readonly calibration: ImageSet | null;
  readonly evaluation: ImageSet | null;
}
