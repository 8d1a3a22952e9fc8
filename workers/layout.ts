/** Worker of the graph view: places the layers of a network, which takes seconds where there are thousands. */
import * as Comlink from 'comlink';
import { type LayoutRequest, placeLayers } from './place';
import { keepErrors } from './wire';

export type { LayoutRequest } from './place';

export interface Layout {
  /** Left upper corners, pixels: x, y of each box in order. */
  readonly corners: Float32Array;
}

keepErrors();

const table = {
  place(request: LayoutRequest): Layout {
    const corners = placeLayers(request);
    return Comlink.transfer({ corners }, [corners.buffer as ArrayBuffer]);
  },
};

export type LayoutTable = typeof table;
Comlink.expose(table);
