/** How a step declares itself once; the page's panel, the CLI's recipe check and the docs follow from it. */
export type StepId = 'open' | 'inspect' | 'prune' | 'recover' | 'calibrate' | 'quantize' | 'evaluate' | 'export';

/** Name of a value in the network → [low, high], low ≤ 0 ≤ high. */
export type TensorRanges = Readonly<Record<string, readonly [number, number]>>;

export type OptionValue = number | string | boolean | TensorRanges;

interface OptionBase {
  readonly key: string;
  /** Folded away in the page unless opened. */
  readonly advanced?: boolean;
  /** One sentence for a tooltip and the docs (English; the page looks up a translation by step and key). */
  readonly help: string;
}

export type OptionMeta =
  | (OptionBase & {
      readonly type: 'number';
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly step: number;
      readonly unit?: string;
    })
  | (OptionBase & { readonly type: 'choice'; readonly default: string; readonly choices: readonly string[] })
  | (OptionBase & { readonly type: 'boolean'; readonly default: boolean })
  | (OptionBase & { readonly type: 'ranges'; readonly default: TensorRanges });

export interface StepMeta {
  readonly id: StepId;
  /** Raised when the same input and options give another result; part of every cache key. */
  readonly version: number;
  readonly options: readonly OptionMeta[];
}
