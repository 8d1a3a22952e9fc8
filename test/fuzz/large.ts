/** An annotation file of 100 MB, made on the fly: read in seconds, without a copy for each look at it. */
import { cocoSet } from '../../src/data';

const IMAGES = 20_000;
const BYTES = 100e6;

function makeText(): string {
  const images = Array.from({ length: IMAGES }, (_, id) => `{"id":${id},"file_name":"${id}.jpg","width":640,"height":480}`);
  const annotations: string[] = [];
  for (let i = 0, bytes = 0; bytes < BYTES; i++) {
    const bbox = `[${i % 600}.25,${i % 400}.5,${1 + (i % 40)},${1 + (i % 30)}]`;
    const one = `{"id":${i},"image_id":${i % IMAGES},"category_id":${1 + (i % 3)},"bbox":${bbox},"area":${i % 900},"iscrowd":${i % 50 ? 0 : 1}}`;
    annotations.push(one);
    bytes += one.length + 1;
  }
  return `{"images":[${images.join()}],"annotations":[${annotations.join()}],"categories":[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":"c"}]}`;
}

export interface LargeReport {
  readonly megabytes: number;
  readonly boxes: number;
  /** Seconds for JSON.parse and for the set. */
  readonly parse: number;
  readonly read: number;
}

export function readLargeAnnotations(): LargeReport {
  const text = makeText();
  const start = performance.now();
  const json: unknown = JSON.parse(text);
  const parsed = performance.now();
  const files = Array.from({ length: IMAGES }, (_, id) => `${id}.jpg`);
  const set = cocoSet('large', json, files, async () => new Uint8Array());
  const boxes = set.entries.reduce((sum, { truths }) => sum + truths.length, 0);
  return { megabytes: text.length / 1e6, boxes, parse: (parsed - start) / 1000, read: (performance.now() - parsed) / 1000 };
}
