/** Two runs beside each other: figures, layers, detections. */
import type { JobResult } from '../../../workers/wire';
import type { Detection, ResultRow } from '../../pipeline';

/** The row that a run ends in. */
export function lastRow(result: Pick<JobResult, 'rows'>): ResultRow | null {
  return result.rows.findLast(({ id }) => id !== 'int8-other') ?? null;
}

export interface LayerPair {
  readonly layer: string;
  /** SQNR in dB; null where it was not measured. */
  readonly a: number | null;
  readonly b: number | null;
  /** b − a; null where one is missing. */
  readonly change: number | null;
}

/** Layers of either run, the largest change first, then those that only one run has. */
export function compareLayers(a: JobResult['layerError'], b: JobResult['layerError']): readonly LayerPair[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const pairs = names.map((layer): LayerPair => {
    const [x, y] = [a[layer] ?? null, b[layer] ?? null];
    return { layer, a: x, b: y, change: x === null || y === null ? null : y - x };
  });
  const weight = ({ change }: LayerPair) => (change === null ? -1 : Math.abs(change));
  return pairs.sort((p, q) => weight(q) - weight(p));
}

export interface DetectionPair {
  /** null: only the other run has it. */
  readonly a: Detection | null;
  readonly b: Detection | null;
}

/** Boxes of one class that overlap by this are the same detection, as COCO's easiest threshold has it. */
const SAME = 0.5;

function overlap(p: Detection, q: Detection): number {
  const width = Math.min(p.x + p.width, q.x + q.width) - Math.max(p.x, q.x);
  const height = Math.min(p.y + p.height, q.y + q.height) - Math.max(p.y, q.y);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (p.width * p.height + q.width * q.height - both);
}

/** Pairs detections of one image, best score of `a` first; what is left over stands alone. */
export function compareDetections(a: readonly Detection[], b: readonly Detection[], threshold: number): readonly DetectionPair[] {
  const seen = (all: readonly Detection[]) => all.filter(({ score }) => score >= threshold).sort((p, q) => q.score - p.score);
  const free = new Set(seen(b));
  const pairs = seen(a).map((own): DetectionPair => {
    const matches = [...free].filter((d) => d.classIndex === own.classIndex && overlap(own, d) >= SAME);
    const best = matches.sort((p, q) => overlap(own, q) - overlap(own, p))[0] ?? null;
    if (best) free.delete(best);
    return { a: own, b: best };
  });
  return [...pairs, ...[...free].map((d) => ({ a: null, b: d }))];
}
