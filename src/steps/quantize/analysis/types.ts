/** What the analysis of a quantized network says: plain data, clone-safe, as page, CLI and cache share it. */
import type { Detection } from '../../../models';
import type { OptionValues } from '../../common';

/** How far values are from the float network's, over all images looked at. */
export interface Distance {
  /** See output-error.ts: for detectors weighted by the float network's confidence. ≥ 0; comparable within one report. */
  readonly outputError: number;
  /** dB, −120…120. */
  readonly sqnrDb: number;
  /** −1…1; 1 = same direction. */
  readonly cosine: number;
}

export type LayerKind = 'input' | 'conv' | 'pointwise' | 'depthwise' | 'linear' | 'concat' | 'other';

/** The integer grid of a tensor: x ≈ (q − zeroPoint) · scale, q from qmin to qmax, i.e. x from lo to hi. */
export interface GridLines {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly qmin: number;
  readonly qmax: number;
  readonly lo: number;
  readonly hi: number;
}

/** Equal-width bins over [from, to]. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface Evidence {
  readonly tensor: string;
  readonly role: 'weight' | 'bias' | 'activation';
  /** The grid that the device would use; of per-channel weights the coarsest. */
  readonly grid: GridLines | null;
  readonly histogram: Histogram | null;
  /** Lowest and highest value of each channel. */
  readonly channels: { readonly low: readonly number[]; readonly high: readonly number[] } | null;
  /** The figures behind the sentence, by name: { ratio: 1024, … }. */
  readonly figures: Readonly<Record<string, number>>;
}

export type VerdictKind =
  | 'channel-ranges'
  | 'outliers'
  | 'silu-pieces'
  | 'shared-scale'
  | 'relu-zero'
  | 'bias-overflow'
  | 'mean-shift'
  | 'dead-channel'
  | 'missing-batchnorm';

/** Output error of the whole quantized network. */
export interface Gain {
  readonly before: number;
  readonly after: number;
}

export interface Verdict {
  readonly kind: VerdictKind;
  /** One sentence for the user. */
  readonly sentence: string;
  readonly evidence: Evidence;
  /** Options of the quantize step that repair it, to be laid over the recipe's; null where no option does. */
  readonly repair: OptionValues | null;
  /**
   * Measured with that repair alone applied to the recipe, everything else as it is, on the analysed images (which fitted
   * repairs may have seen); null = not measured (yet).
   */
  readonly gain: Gain | null;
  /** The same with nothing quantized but what the verdict is about: this layer's value, or its weights; null = not measured. */
  readonly layerGain: Gain | null;
}

/** One quantized layer: a node with weights and what is fused to it, or another operator with a scale of its own. */
export interface LayerAnalysis {
  readonly node: string;
  readonly op: string;
  readonly kind: LayerKind;
  /** The activation that leaves it. */
  readonly value: string;
  /** Position in graph order, from 0. */
  readonly index: number;
  /** Of `value` when only its own quantizer acts; null where `value` stays in float. */
  readonly sqnrAloneDb: number | null;
  readonly cosineAlone: number | null;
  /** Of `value` when only this layer's weights and bias are quantized; null without weights. */
  readonly weightSqnrDb: number | null;
  /** Of `value` when everything before it is quantized too. */
  readonly sqnrAccumulatedDb: number;
  readonly cosineAccumulated: number;
  /** Output error when only `value` is quantized; null = not measured (yet). */
  readonly sensitivity: number | null;
  /** Output error when only this layer's weights are quantized; null without weights, or not measured (yet). */
  readonly weightSensitivity: number | null;
  readonly verdicts: readonly Verdict[];
}

export interface AnalysisReport {
  readonly model: string;
  /** 'detections' for known detectors, 'relative' squared error for other networks. */
  readonly judgedBy: 'detections' | 'relative';
  readonly whole: { readonly weightsOnly: Distance; readonly activationsOnly: Distance; readonly both: Distance };
  /** Worst first: by sensitivity + weightSensitivity. */
  readonly layers: readonly LayerAnalysis[];
  /** False when the time budget ended before everything was measured; calling again goes on. */
  readonly complete: boolean;
  /** Spent so far, all calls together. */
  readonly seconds: number;
  readonly images: number;
}

/** The detections of one image with the first layers in graph order quantized, the rest in float. */
export interface StoryFrame {
  readonly layersQuantized: number;
  /** The layer quantized last; null in the first frame (float). */
  readonly node: string | null;
  readonly detections: readonly Detection[];
  /** Detections per class name, most frequent first. */
  readonly classHistogram: Readonly<Record<string, number>>;
  readonly outputError: number;
}

/** A detection of the float network that the quantized one no longer has. */
export interface LostBox {
  readonly detection: Detection;
  readonly className: string;
  /** Its score in the float network and at the same place with everything quantized. */
  readonly score: { readonly float: number; readonly quantized: number };
  /** Layers whose quantization moved its logit most, largest first; over all layers they add up to the whole change. */
  readonly layers: readonly { readonly node: string; readonly deltaLogit: number }[];
}

/** "Why is everything a banana?" for one image. */
export interface Story {
  readonly image: { readonly index: number; readonly fileName: string };
  readonly layers: number;
  readonly classNames: readonly string[];
  /** From float to everything quantized, about a dozen. */
  readonly frames: readonly StoryFrame[];
  readonly lost: readonly LostBox[];
  readonly scoreThreshold: number;
}
