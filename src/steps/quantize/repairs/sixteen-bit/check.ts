/** Whether a device takes a plan with 16-bit activations. */
import type { Model } from '../../../../onnx';
import { isWide, type QuantPlan } from '../../plan-types';
import { widthUnits } from './units';

/** What a device's profile says of 16-bit activations. */
export interface SixteenBitFacts {
  /** "Hailo-8" */
  readonly title: string;
  /** falls back: it runs, but the whole graph or a part of it on the CPU. */
  readonly state: 'runs' | 'falls back' | 'unsupported';
  /** Why, as a sentence; said where it doesn't simply run. */
  readonly reason: string;
  /** Inputs and outputs of a Concat or shortcut must have one width, and so must the last layers. */
  readonly uniform: boolean;
}

export interface SixteenBitCheck {
  /** Why the device can't, as sentences; null = it may be built. */
  readonly refusal: string | null;
  readonly warnings: readonly string[];
}

/** What a device says to the 16-bit activations of `plan`; nothing where there is none. */
export function checkSixteenBit(device: SixteenBitFacts, model: Model, plan: QuantPlan): SixteenBitCheck {
  const isWideValue = (value: string): boolean => isWide(plan.activations.get(value)!.params);
  const wide = [...plan.activations.keys()].filter(isWideValue);
  if (wide.length === 0) return { refusal: null, warnings: [] };
  const count = `${wide.length} activation${wide.length === 1 ? '' : 's'} in 16 bits (first "${wide[0]}")`;
  if (device.state === 'unsupported') return { refusal: `${device.title} can't take ${count}. ${device.reason}`, warnings: [] };
  const warnings = device.state === 'falls back' ? [`${device.title}: ${count} fall back to the CPU. ${device.reason}`] : [];
  const mixed = device.uniform
    ? widthUnits(model, plan, true).find(({ values }) => values.some(isWideValue) && !values.every(isWideValue))
    : undefined;
  if (mixed) {
    const [a, b] = [mixed.values.find(isWideValue), mixed.values.find((value) => !isWideValue(value))];
    return {
      refusal: `${device.title} needs one width through a Concat or shortcut and at the outputs: "${a}" has 16 bits, "${b}" 8. Give Concat inputs a shared scale (option "concat").`,
      warnings,
    };
  }
  return { refusal: null, warnings };
}
