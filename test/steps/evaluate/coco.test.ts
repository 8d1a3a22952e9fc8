import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { bootstrap, cocoMetrics, type EvaluatedImage, weightedAp } from '../../../src/steps/evaluate';

type Truth = EvaluatedImage['truths'][number];
const truth = (bbox: Truth['bbox'], categoryId = 1, more: Partial<Truth> = {}): Truth => ({
  bbox,
  categoryId,
  area: bbox[2] * bbox[3],
  crowd: false,
  ...more,
});
const detection = ([x, y, width, height]: Truth['bbox'], score: number, categoryId = 1) => ({ x, y, width, height, score, categoryId });
const one = [{ id: 1, name: 'thing' }];
const AP = (images: readonly EvaluatedImage[], categories = one) => cocoMetrics(images, categories).AP;

describe('cocoMetrics', () => {
  it('C01: takes sparse category ids as they are', () => {
    const categories = [
      { id: 1, name: 'person' },
      { id: 90, name: 'toothbrush' },
    ];
    const truths = [truth([10, 10, 50, 50], 90)];
    expect(AP([{ id: 1, truths, detections: [detection([10, 10, 50, 50], 0.9, 90)] }], categories)).toBe(1);
    expect(AP([{ id: 1, truths, detections: [detection([10, 10, 50, 50], 0.9, 2)] }], categories)).toBe(0);
  });

  it('C03: keeps the input order of equal scores', () => {
    const truths = [0, 100, 200].map((x) => truth([x, 0, 50, 50]));
    const right = detection([0, 0, 50, 50], 1);
    const wrong = [detection([0, 200, 50, 50], 1), detection([100, 200, 50, 50], 1)];
    expect(AP([{ id: 1, truths, detections: [right, ...wrong] }])! * 100).toBeCloseTo(33.66, 2);
    expect(AP([{ id: 1, truths, detections: [...wrong, right] }])! * 100).toBeCloseTo(11.22, 2);
  });

  it('C03: gives the same for any order of the images, equal scores included', () => {
    const images = [
      { id: 7, truths: [truth([0, 0, 50, 50])], detections: [detection([0, 0, 50, 50], 0.5)] },
      { id: 3, truths: [truth([0, 0, 50, 50])], detections: [detection([200, 0, 50, 50], 0.5)] },
    ];
    // Image 3 comes first whatever the order: wrong, then right.
    expect(AP(images)).toBeCloseTo((51 * 0.5) / 101, 12);
    expect(AP([...images].reverse())).toBe(AP(images));
  });

  it('C05: has no figure without ground truth', () => {
    expect(cocoMetrics([{ id: 1, truths: [], detections: [detection([0, 0, 5, 5], 0.9)] }], one)).toMatchObject({
      AP: null,
      AP50: null,
      APl: null,
      AR100: null,
      perClass: [{ AP: null, truths: 0, detections: 1 }],
    });
  });

  it('counts a detection on a crowd neither right nor wrong, as often as it comes', () => {
    const truths = [truth([0, 0, 50, 50]), truth([100, 0, 200, 200], 1, { crowd: true })];
    const detections = [detection([110, 10, 20, 20], 0.9), detection([200, 100, 30, 30], 0.8), detection([0, 0, 50, 50], 0.7)];
    expect(AP([{ id: 1, truths, detections }])).toBe(1);
    expect(AP([{ id: 1, truths: [truths[0]!, truth([100, 0, 200, 200])], detections }])!).toBeLessThan(0.3);
  });

  it('sorts into small, medium and large by the annotation’s area, not its box', () => {
    const truths = [truth([0, 0, 100, 100], 1, { area: 900 })];
    const metrics = cocoMetrics([{ id: 1, truths, detections: [detection([0, 0, 100, 100], 0.9)] }], one);
    expect(metrics).toMatchObject({ AP: 1, APs: 1, APm: null, APl: null });
  });

  it('steps through the thresholds: IoU 0.8 is right at seven of ten', () => {
    const images = [{ id: 1, truths: [truth([0, 0, 100, 100])], detections: [detection([0, 0, 80, 100], 0.9)] }];
    expect(cocoMetrics(images, one)).toMatchObject({ AP50: 1, AP75: 1 });
    expect(AP(images)).toBeCloseTo(0.7, 12);
  });

  it('looks at the best 100 detections only', () => {
    const truths = [truth([0, 0, 50, 50])];
    const noise = Array.from({ length: 100 }, (_, i) => detection([1000 + i, 0, 5, 5], 0.9));
    expect(AP([{ id: 1, truths, detections: [...noise, detection([0, 0, 50, 50], 0.1)] }])).toBe(0);
    expect(AP([{ id: 1, truths, detections: [...noise.slice(1), detection([0, 0, 50, 50], 0.1)] }])).toBeCloseTo(0.01, 6);
  });

  it('equals pycocotools 2.0.11 on seeded boxes with crowds, ties, gaps and all sizes', () => {
    const { images, categories } = randomCase();
    const m = cocoMetrics(images, categories);
    const figures = [m.AP, m.AP50, m.AP75, m.APs, m.APm, m.APl, m.AR1, m.AR10, m.AR100];
    PYCOCOTOOLS.forEach((value, i) => {
      expect(figures[i]).toBeCloseTo(value, 12);
    });
  });
});

