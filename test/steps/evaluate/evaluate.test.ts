import { describe, expect, it } from 'vitest';
import type { ImageSet } from '../../../src/data';
import { type DetectorSpec, matchFamily } from '../../../src/models';
import { cancelled, StudioError } from '../../../src/numerics';
import type { Model } from '../../../src/onnx';
import type { Engine, RunTensor, SessionOptions, Tensors } from '../../../src/runtime';
import type { Progress, StepContext } from '../../../src/steps';
import { classHistogram, EXACT_DB, evaluate, sqnrMeter } from '../../../src/steps/evaluate';
import { HeadBuilder, yoloxModel } from '../../models/fixtures';

/** What the stand-in network answers for image i: detections as [x, y, width, height, score, class]. */
type Answer = readonly (readonly [x: number, y: number, w: number, h: number, score: number, cls: number])[];

const CLASSES = 3;
const detector = yoloxModel({ classes: CLASSES, form: 'decoded' });
const spec: DetectorSpec = { ...matchFamily(detector)!, classNames: ['cat', 'dog', 'cow'] };

function rows(answer: Answer): Float32Array {
  const data = new Float32Array(84 * 8);
  answer.forEach(([x, y, w, h, score, cls], i) => {
    data.set([x + w / 2, y + h / 2, w, h, 1], i * 8);
    data[i * 8 + 5 + cls] = score;
  });
  return data;
}

interface Log {
  readonly created: SessionOptions[];
  released: number;
  loads: number[];
}

/** An engine whose networks answer by the image's gray value: image i is painted with i. */
function engine(log: Log, ...networks: ((image: number) => Record<string, RunTensor>)[]): Engine {
  let next = 0;
  return {
    backend: 'node',
    threads: 1,
    note: '',
    version: 'stand-in 1.0',
    device: null,
    liveSessions: 0,
    async dispose() {},
    async create(_model: Uint8Array, options: SessionOptions = {}) {
      log.created.push(options);
      const answer = networks[next++ % networks.length]!;
      return {
        backend: 'node' as const,
        inputNames: ['images'],
        outputNames: [],
        async run(feeds: Tensors) {
          const value = Number(feeds.images!.data[0]);
          return answer(Math.round(value > 0 && value < 1 ? value * 255 : value));
        },
        async runOnGpu() {
          throw new Error('not here');
        },
        async release() {
          log.released++;
        },
      };
    },
  };
}

const network = (answers: readonly Answer[]) => (image: number) => ({
  [spec.outputs[0]!]: { dtype: 'float32' as const, dims: [1, 84, 8], data: rows(answers[image]!) },
});

function imageSet(
  count: number,
  truths: readonly ImageSet['entries'][number]['truths'][],
  categories: ImageSet['categories'],
  bad: readonly number[] = [],
  log?: Log,
): ImageSet {
  return {
    name: 'test set',
    entries: Array.from({ length: count }, (_, i) => ({ id: i + 1, fileName: `${i}.jpg`, width: 64, height: 64, truths: truths[i] ?? [] })),
    categories,
    notes: [],
    async load(i) {
      log?.loads.push(i);
      if (bad.includes(i)) throw new StudioError('bad-data', `${i}.jpg is damaged.`, 'Choose another.');
      return { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(i) };
    },
  };
}

const newLog = (): Log => ({ created: [], released: 0, loads: [] });
function context(log: Log, ...networks: Parameters<typeof engine>[1][]): StepContext & { seen: Progress[] } {
  const seen: Progress[] = [];
  return {
    engine: engine(log, ...networks),
    gpu: null,
    seed: 1,
    seen,
    progress: (p) => seen.push(p),
    cancel: { aborted: false, throwIfAborted() {} },
  };
}

