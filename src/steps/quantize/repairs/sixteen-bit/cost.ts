/** What layers in 16 bits cost a device. */
import { analyze, type Model } from '../../../../onnx';
import type { QuantPlan } from '../../plan-types';

/** Four 8×8 products make one of 16×16. */
export const WIDE_FACTOR = 4;

/**
 * Time against the network in 8 bits alone, from multiply-accumulates: those of layers that read or make a value of
 * `wide` count `factor` times.
 */
export function costModel(model: Model, plan: QuantPlan, factor = WIDE_FACTOR): (wide: ReadonlySet<string>) => number {
  const macs = new Map(analyze(model).layers.map((layer) => [layer.name, layer.macs]));
  const total = plan.layers.reduce((sum, { node }) => sum + (macs.get(node) ?? 0), 0);
  return (wide) => {
    let slow = 0;
    for (const { node, input, output } of plan.layers) if (wide.has(input) || wide.has(output)) slow += macs.get(node) ?? 0;
    return total > 0 ? 1 + ((factor - 1) * slow) / total : 1;
  };
}