/** `COCOeval(…, 'bbox').stats[:9]` of {@link randomCase}. */
const PYCOCOTOOLS = [
  0.18771786700684823, 0.4318199344546736, 0.12420232868900498, 0.2028291573501242, 0.26120083624903845, 0.15287207292157787,
  0.17842219508886176, 0.3128476461809795, 0.3128476461809795,
];

function randomCase() {
  const random = createRandom(11);
  const uniform = (low: number, high: number) => low + (high - low) * random.next();
  const categories = [3, 17, 90].map((id) => ({ id, name: `c${id}` }));
  const images = Array.from({ length: 30 }, (_, i) => {
    const truths: Truth[] = [];
    const detections: ReturnType<typeof detection>[] = [];
    for (let t = Math.floor(uniform(0, 9)); t > 0; t--) {
      const size = 2 ** uniform(3, 8);
      const bbox = [uniform(0, 400), uniform(0, 300), size * uniform(0.5, 1.5), size * uniform(0.5, 1.5)] as const;
      const categoryId = categories[Math.floor(uniform(0, 3))]!.id;
      truths.push(truth(bbox, categoryId, { area: bbox[2] * bbox[3] * uniform(0.4, 1), crowd: uniform(0, 1) < 0.1 }));
      for (let d = Math.floor(uniform(0, 3)); d > 0; d--) {
        const jitter = () => size * uniform(-0.12, 0.12);
        const box = [bbox[0] + jitter(), bbox[1] + jitter(), bbox[2] + jitter(), bbox[3] + jitter()] as const;
        detections.push(detection(box, Math.round(uniform(0.2, 1) * 20) / 20, uniform(0, 1) < 0.85 ? categoryId : 17));
      }
    }
    for (let d = Math.floor(uniform(0, 6)); d > 0; d--) {
      const box = [uniform(0, 400), uniform(0, 300), uniform(5, 150), uniform(5, 150)] as const;
      detections.push(detection(box, Math.round(uniform(0, 0.7) * 20) / 20, categories[Math.floor(uniform(0, 3))]!.id));
    }
    return { id: (i * 7) % 31, truths, detections };
  });
  return { images, categories };
}

describe('bootstrap over images', () => {
  /** Images whose one box is found (score above all misses) or missed with a wrong box. */
  const set = (found: readonly boolean[]): EvaluatedImage[] =>
    found.map((ok, i) => ({
      id: i + 1,
      truths: [truth([0, 0, 50, 50])],
      detections: [detection(ok ? [0, 0, 50, 50] : [200, 200, 50, 50], ok ? 0.9 : 0.1)],
    }));
  const ctx = { seed: 1, cancel: { aborted: false, throwIfAborted() {} } };

  it('weighs images as if they came that often', () => {
    const random = createRandom(5);
    const categories = [1, 2, 3].map((id) => ({ id, name: `c${id}` }));
    const images = Array.from({ length: 12 }, (_, i) => {
      const boxes = Array.from({ length: 4 }, () => [random.int(300), random.int(300), 40 + random.int(40), 40 + random.int(40)] as const);
      return {
        id: i + 1,
        truths: boxes.map((b, k) => truth(b, 1 + (k % 3))),
        detections: boxes.map(([x, y, w, h], k) => detection([x + random.int(12), y, w, h], random.next(), 1 + ((k + random.int(2)) % 3))),
      };
    });
    const ap = weightedAp(images, categories);
    for (let trial = 0; trial < 20; trial++) {
      const times = images.map(() => random.int(4));
      const copies = images.flatMap((image, i) => Array.from({ length: times[i]! }, (_, c) => ({ ...image, id: image.id * 10 + c })));
      expect(ap(times)).toBeCloseTo(cocoMetrics(copies, categories).AP!, 12);
    }
    expect(ap(images.map(() => 0))).toBeNull();
  });

  it('gives the interval that the binomial law gives', async () => {
    // One truth an image, right ones ranked first: AP is the share found, up to the 101-point grid.
    const found = Array.from({ length: 200 }, (_, i) => i % 2 === 0);
    const own = weightedAp(set(found), one);
    const { interval, paired } = await bootstrap(own, null, 200, ctx);
    expect(paired).toBeNull();
    expect(interval!.low).toBeGreaterThan(50 - 2.6 * 3.54);
    expect(interval!.low).toBeLessThan(50 - 1.4 * 3.54);
    expect(interval!.high).toBeGreaterThan(50 + 1.4 * 3.54);
    expect(interval!.high).toBeLessThan(50 + 2.6 * 3.54);
  });

  it('compares pairs: what both miss on the same images is no difference', async () => {
    const found = Array.from({ length: 60 }, (_, i) => i % 3 !== 0);
    const own = weightedAp(set(found), one);
    const same = await bootstrap(own, weightedAp(set(found), one), 60, ctx);
    expect(same.paired).toMatchObject({ difference: 0, kept: 100, differenceInterval: { low: 0, high: 0 } });
    const worse = await bootstrap(weightedAp(set(found.map((ok, i) => ok && i % 5 !== 0)), one), own, 60, ctx);
    expect(worse.paired!.difference).toBeLessThan(-10);
    expect(worse.paired!.differenceInterval.high).toBeLessThan(0);
    const { low, high } = worse.interval!;
    expect(worse.paired!.differenceInterval.high - worse.paired!.differenceInterval.low).toBeLessThan(high - low);
  });

  it('has none for a single image', async () => {
    expect(await bootstrap(weightedAp(set([true]), one), null, 1, ctx)).toEqual({ interval: null, paired: null });
  });
});
