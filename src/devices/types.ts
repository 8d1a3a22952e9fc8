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

/** How the device computes with integers. A null value = not stated publicly. */
export interface DeviceScheme {
  readonly weightBits: Fact<readonly number[]>;
  readonly weightSigned: Fact<boolean>;
  readonly weightSymmetric: Fact<boolean>;
  readonly weightGranularity: Fact<'per-tensor' | 'per-channel' | null>;
  readonly activationBits: Fact<readonly number[]>;
  readonly activationSigned: Fact<boolean>;
  readonly activationSymmetric: Fact<boolean>;
  readonly activationGranularity: Fact<'per-tensor' | 'per-channel' | null>;
  /** Conv, BatchNorm and activation are one layer, whose output alone is quantized. */
  readonly fusesActivation: Fact<boolean>;
  readonly rounding: Fact<'half-even' | null>;
  readonly biasBits: Fact<number | null>;
}

/** Operators whose inputs take the scale of their output. */
export type SharingRules = Readonly<Partial<Record<OpType, Fact<'inputs take the output scale'>>>>;

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
  readonly operators: Readonly<Record<OpType, OpSupport>>;
  readonly checks: Readonly<Partial<Record<OpType, NodeCheck>>>;
  readonly versions: readonly ToolchainVersion[];
  /** Sentences that hold for every model on this device. */
  readonly warnings: readonly string[];
}
