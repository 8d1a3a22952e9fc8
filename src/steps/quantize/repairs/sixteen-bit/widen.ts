/** 16-bit parameters for some activations of a plan. */
import { type QParams, qparamsFromRange } from '../../../../numerics';
import type { RangesArtifact } from '../../../types';
import type { QuantizeOptions } from '../../meta';
import type { ActivationQuant, QuantPlan } from '../../plan-types';

type Range = readonly [number, number];

/** What a quantizer can say, at least: fixed and widened ranges stay covered. */
function covered({ scale, zeroPoint, qmin, qmax }: QParams): Range {
  return [(qmin - zeroPoint[0]!) * scale[0]!, (qmax - zeroPoint[0]!) * scale[0]!];
}

/**
 * The same activations, `values` in 16 bits over everything that the calibration saw: with 65,536 levels there is no
 * reason to clip. Values of one scale keep sharing one, so all of them must be in `values`.
 */
export function widened(
  { activations }: QuantPlan,
  values: ReadonlySet<string>,
  ranges: RangesArtifact,
  options: Pick<QuantizeOptions, 'activations' | 'symmetric'>,
): ReadonlyMap<string, ActivationQuant> {
  const scheme = { bits: 16, signed: options.activations === 'int8', symmetric: options.symmetric } as const;
  const reach = new Map<string, Range>();
  for (const { value, params, sharesWith } of activations.values()) {
    if (!values.has(value)) continue;
    const root = sharesWith ?? value;
    const stats = ranges.tensors.get(value);
    const known = [covered(params), ...(reach.has(root) ? [reach.get(root)!] : []), ...(stats ? [[stats.min, stats.max] as const] : [])];
    reach.set(root, [Math.min(...known.map(([lo]) => lo)), Math.max(...known.map(([, hi]) => hi))]);
  }
  return new Map(
    [...activations].map(([value, quant]) => {
      const range = values.has(value) ? reach.get(quant.sharesWith ?? value) : undefined;
      return [value, range ? { ...quant, params: qparamsFromRange(range[0], range[1], scheme) } : quant];
    }),
  );
}
