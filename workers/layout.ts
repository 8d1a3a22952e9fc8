/** Worker of the graph view: places the layers of a network, which takes seconds where there are thousands. */
import dagre from '@dagrejs/dagre';
import * as Comlink from 'comlink';
import { keepErrors } from './wire';

export interface LayoutRequest {
  /** Pixels, the same for all boxes. */
  readonly width: number;
  readonly height: number;
  /** For each box, the boxes that it comes after. */
  readonly after: readonly (readonly number[])[];
}

export interface Layout {
  /** Left upper corners, pixels: x, y of each box in order. */
  readonly corners: Float32Array;
}

keepErrors();

const table = {
  place({ width, height, after }: LayoutRequest): Layout {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 34, ranker: after.length > 400 ? 'longest-path' : 'network-simplex' });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const i of after.keys()) graph.setNode(String(i), { width, height });
    for (const [i, before] of after.entries()) for (const from of before) graph.setEdge(String(from), String(i));
    dagre.layout(graph);
    const corners = new Float32Array(2 * after.length);
    for (const i of after.keys()) {
      const { x, y } = graph.node(String(i));
      corners[2 * i] = x - width / 2;
      corners[2 * i + 1] = y - height / 2;
    }
    return Comlink.transfer({ corners }, [corners.buffer]);
  },
};

export type LayoutTable = typeof table;
Comlink.expose(table);
