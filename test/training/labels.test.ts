import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph } from '../../src/autodiff';
import type { GroundTruth } from '../../src/data';
import { buildDetector, type DetectorSpec, matchFamily } from '../../src/models';
import { createRandom } from '../../src/numerics';
import { type Model, serializeModel, valueInfo, withGraph } from '../../src/onnx';
import type { Engine, RunTensor, Tensors } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { joinLosses, joinSources, type LabelWeights, planDistillation, planLabels, teacherSource } from '../../src/training';
import { tinyYolox } from '../fixtures/tiny-yolox';

let shared: Promise<Engine> | null = null;
const engine = () => (shared ??= createNodeEngine({ threads: 1 }));
afterAll(async () => (await shared)?.dispose());

const BATCH = 2;
const SIZE = { channels: [8, 8, 8, 16, 16], head: 8, depth: [1, 1, 1, 1], classNames: ['a', 'b', 'c'], kind: 'dense' } as const;
const IDS = [7, null, 9];
const ALL: LabelWeights = { iou: 5, objectness: 1, class: 1, l1: 0.5 };

const truth = (x: number, y: number, w: number, h: number, categoryId: number, crowd = false): GroundTruth => ({
  bbox: [x, y, w, h],
  categoryId,
  area: w * h,
  crowd,
});
const TRUTHS = [[truth(3, 5, 20, 24, 7), truth(30, 20, 30, 40, 9), truth(0, 0, 64, 64, 8)], [truth(40, 2, 12, 10, 9)]];

function detector(normalization: 'batch' | 'constants', batch = BATCH): Model {
  return buildDetector({ ...SIZE, width: 64, height: 64, batch, normalization, seed: 3 });
}

function images(): Tensors {
  const random = createRandom(1);
  const data = Float32Array.from({ length: BATCH * 3 * 64 * 64 }, () => Math.floor(256 * random.next()));
  return { images: { dtype: 'float32', dims: [BATCH, 3, 64, 64], data } };
}

const trainable = (model: Model): string[] =>
  [...model.graph.initializers.values()]
    .filter(({ name, dtype }) => dtype === 'float32' && /\.(weight|bias)$/.test(name))
    .map((t) => t.name);

/** Weights as inputs, and their values. */
function opened(model: Model): {
  model: Model;
  values: Record<string, Float32Array>;
  feeds: (values: Readonly<Record<string, Float32Array>>) => Tensors;
} {
  const names = trainable(model);
  const tensors = names.map((name) => model.graph.initializers.get(name)!);
  return {
    model: withGraph(model, {
      inputs: [...model.graph.inputs, ...tensors.map(({ name, dims }) => valueInfo(name, 'float32', dims))],
      initializers: new Map([...model.graph.initializers].filter(([name]) => !names.includes(name))),
    }),
    values: Object.fromEntries(tensors.map(({ name, data }) => [name, data as Float32Array])),
    feeds: (values) =>
      Object.fromEntries(tensors.map(({ name, dims }) => [name, { dtype: 'float32', dims, data: values[name]! } as RunTensor])),
  };
}

