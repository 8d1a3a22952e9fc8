import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { buildTrainingGraph, type FakeQuantForm, type FakeQuantGradient, fakeQuantNode, lowerFakeQuant } from '../../src/autodiff';
import { roundHalfEven } from '../../src/numerics';
import { makeModel, node, serializeModel, tensor, valueInfo } from '../../src/onnx';
import { createNodeEngine } from '../../src/runtime/node';
import { checkGradients, normal } from './differences';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

const FORMS: readonly FakeQuantForm[] = ['pairs', 'arithmetic'];
const f32 = (dims: readonly number[], values: ArrayLike<number>) => ({ dtype: 'float32' as const, dims, data: Float32Array.from(values) });

interface Setting {
  readonly values: readonly number[];
  readonly logScale: number;
  readonly zeroPoint: number;
  readonly range: readonly [number, number];
}

/** The loss Σ weight·FakeQuant(x) of one value tensor. */
function network({ values, range: [qmin, qmax] }: Setting, gradient: FakeQuantGradient, parameter: readonly number[] = []) {
  const n = values.length;
  return makeModel({
    inputs: [
      valueInfo('x', 'float32', [n]),
      valueInfo('weight', 'float32', [n]),
      valueInfo('log', 'float32', parameter),
      valueInfo('zero', 'float32', parameter),
    ],
    outputs: [valueInfo('loss', 'float32', [])],
    nodes: [
      fakeQuantNode('x', 'log', 'zero', 'y', { qmin, qmax, gradient }),
      node('Mul', ['y', 'weight'], ['weighted']),
      node('ReduceSum', ['weighted'], ['loss'], { keepdims: 0 }),
    ],
  });
}

/** The definition (laboratory notes, "fake quant node"), in float64 but for the division that decides the code. */
function expected({ values, zeroPoint, range: [qmin, qmax] }: Setting, weight: ArrayLike<number>, scale: number) {
  const z = roundHalfEven(Math.min(Math.max(zeroPoint, qmin), qmax));
  let [toLog, toZero] = [0, 0];
  const dx = values.map((v, i) => {
    const t = Math.fround(v / scale);
    const r = roundHalfEven(t);
    const g = weight[i]!;
    const [below, above] = [r + z < qmin, r + z > qmax];
    if (below || above) {
      toLog += g * scale * ((below ? qmin : qmax) - z);
      toZero -= g * scale;
      return 0;
    }
    toLog += g * (r * scale - v);
    return g;
  });
  return { dx, toLog, toZero };
}

const setting = fc.record({
  values: fc.array(fc.double({ min: -40, max: 40, noNaN: true }).map(Math.fround), { minLength: 1, maxLength: 40 }),
  logScale: fc.double({ min: -4, max: 0.5, noNaN: true }).map(Math.fround),
  zeroPoint: fc.double({ min: -20, max: 280, noNaN: true }).map(Math.fround),
  range: fc.constantFrom([0, 255] as const, [-128, 127] as const, [-127, 127] as const, [0, 15] as const),
});

describe('FakeQuant forward', () => {
  it.each(FORMS)('as %s is QuantizeLinear and DequantizeLinear at the same scale and zero point', async (form) => {
    const pair = makeModel({
      inputs: [valueInfo('x', 'float32', [2000]), valueInfo('s', 'float32', []), valueInfo('z', 'uint8', [])],
      outputs: [valueInfo('y', 'float32', [2000])],
      nodes: [node('QuantizeLinear', ['x', 's', 'z'], ['q']), node('DequantizeLinear', ['q', 's', 'z'], ['y'])],
    });
    const mine = makeModel({
      inputs: [valueInfo('x', 'float32', [2000]), valueInfo('log', 'float32', []), valueInfo('zero', 'float32', [])],
      outputs: [valueInfo('y', 'float32', [2000]), valueInfo('s', 'float32', [])],
      nodes: [fakeQuantNode('x', 'log', 'zero', 'y', { qmin: 0, qmax: 255, gradient: 'lsq' }), node('Exp', ['log'], ['s'])],
    });
    const [reference, session] = [
      await engine.create(serializeModel(pair), { optimization: 'disabled' }),
      await engine.create(serializeModel(lowerFakeQuant(mine, form))),
    ];
    for (const [log, zero, code] of [
      [-2.1, 0, 0],
      [-3, 31.5, 32],
      [Math.log(0.125), 30.5, 30],
      [-1, 300, 255],
      [-1, -3, 0],
    ] as const) {
      // Ties included: multiples of half a step where the scale is a power of two.
      const x = f32(
        [2000],
        Array.from({ length: 2000 }, (_, i) => (i - 1000) / 16),
      );
      const { y, s } = await session.run({ x, log: f32([], [log]), zero: f32([], [zero]) });
      const { y: wanted } = await reference.run({ x, s: s!, z: { dtype: 'uint8', dims: [], data: Uint8Array.of(code) } });
      const difference = (wanted!.data as Float32Array).reduce((worst, v, i) => Math.max(worst, Math.abs(v - Number(y!.data[i]))), 0);
      expect(difference).toBe(0);
    }
    await reference.release();
    await session.release();
  });
});

