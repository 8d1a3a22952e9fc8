/** Detector families: how to recognise a network, feed it, read its outputs and cut it. */
import type { Model } from '../onnx';

export type ResizeMode = 'letterbox-corner' | 'letterbox-center' | 'stretch';

/** What turns an 8-bit RGB image into the input tensor: resize, order channels, (x − mean) / std in 0–255 units. */
export interface Preprocess {
  readonly width: number;
  readonly height: number;
  readonly layout: 'nchw' | 'nhwc';
  /** 'gray': one channel, BT.601 luma; `mean[0]` and `std[0]` hold for it. */
  readonly channels: 'rgb' | 'bgr' | 'gray';
  readonly resize: ResizeMode;
  /** 0–255, for the letterbox border, before mean/std. */
  readonly pad: number;
  /** In the order of `channels`. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Input element type of the graph. */
  readonly dtype: 'float32' | 'uint8';
}

/** Maps network pixels back to image pixels: image = (network − offset) / scale. */
export interface Placement {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  readonly imageWidth: number;
  readonly imageHeight: number;
}

export interface Detection {
  /** Image pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly score: number;
  readonly classIndex: number;
}

export interface DecodeOptions {
  /** Keep score ≥ this. COCO evaluation: 0.01. */
  readonly scoreThreshold: number;
  /** COCO evaluation: 0.65. */
  readonly iouThreshold: number;
  readonly nms: 'per-class' | 'agnostic';
  /** COCO evaluation: 100. */
  readonly maxDetections: number;
}

export type FamilyId = 'yolox' | 'yolov5' | 'yolov8' | 'nanodet' | 'ultraface';

/** One detection level: names of the values that carry it (absent where levels are joined in one output). */
export interface HeadLevel {
  readonly stride: number;
  readonly rows: number;
  readonly cols: number;
}

/** The three branches of a level at the points where the Hailo parser wants the graph cut (node names). */
export interface EndNodes {
  readonly stride: number;
  /** Node that ends the box branch (a Conv, linear). */
  readonly reg: string;
  /** Node that ends the objectness branch (Sigmoid for YOLOX; its Conv where the graph leaves logits), null where the family has none. */
  readonly obj: string | null;
  /** Sigmoid for YOLOX, its Conv where the graph leaves logits or the family wants them (YOLOv8). */
  readonly cls: string;
}

/** Everything plain data that a family found out about one model. */
export interface DetectorSpec {
  readonly family: FamilyId;
  /** Sub-form within the family: yolox 'raw' | 'decoded' | 'levels'; … */
  readonly variant: string;
  readonly input: string;
  readonly outputs: readonly string[];
  readonly preprocess: Preprocess;
  readonly numClasses: number;
  readonly classNames: readonly string[];
  readonly levels: readonly HeadLevel[];
  /** True where the graph already applied sigmoid to the scores. */
  readonly sigmoidApplied: boolean;
  /** Cut points, empty where the family has no Hailo form. Order: as the levels. */
  readonly endNodes: readonly EndNodes[];
  /** Names of nodes that belong to the head's last layers and must keep their output channels. */
  readonly protectedNodes: readonly string[];
}

/** A family adapter: one file and one table entry each. */
export interface Family {
  readonly id: FamilyId;
  readonly label: string;
  /** Reads the graph (shapes included, never names); null when it isn't this family. */
  match(model: Model): DetectorSpec | null;
  /** Candidate boxes of one image in network pixels, before NMS, score ≥ threshold. */
  decode(spec: DetectorSpec, outputs: DecodeInput, scoreThreshold: number): Candidates;
  /** Corrects what `match` guessed (sigmoid applied or not, boxes decoded or not) by the range of real float outputs. */
  refine?(spec: DetectorSpec, outputs: DecodeInput): DetectorSpec;
}

/** Outputs by name; what a session's run gives fits as it is. */
export type DecodeInput = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly data: ArrayLike<number> | BigInt64Array | BigUint64Array }>
>;

/** n candidates: boxes are x, y, width, height (top-left corner) in network pixels. */
export interface Candidates {
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly classes: Int32Array;
}