async function run(model: Model, feeds: Tensors) {
  const session = await (await engine()).create(serializeModel(model), { optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const spec = (): DetectorSpec => matchFamily(detector('constants', 1))!;
const plan = (weights = ALL) => planLabels(detector('constants', 1), spec(), { categoryIds: IDS, weights });

async function prepared(weights = ALL) {
  const labels = plan(weights);
  const { model, values, feeds } = opened(detector('batch'));
  const source = await labels.source(await engine(), model, feeds);
  try {
    const { feeds: targets, mass } = await source.targets({ images: images(), truths: TRUTHS }, values);
    return { labels, model, values, feeds, targets, mass };
  } finally {
    await source.release();
  }
}

const softplus = (z: number) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0);

describe('loss on labels', () => {
  it('is the formula, cell by cell', async () => {
    const { labels, model, values, feeds, targets, mass } = await prepared();
    const { model: student, loss, parts } = labels.student(model);
    const shown = withGraph(student, {
      outputs: [loss, ...Object.values(parts), 'labels/answers'].map((n) => valueInfo(n, 'float32', null)),
    });
    const found = await run(shown, { ...images(), ...feeds(values), ...targets });
    const z = found['labels/answers']!.data as Float32Array;
    const positive = targets['labels/positive']!.data;
    const [cells, channels] = [84, 8];
    const sums = { iou: 0, objectness: 0, class: 0, l1: 0 };
    let count = 0;
    for (let n = 0; n < BATCH; n++)
      for (let i = 0; i < cells; i++) {
        const at = (c: number) => z[(n * channels + c) * cells + i]!;
        const is = Number(positive[n * cells + i]);
        sums.objectness += softplus(at(4)) - at(4) * is;
        if (!is) continue;
        count++;
        const [stride, first, side] = i < 64 ? [8, 0, 8] : i < 80 ? [16, 64, 4] : [32, 80, 2];
        const [col, row] = [(i - first) % side, Math.floor((i - first) / side)];
        const box = (c: number) => Number(targets['labels/boxes']!.data[(n * 4 + c) * cells + i]);
        const edges = (v: (c: number) => number) => {
          const [x, y, w, h] = [(v(0) + col) * stride, (v(1) + row) * stride, Math.exp(v(2)) * stride, Math.exp(v(3)) * stride];
          return { x1: x - w / 2, y1: y - h / 2, x2: x + w / 2, y2: y + h / 2, area: w * h };
        };
        const [a, b] = [edges(at), edges(box)];
        // The label itself comes back from its target.
        const known = TRUTHS[n]!.map((t) => t.bbox);
        expect(known.some(([x, y, w, h]) => Math.hypot(b.x1 - x, b.y1 - y, b.x2 - x - w, b.y2 - y - h) < 1e-3)).toBe(true);
        const inter = Math.max(0, Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1)) * Math.max(0, Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1));
        const iou = inter / (a.area + b.area - inter);
        sums.iou += 1 - iou * iou;
        for (let c = 0; c < 3; c++) {
          const target = Number(targets['labels/classes']!.data[(n * 3 + c) * cells + i]);
          if (target !== 0) expect(target).toBeCloseTo(iou, 4);
          sums.class += softplus(at(5 + c)) - at(5 + c) * target;
        }
        for (let c = 0; c < 4; c++) sums.l1 += Math.abs(at(c) - box(c));
      }
    expect(count).toBe(mass);
    // Two of the first image's boxes have a class here, the third's is not known; one in the second.
    expect(count).toBeGreaterThanOrEqual(3);
    let total = 0;
    for (const part of ['iou', 'objectness', 'class', 'l1'] as const) {
      const expected = (ALL[part] * sums[part]) / count;
      total += expected;
      expect(found[parts[part]!]!.data[0]! as number, part).toBeCloseTo(expected, 3);
    }
    expect(found[loss]!.data[0]! as number).toBeCloseTo(total, 2);
  });

  it.each(['iou', 'objectness', 'class', 'l1'] as const)('has the gradient of finite differences: %s', async (part) => {
    const only = { iou: 0, objectness: 0, class: 0, l1: 0, [part]: 1 } as LabelWeights;
    const { labels, model, values, feeds, targets } = await prepared(only);
    const { model: student, loss } = labels.student(model);
    const names = Object.keys(values).filter(
      (name) => /^heads\.|^stem/.test(name) && (part === 'iou' || part === 'l1' ? !/cls|obj/.test(name) : true),
    );
    const wanted = names.filter((name) =>
      part === 'class' ? !/reg|obj/.test(name) : part === 'objectness' ? !/cls|\.reg\./.test(name) : true,
    );
    const built = buildTrainingGraph(student, { loss, trainable: wanted });
    const all = { ...images(), ...feeds(values), ...targets };
    const gradients = await run(built.model, all);
    const gradient = (name: string) => gradients[built.gradients.get(name)!]!.data as Float32Array;
    let squares = 0;
    for (const name of wanted) for (const g of gradient(name)) squares += g * g;
    const norm = Math.sqrt(squares);
    expect(norm).toBeGreaterThan(0);
    // Along the gradient the loss rises by its length. The stem sees 0…255, so that larger steps leave the straight part.
    const step = 3e-5;
    const at = async (sign: number): Promise<number> => {
      const moved = Object.fromEntries(
        wanted.map((name) => [name, values[name]!.map((v, i) => v + (sign * step * gradient(name)[i]!) / norm)]),
      );
      return Number((await run(student, { ...all, ...feeds({ ...values, ...moved }) }))[loss]!.data[0]);
    };
    expect(((await at(1)) - (await at(-1))) / (2 * step) / norm).toBeCloseTo(1, 2);
  });

  it('knows no labels: only objectness remains, and nothing is to be found', async () => {
    const labels = plan();
    const { model, values, feeds } = opened(detector('batch'));
    const source = await labels.source(await engine(), model, feeds);
    const { feeds: targets, mass } = await source.targets({ images: images(), truths: [[], [truth(1, 1, 20, 20, 7, true)]] }, values);
    await source.release();
    expect(mass).toBe(1);
    expect((targets['labels/positive']!.data as Float32Array).every((v) => v === 0)).toBe(true);
    const { model: student, loss, parts } = labels.student(model);
    const shown = withGraph(student, { outputs: [loss, parts.objectness!].map((n) => valueInfo(n, 'float32', null)) });
    const found = await run(shown, { ...images(), ...feeds(values), ...targets });
    expect(found[loss]!.data[0]).toBeGreaterThan(0);
    expect(found[loss]!.data[0]).toBe(found[parts.objectness!]!.data[0]);
  });

  it('refuses other families and batches without labels', async () => {
    expect(() => planLabels(detector('constants', 1), { ...spec(), family: 'yolov8' }, { categoryIds: IDS })).toThrow(
      /YOLOX family only; this one is yolov8/,
    );
    expect(() => planLabels(detector('constants', 1), null, { categoryIds: IDS })).toThrow(/no known detector/);
    const { model, values, feeds } = opened(detector('batch'));
    const source = await plan().source(await engine(), model, feeds);
    await expect(source.targets({ images: images() }, values)).rejects.toThrow(/A batch of 2 images came with labels of 0/);
    await source.release();
  });
});