describe('FakeQuant gradients', () => {
  it.each(FORMS)('as %s follow the definition for lsq, pact and ste', async (form) => {
    await fc.assert(
      fc.asyncProperty(
        setting,
        fc.constantFrom('lsq', 'pact', 'ste') as fc.Arbitrary<FakeQuantGradient>,
        fc.boolean(),
        async (s, gradient, vector) => {
          const dims = vector ? [1] : [];
          const trainable = gradient === 'ste' ? ['x'] : ['x', 'log', 'zero'];
          const model = network(s, gradient, dims);
          const scaleModel = makeModel({
            inputs: [valueInfo('log', 'float32', [])],
            outputs: [valueInfo('s', 'float32', [])],
            nodes: [node('Exp', ['log'], ['s'])],
          });
          const built = buildTrainingGraph(model, { loss: 'loss', trainable, fakeQuant: form });
          const weight = normal([s.values.length], 5).data;
          const session = await engine.create(serializeModel(built.model));
          const exp = await engine.create(serializeModel(scaleModel));
          const scale = Number((await exp.run({ log: f32([], [s.logScale]) })).s!.data[0]);
          // A value on the edge of the range within float32's reach may count to either side.
          const z = roundHalfEven(Math.min(Math.max(s.zeroPoint, s.range[0]), s.range[1]));
          const edges = s.range.map((q, i) => (q - z + (i === 0 ? -0.5 : 0.5)) * scale);
          fc.pre(s.values.every((v) => edges.every((edge) => Math.abs(v - edge) > 1e-4 * scale * 255)));
          const answers = await session.run({
            x: f32([s.values.length], s.values),
            weight: f32([s.values.length], weight),
            log: f32(dims, [s.logScale]),
            zero: f32(dims, [s.zeroPoint]),
          });
          await session.release();
          await exp.release();
          const { dx, toLog, toZero } = expected(s, weight, scale);
          const of = (name: string) => answers[built.gradients.get(name)!]!;
          expect([...(of('x').data as Float32Array)].map((v) => v + 0)).toEqual(dx);
          if (gradient === 'ste') return;
          const clipped = expected(
            { ...s, values: s.values.filter((_, i) => dx[i] === 0) },
            weight.filter((_, i) => dx[i] === 0),
            scale,
          );
          const size = 1 + s.values.reduce((sum, v, i) => sum + Math.abs(v * weight[i]!), 0);
          expect(Math.abs(Number(of('log').data[0]) - (gradient === 'pact' ? clipped.toLog : toLog)) / size).toBeLessThan(1e-5);
          expect(Math.abs(Number(of('zero').data[0]) - toZero) / size).toBeLessThan(1e-5);
          expect([of('log').dims, of('zero').dims]).toEqual([dims, dims]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('per channel, with a zero point or without', async () => {
    for (const zero of ['zero', '']) {
      const c = {
        nodes: [fakeQuantNode('x', 'log', zero, 'y', { qmin: -127, qmax: 127, gradient: 'lsq', axis: 1 })],
        // Far beyond the range the rounded value is smooth in the scale: finite differences apply.
        inputs: {
          x: { dims: [2, 3, 2], data: Float32Array.from(normal([12], 3).data, (v) => 900 * Math.sign(v) + v) },
          log: normal([3], 4, 0.2),
          ...(zero ? { zero: { dims: [3], data: Float32Array.of(3, -2, 0) } } : {}),
        },
        trainable: ['x', 'log'],
      };
      const { worst, where } = await checkGradients(engine, c);
      expect(worst, where).toBeLessThan(2e-4);
    }
  });

  it('an optimized session gives the same as one that is not', async () => {
    const s = { values: [...normal([400], 9, 3).data], logScale: -3, zeroPoint: 100, range: [0, 255] as const };
    const built = buildTrainingGraph(network(s, 'lsq'), { loss: 'loss', trainable: ['x', 'log', 'zero'] });
    const feeds = { x: f32([400], s.values), weight: f32([400], normal([400], 2).data), log: f32([], [-3]), zero: f32([], [100]) };
    const answers = await Promise.all(
      (['disabled', 'all'] as const).map(async (optimization) =>
        (await engine.create(serializeModel(built.model), { optimization })).run(feeds),
      ),
    );
    expect(answers[1]).toEqual(answers[0]);
  });

  it('a malformed node is refused', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [2])],
      outputs: [valueInfo('y', 'float32', [2])],
      nodes: [{ ...node('FakeQuant', ['x', 's'], ['y'], { qmin: 0 }), domain: 'bonsai' }],
      initializers: [tensor('s', 'float32', [], Float32Array.of(0))],
    });
    expect(() => lowerFakeQuant(model)).toThrow('y (FakeQuant) needs a value, a log scale, qmin, qmax');
  });
});
