import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph } from '../../src/autodiff';
import { type DetectorSpec, matchFamily } from '../../src/models';
import { createRandom } from '../../src/numerics';
import { type Model, makeModel, node, serializeModel, tensor, valueInfo, withGraph } from '../../src/onnx';
import type { Engine, Tensors } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { MASS, planDistillation } from '../../src/training';
import { tinyYolox } from '../fixtures/tiny-yolox';

let shared: Promise<Engine> | null = null;
const engine = () => (shared ??= createNodeEngine({ threads: 1 }));
afterAll(async () => (await shared)?.dispose());

async function run(model: Model, feeds: Tensors) {
  const session = await (await engine()).create(serializeModel(model), { optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const ce = (z: number, p: number) => Math.log1p(Math.exp(-Math.abs(z))) + Math.max(z, 0) - p * z;

function image(side: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: 3 * side * side }, () => Math.floor(random.next() * 256) / 64);
}

/** Every weight and bias disturbed by a few per cent. */
function disturbed(model: Model, by: number): Model {
  const random = createRandom(5);
  const initializers = new Map(
    [...model.graph.initializers].map(([name, t]) =>
      t.dtype === 'float32' && t.data.length > 1 && t.dims.length !== 1
        ? [name, { ...t, data: Float32Array.from(t.data as Float32Array, (v) => v * (1 + by * random.normal())) }]
        : [name, t],
    ),
  );
  return withGraph(model, { initializers });
}

const modern = (logits: boolean) => tinyYolox({ opset: 13, logits });

describe('distillation of YOLOX', () => {
  it('is 0 where student and teacher agree', async () => {
    const model = modern(false);
    const plan = planDistillation(model, matchFamily(model));
    const images = { images: { dtype: 'float32' as const, dims: [1, 3, 64, 64], data: image(64, 1) } };
    const targets = await run(plan.teacher(model), images);
    expect(Object.keys(targets)).toEqual(plan.targets);
    const { model: student, loss } = plan.student(model);
    expect(Math.abs((await run(student, { ...images, ...targets }))[loss]!.data[0] as number)).toBeLessThan(1e-5);
  });

  it('is the formula, cell by cell, for outputs with and without sigmoid', async () => {
    for (const logits of [false, true]) {
      const model = modern(logits);
      const other = disturbed(model, 0.05);
      const plan = planDistillation(model, matchFamily(model));
      const images = { images: { dtype: 'float32' as const, dims: [1, 3, 64, 64], data: image(64, 2) } };
      const targets = await run(plan.teacher(model), images);
      const { model: student, loss } = plan.student(other);
      const found = (await run(student, { ...images, ...targets }))[loss]!.data[0] as number;
      // The same by hand from the logits [1, cells, 8] of the twin without sigmoids.
      const bare = (m: Model) => withGraph(modern(true), { initializers: m.graph.initializers });
      const t = (await run(bare(model), images)).output!.data as Float32Array;
      const s = (await run(bare(other), images)).output!.data as Float32Array;
      let [sum, mass] = [0, 0];
      for (let i = 0; i < t.length; i += 8) {
        const gate = sigmoid(t[i + 4]!);
        mass += gate;
        sum += ce(s[i + 4]!, gate) - ce(t[i + 4]!, gate);
        let best = 0;
        for (let c = 5; c < 8; c++) {
          const p = sigmoid(t[i + c]!);
          best = Math.max(best, p);
          sum += gate * (ce(s[i + c]!, p) - ce(t[i + c]!, p));
        }
        const confidence = gate * best;
        for (let c = 0; c < 4; c++) sum += (confidence * Math.abs(s[i + c]! - t[i + c]!)) / (c < 2 ? Math.exp(t[i + c + 2]!) : 1);
      }
      expect(targets[MASS]!.data[0]).toBeCloseTo(Math.max(mass, 1), 3);
      expect(found).toBeGreaterThan(1e-3);
      expect(found / (sum / Math.max(mass, 1))).toBeCloseTo(1, 3);
    }
  });

  it('has gradients that finite differences confirm', async () => {
    const model = modern(false);
    const plan = planDistillation(model, matchFamily(model));
    const images = { images: { dtype: 'float32' as const, dims: [1, 3, 64, 64], data: image(64, 3) } };
    const targets = await run(plan.teacher(model), images);
    const { model: student, loss } = plan.student(disturbed(model, 0.3));
    const bias = '/backbone/stem/conv/Conv.bias';
    const { model: training, gradients } = buildTrainingGraph(student, { loss, trainable: [bias] });
    const at = async (values: Float32Array) =>
      run(training, { ...images, ...targets, [bias]: { dtype: 'float32', dims: [12], data: values } });
    const start = student.graph.initializers.get(bias)!.data as Float32Array;
    const slopes = (await at(start))[gradients.get(bias)!]!.data as Float32Array;
    const steepest = slopes.reduce((best, slope, i) => (Math.abs(slope) > Math.abs(slopes[best]!) ? i : best), 0);
    const h = 0.01;
    const moved = async (by: number) => (await at(start.map((v, i) => (i === steepest ? v + by : v))))[loss]!.data[0] as number;
    const measured = ((await moved(h)) - (await moved(-h))) / (2 * h);
    expect(Math.abs(measured)).toBeGreaterThan(0.01);
    expect(Math.abs(slopes[steepest]! / measured - 1)).toBeLessThan(0.02);
  });

  it('adds features by their variance', async () => {
    const model = modern(false);
    const value = '/backbone/dark3/csp/conv3/act/Mul_out';
    const features = { strength: 0.5, tensors: [{ value, variance: new Float32Array(24).fill(4) }] };
    const images = { images: { dtype: 'float32' as const, dims: [1, 3, 64, 64], data: image(64, 4) } };
    const other = disturbed(model, 0.05);
    const loss = async (f: typeof features | null) => {
      const plan = planDistillation(model, matchFamily(model), { features: f });
      const targets = await run(plan.teacher(model), images);
      const { model: student, loss: name } = plan.student(other);
      return (await run(student, { ...images, ...targets }))[name]!.data[0] as number;
    };
    const tap = (m: Model) => withGraph(m, { outputs: [valueInfo(value, 'float32', null)] });
    const [t, s] = [(await run(tap(model), images))[value]!, (await run(tap(other), images))[value]!];
    const squares = (t.data as Float32Array).reduce((sum, x, i) => sum + (x - (s.data as Float32Array)[i]!) ** 2, 0);
    const extra = (0.5 * squares) / 4 / t.data.length;
    expect(((await loss(features)) - (await loss(null))) / extra).toBeCloseTo(1, 3);
  });
});

/** Outputs are a 1×1 convolution of the image, so tests can choose them. */
function outputsOf(names: readonly string[], channels: readonly number[], squash: readonly boolean[], cells: number): Model {
  const random = createRandom(8);
  return makeModel({
    inputs: [valueInfo('x', 'float32', [1, 3, cells, 1])],
    outputs: names.map((name, i) => valueInfo(name, 'float32', [1, cells, channels[i]!])),
    nodes: names.flatMap((name, i) => [
      node('Conv', ['x', `w${i}`], [`c${i}`]),
      ...(squash[i] ? [node('Sigmoid', [`c${i}`], [`p${i}`])] : []),
      node('Reshape', [squash[i] ? `p${i}` : `c${i}`, `shape${i}`], [`r${i}`]),
      node('Transpose', [`r${i}`], [name], { perm: [0, 2, 1] }),
    ]),
    initializers: names.flatMap((_, i) => [
      tensor(
        `w${i}`,
        'float32',
        [channels[i]!, 3, 1, 1],
        Float32Array.from({ length: channels[i]! * 3 }, () => random.normal()),
      ),
      tensor(`shape${i}`, 'int64', [3], BigInt64Array.from([1n, BigInt(channels[i]!), BigInt(cells)])),
    ]),
  });
}

const x = {
  x: { dtype: 'float32' as const, dims: [1, 3, 6, 1], data: Float32Array.from({ length: 18 }, (_, i) => Math.sin(i * 1.7) * 2) },
};

async function lossOf(model: Model, other: Model, spec: DetectorSpec | null): Promise<number> {
  const plan = planDistillation(model, spec);
  const targets = await run(plan.teacher(model), x);
  const { model: student, loss } = plan.student(other);
  return (await run(student, { ...x, ...targets }))[loss]!.data[0] as number;
}

describe('distillation of other networks', () => {
  it('compares plain outputs by their variance', async () => {
    const model = outputsOf(['a', 'b'], [4, 2], [false, false], 6);
    const other = disturbed(model, 0.1);
    const [t, s] = [await run(model, x), await run(other, x)];
    let expected = 0;
    for (const name of ['a', 'b']) {
      const [p, q] = [t[name]!.data as Float32Array, s[name]!.data as Float32Array];
      const mean = p.reduce((a, b) => a + b, 0) / p.length;
      const variance = p.reduce((a, b) => a + (b - mean) ** 2, 0) / p.length;
      expected += p.reduce((a, b, i) => a + (b - q[i]!) ** 2, 0) / p.length / variance;
    }
    expect((await lossOf(model, other, null)) / expected).toBeCloseTo(1, 4);
    expect(await lossOf(model, model, null)).toBe(0);
    const plan = planDistillation(model, null, {
      variances: new Map([
        ['a', 2],
        ['b', 0.5],
      ]),
    });
    const targets = await run(plan.teacher(model), x);
    expect([targets['target/output_0/weight']!.data[0], targets['target/output_1/weight']!.data[0]]).toEqual([0.5, 2]);
  });

  it('weighs NanoDet’s boxes by the scores of their cells', async () => {
    const model = outputsOf(['cls', 'box'], [3, 32], [true, false], 6);
    const spec = {
      family: 'nanodet',
      variant: 'pairs',
      outputs: ['cls', 'box'],
      numClasses: 3,
      sigmoidApplied: true,
    } as unknown as DetectorSpec;
    const initializers = new Map(model.graph.initializers);
    const boxes = initializers.get('w1')!;
    initializers.set('w1', { ...boxes, data: (boxes.data as Float32Array).map((v) => v * 1.1) });
    const other = withGraph(model, { initializers });
    const [t, s] = [await run(model, x), await run(other, x)];
    const scores = t.cls!.data as Float32Array;
    const [p, q] = [t.box!.data as Float32Array, s.box!.data as Float32Array];
    const mean = p.reduce((a, b) => a + b, 0) / p.length;
    const variance = p.reduce((a, b) => a + (b - mean) ** 2, 0) / p.length;
    let [sum, mass] = [0, 0];
    for (let cell = 0; cell < 6; cell++) {
      const confidence = Math.max(...scores.slice(cell * 3, cell * 3 + 3));
      mass += confidence;
      for (let c = 0; c < 32; c++) sum += (confidence * (p[cell * 32 + c]! - q[cell * 32 + c]!) ** 2) / variance;
    }
    expect((await lossOf(model, other, spec)) / (sum / Math.max(mass, 1))).toBeCloseTo(1, 3);
    expect(Math.abs(await lossOf(model, model, spec))).toBeLessThan(1e-6);
  });

  it('knows joined scores and boxes, gates and backgrounds', async () => {
    const cases: readonly [string, Partial<DetectorSpec>, number[], boolean[], string[]][] = [
      ['yolov5', { family: 'yolov5', variant: 'decoded', numClasses: 2 }, [7], [true], ['out']],
      ['nanodet plus', { family: 'nanodet', variant: 'joined', numClasses: 2 }, [34], [true], ['out']],
      ['ultraface', { family: 'ultraface', variant: 'decoded', numClasses: 1 }, [2, 4], [true, false], ['s', 'b']],
    ];
    for (const [label, spec, channels, squash, outputs] of cases) {
      const model = outputsOf(outputs, channels, squash, 6);
      const whole = { ...spec, outputs, sigmoidApplied: true, endNodes: [], protectedNodes: [], levels: [] } as unknown as DetectorSpec;
      expect(Math.abs(await lossOf(model, model, whole)), label).toBeLessThan(1e-5);
      const [little, much] = [await lossOf(model, disturbed(model, 0.05), whole), await lossOf(model, disturbed(model, 0.5), whole)];
      expect(little, label).toBeGreaterThan(1e-5);
      expect(much, label).toBeGreaterThan(2 * little);
    }
  });

  it('refuses a network without a float output', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 2])],
      outputs: [valueInfo('y', 'int64', [1])],
      nodes: [node('ArgMax', ['x'], ['y'], { axis: 1, keepdims: 0 })],
    });
    expect(() => planDistillation(model, null)).toThrow('no floating-point output');
  });
});
