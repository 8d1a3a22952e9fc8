import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import decode, { init } from '@jsquash/jpeg/decode.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../../src/data';
import { categoryMap, matchFamily } from '../../../src/models';
import { parseModel } from '../../../src/onnx';
import type { Engine } from '../../../src/runtime';
import { createNodeEngine } from '../../../src/runtime/node';
import type { StepContext } from '../../../src/steps';
import { cocoMetrics, type Evaluation, evaluate } from '../../../src/steps/evaluate';
import { classOrderNote } from '../../../src/steps/evaluate/report';

const DATA = process.env.BONSAI_DATA ?? '../shared/data';
const COCO = join(DATA, 'coco-val');

interface Instances {
  readonly images: readonly { id: number; file_name: string; width: number; height: number }[];
  readonly annotations: readonly {
    image_id: number;
    category_id: number;
    bbox: [number, number, number, number];
    area: number;
    iscrowd: 0 | 1;
  }[];
  readonly categories: readonly { id: number; name: string }[];
}

/** COCO's JPEGs as they are stored, no orientation applied. */
function cocoVal(): ImageSet {
  const { images, annotations, categories } = JSON.parse(readFileSync(join(COCO, 'instances.json'), 'utf8')) as Instances;
  const truths = new Map<number, (typeof annotations)[number][]>(images.map(({ id }) => [id, []]));
  for (const a of annotations) truths.get(a.image_id)?.push(a);
  return {
    name: 'coco-val',
    entries: images.map(({ id, file_name, width, height }) => ({
      id,
      fileName: file_name,
      width,
      height,
      truths: truths.get(id)!.map((a) => ({ bbox: a.bbox, categoryId: a.category_id, area: a.area, crowd: a.iscrowd === 1 })),
    })),
    categories,
    notes: [],
    async load(index) {
      const file = readFileSync(join(COCO, 'images', images[index]!.file_name));
      const { width, height, data } = await decode(file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer);
      return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => data[Math.floor(i / 3) * 4 + (i % 3)]!) };
    },
  };
}

describe.skipIf(!existsSync(COCO))('the real detectors on coco-val', () => {
  let engine: Engine;
  let nano: Evaluation;
  const images = existsSync(COCO) ? cocoVal() : null!;
  const run = (file: string) => {
    const model = parseModel(new Uint8Array(readFileSync(join(DATA, 'models', file))));
    const ctx: StepContext = { engine, gpu: null, seed: 1, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
    return evaluate({ model, hash: file, spec: matchFamily(model), environment: 'FP32' }, images, {}, ctx);
  };

  beforeAll(async () => {
    (globalThis as { ImageData?: unknown }).ImageData ??= class {
      constructor(
        readonly data: Uint8ClampedArray,
        readonly width: number,
        readonly height: number,
      ) {}
    };
    await init(await WebAssembly.compile(readFileSync('node_modules/@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')));
    engine = await createNodeEngine({ threads: 1 });
    nano = await run('yolox_nano.onnx');
  });
  afterAll(() => engine?.dispose());

  it('YOLOX-Nano: 31.99 mAP, 50.62 AP50 by an independent evaluator with another resize', () => {
    const { metrics } = nano.artifact;
    expect(metrics.mAP).toBeGreaterThan(31.7);
    expect(metrics.mAP).toBeLessThan(32.3);
    expect(Math.abs(metrics.AP50! - 50.62)).toBeLessThan(0.4);
    expect(metrics.images).toBe(79);
    expect(metrics.notes).toEqual([]);
    expect(Object.keys(metrics.classHistogram)[0]).toBe('person');
    expect(engine.liveSessions).toBe(0);
  });

  // Suppression goes from the best score down, so a higher threshold only takes detections away.
  it.each([
    [0.05, 30.93],
    [0.25, 26.51],
    [0.5, 21.55],
  ])('C09: threshold %f gives about %f', (threshold, mAP) => {
    expect(Math.abs(rescored((d) => (d.score >= threshold ? [d] : [])) - mAP)).toBeLessThan(1.3);
  });

  it('C09 and C01: other mistakes cost what they are known to cost', () => {
    const round = ({ x, y, width, height, ...d }: Box) => [
      { ...d, x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) },
    ];
    expect(Math.abs(rescored(round) - 31.72)).toBeLessThan(0.4);
    expect(rescored(({ width, height, ...d }) => [{ ...d, width: d.x + width, height: d.y + height }])).toBeLessThan(5);
    expect(
      Math.abs(
        rescored(
          (d) => [d],
          (classIndex) => classIndex + 1,
        ) - 6.85,
      ),
    ).toBeLessThan(0.6);
  });

  it('C07: permuted category names are seen', () => {
    const names = images.categories!.map((category) => category.name);
    const permuted = images.categories!.map(({ id }, i) => ({ id, name: names[(i + 17) % names.length]! }));
    const map = categoryMap(names, permuted);
    const judged = images.entries.map(({ id, truths }, i) => ({
      id,
      truths,
      detections: nano.detections[i]!.map((d) => ({ ...d, categoryId: map.ids[d.classIndex]! })),
    }));
    const metrics = cocoMetrics(judged, permuted);
    expect(metrics.AP!).toBeLessThan(0.02);
    expect(classOrderNote(judged, metrics)[0]).toMatch(
      /^Boxes match, classes do not: is the class list in another order\? mAP is [01]\.\d, without classes it is [2-4]\d\.\d\.$/,
    );
  });

  type Box = Evaluation['detections'][number][number];
  function rescored(change: (d: Box) => readonly Box[], category?: (classIndex: number) => number): number {
    const map = categoryMap(
      matchFamily(parseModel(new Uint8Array(readFileSync(join(DATA, 'models', 'yolox_nano.onnx')))))!.classNames,
      images.categories!,
    );
    const judged = images.entries.map(({ id, truths }, i) => ({
      id,
      truths,
      detections: nano.detections[i]!.flatMap(change).map((d) => ({
        ...d,
        categoryId: category?.(d.classIndex) ?? map.ids[d.classIndex]!,
      })),
    }));
    return cocoMetrics(judged, images.categories!).AP! * 100;
  }

  // Rounding differences move the INT8 one by more than a point (25.9 to 26.4 with other padding).
  it('NanoDet: 27.74, and Q25: its INT8 twin 25.04', async () => {
    expect(Math.abs((await run('opencvzoo_nanodet_2022nov.onnx')).artifact.metrics.mAP! - 27.74)).toBeLessThan(0.3);
    expect(Math.abs((await run('opencvzoo_nanodet_2022nov_int8.onnx')).artifact.metrics.mAP! - 25.04)).toBeLessThan(1.5);
  });
});