const target = (model: Model = detector, s: DetectorSpec | null = spec, environment = 'FP32') => ({
  model,
  hash: 'abc',
  spec: s,
  environment,
});
const truth = (x: number, y: number, w: number, h: number, categoryId: number) => ({
  bbox: [x, y, w, h] as const,
  categoryId,
  area: w * h,
  crowd: false,
});
const categories = [
  { id: 7, name: 'dog' },
  { id: 90, name: 'cow' },
  { id: 2, name: 'cat' },
];

describe('evaluate', () => {
  it('scores against labels by class name, at a fixed level that it records, and frees its session', async () => {
    const log = newLog();
    const ctx = context(log, network([[[10, 10, 20, 20, 0.9, 0]], [[5, 5, 40, 40, 0.8, 2]]]));
    const images = imageSet(2, [[truth(10, 10, 20, 20, 2)], [truth(5, 5, 40, 40, 90)]], categories);
    const { artifact, detections } = await evaluate(target(), images, {}, ctx);
    expect(artifact.metrics).toMatchObject({
      kind: 'coco',
      mAP: 100,
      AP50: 100,
      images: 2,
      scoreThreshold: 0.01,
      iouThreshold: 0.65,
      nms: 'per-class',
    });
    expect(artifact.metrics.classHistogram).toEqual({ cat: 1, cow: 1 });
    expect(artifact.metrics.perClass.map(({ name, AP, truths }) => [name, AP, truths])).toEqual([
      ['dog', null, 0],
      ['cow', 100, 1],
      ['cat', 100, 1],
    ]);
    expect(artifact.environment).toBe('FP32, stand-in 1.0, optimization disabled');
    expect(artifact.modelHash).toBe('abc');
    expect(log).toMatchObject({ created: [{ optimization: 'disabled' }], released: 1 });
    expect(detections.map((d) => d.map(({ classIndex }) => classIndex))).toEqual([[0], [2]]);
    expect(ctx.seen.map(({ done, total }) => [done, total])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('C05: says n/a where the annotations have no boxes', async () => {
    const { artifact } = await evaluate(target(), imageSet(1, [], categories), {}, context(newLog(), network([[[0, 0, 9, 9, 0.9, 0]]])));
    expect(artifact.metrics).toMatchObject({ kind: 'coco', mAP: null, AP50: null, APs: null, perClass: [] });
    expect(artifact.metrics.notes[0]).toBe('n/a: no ground truth. The annotation file has no boxes.');
  });

  it('C07: sees that boxes match and classes do not', async () => {
    const answers = Array.from({ length: 3 }, (_, i): Answer => [[10, 10 + i, 20, 20, 0.9, i]]);
    const truths = [0, 1, 2].map((i) => [truth(10, 10 + i, 20, 20, [2, 7, 90][i]!)]);
    const permuted = [
      { id: 7, name: 'cat' },
      { id: 90, name: 'dog' },
      { id: 2, name: 'cow' },
    ];
    const { artifact } = await evaluate(target(), imageSet(3, truths, permuted), {}, context(newLog(), network(answers)));
    expect(artifact.metrics.mAP).toBe(0);
    expect(artifact.metrics.notes).toContain(
      'Boxes match, classes do not: is the class list in another order? mAP is 0.0, without classes it is 100.0.',
    );
    const same = await evaluate(target(), imageSet(3, truths, categories), {}, context(newLog(), network(answers)));
    expect(same.artifact.metrics).toMatchObject({ mAP: 100, notes: [] });
  });

  it('C03: notes ties above 5 %', async () => {
    const answers: Answer[] = [
      [
        [10, 10, 20, 20, 0.5, 0],
        [40, 40, 20, 20, 0.5, 0],
        [40, 10, 20, 20, 0.25, 0],
      ],
    ];
    const { artifact } = await evaluate(
      target(),
      imageSet(1, [[truth(10, 10, 20, 20, 2)]], categories),
      {},
      context(newLog(), network(answers)),
    );
    expect(artifact.metrics.notes).toEqual([
      '67 % of the scores are equal to another of their class: within a tie the order in which boxes were found decides.',
    ]);
  });

  it('C09: another threshold, NMS or limit gives another figure, and stands beside it', async () => {
    const answers: Answer[] = [
      [
        [10, 10, 20, 20, 0.9, 0],
        [10, 10, 20, 20, 0.4, 1],
        [40, 40, 20, 20, 0.1, 0],
      ],
    ];
    const images = () => imageSet(1, [[truth(10, 10, 20, 20, 2), truth(40, 40, 20, 20, 2), truth(10, 10, 20, 20, 7)]], categories);
    const run = async (options: Record<string, number | string>) =>
      (await evaluate(target(), images(), options, context(newLog(), network(answers)))).artifact;
    const [all, high, agnostic, few] = [
      await run({}),
      await run({ scoreThreshold: 0.25 }),
      await run({ nms: 'agnostic' }),
      await run({ maxDetections: 1 }),
    ];
    const half = 51 / 101; // recall 0.5: 51 of 101 points
    expect(all.metrics.mAP).toBe(100);
    expect(high.metrics).toMatchObject({ scoreThreshold: 0.25 });
    expect(high.metrics.mAP).toBeCloseTo(50 * (1 + half), 9);
    expect(agnostic.metrics).toMatchObject({ nms: 'agnostic', mAP: 50 });
    expect(few.metrics.mAP).toBeCloseTo(50 * half, 9);
    expect(new Set([all, high, agnostic, few].map(({ hash }) => hash)).size).toBe(4);
    await expect(run({ scoreThreshold: 2 })).rejects.toThrow("The recipe's option evaluate.scoreThreshold is 2.");
  });

  it('leaves damaged images and their truths out, and counts them', async () => {
    const answers: Answer[] = [[[10, 10, 20, 20, 0.9, 0]], []];
    const images = imageSet(2, [[truth(10, 10, 20, 20, 2)], [truth(10, 10, 20, 20, 2)]], categories, [1]);
    const { artifact, detections } = await evaluate(target(), images, {}, context(newLog(), network(answers)));
    expect(artifact.metrics).toMatchObject({ mAP: 100, images: 1, notes: ['1 of 2 images could not be read and were left out.'] });
    expect(detections[1]).toEqual([]);
    const none = evaluate(target(), imageSet(2, [], categories, [0, 1]), {}, context(newLog(), network(answers)));
    await expect(none).rejects.toThrow('None of the 2 images of "test set" could be read.');
    await expect(evaluate(target(), imageSet(0, [], categories), {}, context(newLog(), network([])))).rejects.toThrow(
      'The image set "test set" is empty.',
    );
  });

  it('judges unlabelled images by agreement with FP32, whether its detections are known or not', async () => {
    const float: Answer[] = [
      [
        [10, 10, 20, 20, 0.9, 0],
        [40, 40, 20, 20, 0.2, 1],
      ],
      [[10, 10, 20, 20, 0.8, 2]],
    ];
    const int8: Answer[] = [[[10, 10, 20, 20, 0.7, 0]], [[10, 10, 20, 20, 0.6, 1]]];
    const images = imageSet(2, [], null);
    const first = await evaluate(target(), images, {}, context(newLog(), network(float)));
    expect(first.artifact.metrics).toMatchObject({ kind: 'agreement', mAP: 100 });
    expect(first.artifact.metrics.notes[0]).toBe('No labels: this network is its own reference, so it agrees fully with itself.');
    const quantized = { ...detector };
    const int8Target = target(quantized, spec, 'INT8, simulated');
    const known = await evaluate(int8Target, images, {}, context(newLog(), network(int8)), {
      model: detector,
      detections: first.detections,
    });
    // Two of three classes have a reference detection above 0.3: cat is found, cow is not; the dog at 0.2 is no truth.
    expect(known.artifact.metrics).toMatchObject({ kind: 'agreement', mAP: 50 });
    const log = newLog();
    const unknown = await evaluate(int8Target, images, {}, context(log, network(int8), network(float)), { model: detector });
    expect(unknown.artifact.metrics).toEqual(known.artifact.metrics);
    expect(log).toMatchObject({ created: [{}, {}], released: 2 });
  });

  it('judges a generic network by the SQNR of its outputs', async () => {
    const b = new HeadBuilder(64);
    const model = b.model([[b.conv('images', 3, 2, 8, 8, 'out'), [1, 2, 8, 8]]]);
    const output = (scale: number) => () => ({
      out: { dtype: 'float32' as const, dims: [1, 2], data: Float32Array.from([3 * scale, 4 * scale]) },
    });
    const images = imageSet(2, [], null);
    const float = await evaluate(target(model, null), images, {}, context(newLog(), output(1)), { model });
    expect(float.artifact.metrics).toMatchObject({ kind: 'sqnr', sqnr: null, mAP: null, images: 2 });
    const int8 = await evaluate(target({ ...model }, null), images, {}, context(newLog(), output(0.9), output(1)), { model });
    expect(int8.artifact.metrics.sqnr).toBeCloseTo(20, 4); // noise is a tenth of the signal
    const noImage = { ...model, graph: { ...model.graph, inputs: [{ name: 'x', dtype: 'float32' as const, shape: [1, 10] }] } };
    await expect(evaluate(target(noImage, null), images, {}, context(newLog(), output(1)))).rejects.toThrow('it has no single image input');
  });

  it('decodes the next image while one runs, stops when cancelled, and frees its session', async () => {
    const log = newLog();
    const ctx = context(log, network([[], [], [], []]));
    const stopping: StepContext = {
      ...ctx,
      cancel: {
        get aborted() {
          return ctx.seen.length >= 1;
        },
        throwIfAborted() {
          if (ctx.seen.length >= 1) throw cancelled();
        },
      },
    };
    await expect(evaluate(target(), imageSet(4, [], null, [], log), {}, stopping)).rejects.toMatchObject({ code: 'cancelled' });
    expect(log.loads).toEqual([0, 1]);
    expect(log.released).toBe(1);
  });
});

describe('classHistogram', () => {
  const d = (classIndex: number, score: number) => ({ x: 0, y: 0, width: 1, height: 1, score, classIndex });

  it('counts confident detections, and the best one of an image without any', () => {
    const images = [[d(0, 0.9), d(0, 0.3), d(1, 0.1)], [d(1, 0.04), d(2, 0.03)], [d(1, 0.02)], [], [d(1, 0.25)]];
    const histogram = classHistogram(images, ['person', 'banana', 'cake']);
    expect(histogram).toEqual({ banana: 3, person: 2 });
    expect(Object.keys(histogram)).toEqual(['banana', 'person']);
  });
});

describe('sqnrMeter', () => {
  const out = (...values: number[]) => ({ dtype: 'float32' as const, dims: [values.length], data: Float32Array.from(values) });

  it('sums over images and reports the worst output', () => {
    const meter = sqnrMeter();
    meter.add({ a: out(10, 0), b: out(1, 1) }, { a: out(10, 1), b: out(1, 1) });
    meter.add({ a: out(0, 10), b: out(1, 1) }, { a: out(0, 10), b: out(1, 1) });
    expect(meter.result()).toBeCloseTo(10 * Math.log10(200), 9);
  });

  it('stays finite for equal outputs, pairs renamed ones by position and skips integers', () => {
    const meter = sqnrMeter();
    expect(meter.result()).toBeNull();
    meter.add(
      { n: { dtype: 'int64', dims: [1], data: BigInt64Array.from([3n]) }, a: out(1) },
      { n: { dtype: 'int64', dims: [1], data: BigInt64Array.from([4n]) }, z: out(1) },
    );
    expect(meter.result()).toBe(EXACT_DB);
  });
});
