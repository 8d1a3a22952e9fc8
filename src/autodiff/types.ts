/** What a gradient rule is given and answers. */
import type { Node } from '../onnx';
import type { Dims, Emitter } from './emitter';

/** One layer on the way back. Everything a rule emits without need is dropped afterwards. */
export interface GradientContext {
  readonly node: Node;
  readonly e: Emitter;
  /** Gradient of output 0. */
  readonly g: string;
  /** Gradient of any output, null where the loss doesn't depend on it. */
  gradient(output: number): string | null;
  /** Name of an input. */
  x(input: number): string;
  /** Name of an output. */
  y(output: number): string;
  /** Shape of an input. */
  dims(input: number): Dims;
  outDims(output: number): Dims;
  /** True where the input's gradient is needed. */
  wants(input: number): boolean;
  /** Values of a constant input; null where it is absent or not constant. */
  constant(input: number): readonly number[] | null;
  /** Values of an input that the rule must know; throws StudioError 'unsupported' where it isn't constant. */
  fixed(input: number): readonly number[];
  /** True where an optional input is given. */
  has(input: number): boolean;
}

/** The gradient of each input, of the input's shape; null or missing = none. */
export type GradientRule = (c: GradientContext) => readonly (string | null)[];

/** How an operator behaves on the way back. */
export type Gradient =
  | { readonly rule: GradientRule }
  /** Its outputs don't change with small changes of its inputs (comparisons, rounding, shapes). */
  | { readonly flat: true }
  /** It has a gradient that this room can't write; `why` ends the sentence "… has no gradient here: ". */
  | { readonly missing: string };
