import type { LayerState } from '../../../workers/device';
import type { InspectReport } from '../../pipeline';
import { placeLayers } from '../graph/layout-worker';
import { type Quantity, type Shade, shades } from '../graph/quantities';
import type { Studio } from './studio.svelte';

/** Pixels of a layer's box. */
export const BOX = { width: 168, height: 50 } as const;

/** The open network as a graph: where its layers lie, and what they are coloured by. */
export class GraphState {
  #placed: string | null = null;

  quantity = $state<Quantity>('macs');
  corners = $state.raw<Float32Array | null>(null);
  /** What kept the graph from being drawn or coloured; null when nothing did. */
  trouble = $state.raw<unknown>(null);
  #device = $state.raw<readonly LayerState[]>([]);
  #compressed = $state.raw<{ readonly of: Uint8Array; readonly report: InspectReport } | null>(null);

  constructor(private readonly studio: Studio) {}

  shades = $derived.by((): readonly Shade[] => {
    const { report, result } = this.studio;
    if (!report) return [];
    const compressed = this.#compressed?.of === result?.models.compressed ? (this.#compressed?.report ?? null) : null;
    return shades(this.quantity, { report, result, compressed, device: this.#device });
  });

  /** Places the network's layers, unless they lie already. */
  async place(report: InspectReport): Promise<void> {
    if (this.#placed === report.hash) return;
    this.#placed = report.hash;
    this.corners = null;
    this.trouble = null;
    try {
      const { corners } = await placeLayers({ ...BOX, after: report.layers.map(({ after }) => [...after]) });
      if (this.#placed === report.hash) this.corners = corners;
    } catch (error) {
      this.#placed = null;
      this.trouble = error;
    }
  }

  /** Fetches what the chosen quantity needs. */
  async know(): Promise<void> {
    const { model, result, recipe, devices } = this.studio;
    this.trouble = null;
    try {
      if (this.quantity === 'device' && model) this.#device = await devices.check(model, recipe.current.device);
      if (this.quantity === 'pruned' && result && this.#compressed?.of !== result.models.compressed) {
        const of = result.models.compressed;
        this.#compressed = { of, report: await this.studio.inspect('compressed.onnx', of) };
      }
    } catch (error) {
      this.trouble = error;
    }
  }
}
