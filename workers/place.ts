/** Where the boxes of a network's graph lie: dagre, block by block where there are many layers. */
import dagre from '@dagrejs/dagre';

export interface LayoutRequest {
  /** Pixels, the same for all boxes. */
  readonly width: number;
  readonly height: number;
  /** For each box, the boxes that it comes after; all of them stand before it. */
  readonly after: readonly (readonly number[])[];
}

/** dagre recurses along the longest path, and its time grows faster than the graph. */
const BLOCK = 400;
const [BESIDE, BELOW] = [28, 34];

/** Ends of the blocks: each cut where the fewest edges cross, in the last half of what a block may hold. */
export function blockEnds(after: LayoutRequest['after'], size: number): readonly number[] {
  // crossing[i] = edges from before box i to i or behind it
  const steps = new Int32Array(after.length + 1);
  for (const [i, before] of after.entries())
    for (const from of before) {
      steps[from + 1]! += 1;
      steps[i + 1]! -= 1;
    }
  const crossing = new Int32Array(after.length + 1);
  for (let i = 1; i < crossing.length; i++) crossing[i] = crossing[i - 1]! + steps[i]!;
  const ends: number[] = [];
  for (let start = 0; start < after.length; start = ends.at(-1)!) {
    let end = Math.min(after.length, start + size);
    if (end < after.length) for (let i = end - 1; i > start + size / 2; i--) if (crossing[i]! < crossing[end]!) end = i;
    ends.push(end);
  }
  return ends;
}

/** @returns left upper corners, pixels: x, y of each box in order */
export function placeLayers({ width, height, after }: LayoutRequest): Float32Array {
  const corners = new Float32Array(2 * after.length);
  const ranker = after.length > BLOCK ? 'longest-path' : 'network-simplex';
  let [start, top] = [0, 0];
  for (const end of blockEnds(after, BLOCK)) {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: 'TB', nodesep: BESIDE, ranksep: BELOW, ranker });
    graph.setDefaultEdgeLabel(() => ({}));
    for (let i = start; i < end; i++) graph.setNode(String(i), { width, height });
    /** The first edge that leads into this block from above is drawn straight. */
    let entry: { readonly from: number; readonly to: number } | null = null;
    for (let i = start; i < end; i++)
      for (const from of after[i]!) {
        if (from >= start) graph.setEdge(String(from), String(i));
        else entry ??= { from, to: i };
      }
    dagre.layout(graph);
    const shift = entry ? corners[2 * entry.from]! + width / 2 - graph.node(String(entry.to)).x : 0;
    let bottom = top;
    for (let i = start; i < end; i++) {
      const { x, y } = graph.node(String(i));
      corners[2 * i] = x - width / 2 + shift;
      corners[2 * i + 1] = top + y - height / 2;
      bottom = Math.max(bottom, top + y + height / 2);
    }
    [start, top] = [end, bottom + BELOW];
  }
  return corners;
}
