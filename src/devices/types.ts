/** What a target device is: plain data with the source of every fact. */
import type { Node, OpType } from '../onnx';

/** How far a fact can be trusted: read in the source or a vendor's table, seen in one thread or log, or concluded. */
export type Mark = 'verified' | 'seen once' | 'inferred';

export interface Fact<T> {
  readonly value: T;
  readonly mark: Mark;
  /** Where it was read. */
  readonly source: string;
}

export type OpState = 'runs' | 'runs differently' | 'falls back' | 'unsupported';

/** An operator on a device, wherever it stands in the graph. */
export interface OpSupport {
  readonly state: OpState;
  /** Why, as a sentence. */
  readonly reason: string;
  /** What to do, as a sentence; '' where nothing need be done. */
  readonly advice: string;
  readonly mark: Mark;
  readonly source: string;
}

export type Granularity = 'per-tensor' | 'per-channel';

/** How the device computes with integers. A null value = not stated publicly. */
export interface DeviceScheme {
  readonly weightBits: Fact<readonly number[]>;
  readonly weightSigned: Fact<boolean>;
  readonly weightSymmetric: Fact<boolean>;
  readonly weightGranularity: Fact<Granularity | null>;
  readonly activationBits: Fact<readonly number[]>;
  readonly activationSigned: Fact<boolean>;
  readonly activationSymmetric: Fact<boolean>;
  readonly activationGranularity: Fact<Granularity | null>;
  /** Conv, BatchNorm and activation are one layer, whose output alone is quantized. */
  readonly fusesActivation: Fact<boolean>;
  readonly rounding: Fact<'half-even' | 'half-away' | null>;
  readonly biasBits: Fact<number | null>;
}

export type SharingRule = Fact<'inputs take the output scale' | 'output takes the input scale'>;

/** Operators whose inputs and output have one scale and zero point. */
export type SharingRules = Readonly<Partial<Record<OpType, SharingRule>>>;

/** What stands behind a layer and becomes part of it. "SiLU" = x · sigmoid(x), written as Sigmoid and Mul. */
export type FusedActivation = OpType | 'SiLU' | 'ReLU6';

/** Operators that run as one layer: one of `layers`, BatchNormalization if there is one, then one of `activations`. */
export interface Fusion {
  readonly layers: readonly OpType[];
  readonly activations: readonly FusedActivation[];
}

/** Layers that compute in more than 8 bits. */
export interface WiderLayers {
  /** 'layer': any layer by itself; 'network': all of them or none; 'none': not at all. */
  readonly scope: Fact<'layer' | 'network' | 'none'>;
  /** Time relative to 8 bits; null = no public figure. */
  readonly cost: Fact<number | null>;
  /** The device's own command, `{layers}` standing for the layers' names; null = there is none. */
  readonly command: Fact<string | null>;
  /** What it means, or why it is refused, as a sentence. */
  readonly note: string;
}

export interface Precision {
  readonly sixteenBit: WiderLayers;
  readonly float: WiderLayers;
  /** The device's names for the widths of a layer: input and inner activations, weights, output. */
  readonly modes: Fact<readonly string[]>;
  /** Operators whose inputs and output must have one width. */
  readonly uniform: Fact<readonly OpType[]>;
}

export type OptionValue = string | number | boolean;

/** How a network gets to the device. */
export interface DeviceExport {
  /** Which bundle is written. */
  readonly bundle: 'hailo' | 'tflite' | 'onnx';
  readonly title: string;
  /** Operator sets that the converter is known to take. */
  readonly opset: Fact<{ readonly from: number; readonly to: number }>;
  /** Where a detector should end: behind a score's Sigmoid, at its last layers, or nowhere in particular. */
  readonly ends: Fact<'sigmoid' | 'layer' | 'any'>;
  /** True where the toolchain takes the float network and chooses scales by itself. */
  readonly quantizesItself: Fact<boolean>;
}

/** One row of the toolchain's version table. */
export interface ToolchainVersion {
  readonly zoo: string;
  readonly compiler: string;
  readonly runtime: string;
  readonly devices: string;
  readonly python: string;
  readonly ubuntu: string;
  readonly cuda: string;
}

/** A finding about one node as it stands in the graph; null = the operator's entry in the table holds. */
export type NodeCheck = (node: Node, view: NodeView) => Finding | null;

/** What a {@link NodeCheck} may ask about its surroundings. */
export interface NodeView {
  /** Dimensions of the constant behind an input, or null. */
  constantDims(name: string): readonly number[] | null;
  /** Values of the constant behind an input, or null. */
  constantValues(name: string): readonly number[] | null;
  producer(name: string): Node | undefined;
  consumers(name: string): readonly Node[];
  /** Declared shape of a value, null where a size is open or unknown. */
  dims(name: string): readonly number[] | null;
}

export interface Finding {
  readonly state: OpState;
  readonly reason: string;
  readonly advice: string;
}

/** A node that doesn't simply run: `node` is its name, or the input's name for findings about the model's input. */
export interface DeviceFinding extends Finding {
  readonly node: string;
  readonly op: string;
  /** Values to end the network at, which cures the finding: `cutAt(model, cut)`. Absent: no cut would. */
  readonly cut?: readonly string[];
}

/** One node of the network on the device. */
export interface LayerState extends Finding {
  readonly node: string;
  readonly op: string;
  /** The node whose layer it is part of, itself where it is a layer of its own. */
  readonly layer: string;
  readonly mark: Mark;
  readonly source: string;
  readonly cut?: readonly string[];
}

export interface Device {
  readonly id: string;
  readonly title: string;
  /** The compiler's name of the target. */
  readonly hwArch: string;
  /** Which compiler line builds for it. */
  readonly compiler: Fact<string>;
  /** Compiled files that load on it. */
  readonly loads: Fact<readonly string[]>;
  readonly scheme: DeviceScheme;
  readonly sharing: SharingRules;
  readonly fusions: readonly Fact<Fusion>[];
  readonly precision: Precision;
  /** Whether sizes must be fixed, and the batch 1. */
  readonly staticShapes: Fact<boolean>;
  readonly operators: Readonly<Record<OpType, OpSupport>>;
  readonly checks: Readonly<Partial<Record<OpType, NodeCheck>>>;
  readonly exports: DeviceExport;
  /** Options of the quantize step under which the studio's figures hold for this device. */
  readonly quantizeDefaults: Fact<Readonly<Record<string, OptionValue>>>;
  readonly versions: readonly ToolchainVersion[];
  /** Sentences that hold for every model on this device. */
  readonly warnings: readonly string[];
}