describe('several losses', () => {
  it('add up by their weights', async () => {
    const model = tinyYolox({ opset: 13 });
    const own = matchFamily(model)!;
    const distillation = planDistillation(model, own);
    const labels = planLabels(model, own, { categoryIds: [1, 2, 3] });
    const open = opened(model);
    const teacher = await teacherSource(await engine(), distillation.teacher(model));
    const source = joinSources([teacher, await labels.source(await engine(), open.model, open.feeds)]);
    expect(source.moving).toBe(true);
    const random = createRandom(2);
    const data = Float32Array.from({ length: 3 * 64 * 64 }, () => Math.floor(256 * random.next()) / 64);
    const batch = { images: { images: { dtype: 'float32', dims: [1, 3, 64, 64], data } as RunTensor }, truths: [[truth(4, 4, 30, 30, 2)]] };
    const values = Object.fromEntries(Object.entries(open.values).map(([name, v]) => [name, v.map((x) => 1.05 * x)]));
    const { feeds: targets, mass } = await source.targets(batch, values);
    await source.release();
    const all = { ...batch.images, ...open.feeds(values), ...targets };
    const value = async ({ model: student, loss }: { model: Model; loss: string }) => Number((await run(student, all))[loss]!.data[0]);
    const a = await value(distillation.student(open.model));
    const b = await value(labels.student(open.model));
    const joined = joinLosses([
      { weight: 1, student: distillation.student },
      { weight: 0.3, student: labels.student },
      { weight: 0, student: () => expect.fail('a loss of weight 0 is not built') },
    ]);
    const made = joined.student(open.model);
    expect(a).toBeGreaterThan(0);
    expect(await value(made)).toBeCloseTo(a + 0.3 * b, 4);
    expect(Object.keys(made.parts)).toEqual(['classification', 'localization', 'iou', 'objectness', 'class']);
    expect(mass).toBeGreaterThanOrEqual(1);
    // It can be trained: the gradient by a weight is the weighted sum too.
    const name = Object.keys(open.values)[0]!;
    const of = async (loss: { model: Model; loss: string }) => {
      const built = buildTrainingGraph(loss.model, { loss: loss.loss, trainable: [name] });
      return (await run(built.model, all))[built.gradients.get(name)!]!.data as Float32Array;
    };
    const [whole, first, second] = [await of(made), await of(distillation.student(open.model)), await of(labels.student(open.model))];
    whole.forEach((g, i) => {
      expect(g).toBeCloseTo(first[i]! + 0.3 * second[i]!, 4);
    });
    expect(() => joinLosses([{ weight: 0, student: labels.student }])).toThrow(/Every loss has the weight 0/);
  });
});
