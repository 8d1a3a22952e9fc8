/** What the graph's boxes can be coloured by: a figure, its words, and how dark it is. */
import type { LayerState } from '../../../workers/device';
import type { JobResult } from '../../../workers/wire';
import { type InspectReport, type LayerReport, wholeName } from '../../pipeline';
import { decibels, macs as macsWords } from '../format';
import { t } from '../text';

export const QUANTITIES = ['macs', 'error', 'bits', 'pruned', 'device'] as const;
export type Quantity = (typeof QUANTITIES)[number];

export interface Shade {
  /** 0 = nothing to see … 1 = the most; null = no figure for this layer. */
  readonly depth: number | null;
  readonly words: string;
}

export interface Known {
  readonly report: InspectReport;
  readonly result: JobResult | null;
  /** The compressed network's own report, where it was asked for. */
  readonly compressed: InspectReport | null;
  readonly device: readonly LayerState[];
}

const NONE: Shade = { depth: null, words: '' };
/** A layer as good as this needs no attention; one as bad as 0 dB is lost. */
const GOOD_DB = 40;
const DEPTH_OF: Readonly<Record<LayerState['state'], number>> = { runs: 0, 'runs differently': 0.35, 'falls back': 0.7, unsupported: 1 };

const clamped = (x: number) => Math.min(1, Math.max(0, x));

/** Parameters by layer; the parts of a layer that was cut count as the layer. */
function parametersOf(report: InspectReport): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { name, parameters } of report.layers) {
    const whole = wholeName(name);
    sums.set(whole, (sums.get(whole) ?? 0) + parameters);
  }
  return sums;
}

/** One shade per layer of the report, in its order. */
export function shades(quantity: Quantity, known: Known): readonly Shade[] {
  const { layers } = known.report;
  switch (quantity) {
    case 'macs': {
      const most = Math.max(1, ...layers.map(({ macs }) => macs));
      return layers.map(({ macs }) => (macs ? { depth: Math.sqrt(macs / most), words: macsWords(macs) } : NONE));
    }
    case 'error': {
      const errors = known.result?.layerError ?? {};
      return layers.map(({ name }) => {
        const dB = errors[name];
        return dB === undefined ? NONE : { depth: clamped((GOOD_DB - dB) / GOOD_DB), words: decibels(dB) };
      });
    }
    case 'bits': {
      const bits = new Map(known.result?.quant.map(({ tensor, dtype }) => [tensor, Number(/\d+/.exec(dtype)?.[0] ?? 32)]));
      return layers.map(({ output }) => {
        const own = bits.get(output);
        return own === undefined ? NONE : { depth: own > 8 ? 1 : 0.25, words: t('graph.bits', { bits: own }) };
      });
    }
    case 'pruned': {
      const left = known.compressed && parametersOf(known.compressed);
      return layers.map(({ name, parameters }) => pruned(name, parameters, left));
    }
    case 'device': {
      const states = new Map(known.device.map((state) => [state.node, state]));
      return layers.map(({ name }) => {
        const own = states.get(name);
        return own ? { depth: DEPTH_OF[own.state], words: t(`graph.states.${own.state}`) } : NONE;
      });
    }
  }
  return quantity satisfies never;
}

function pruned(name: LayerReport['name'], before: number, left: ReadonlyMap<string, number> | null): Shade {
  if (!left || before === 0) return NONE;
  const gone = clamped(1 - (left.get(name) ?? 0) / before);
  return { depth: gone, words: `−${Math.round(100 * gone)} %` };
}
