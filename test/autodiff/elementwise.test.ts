import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { node, tensor } from '../../src/onnx';
import { createNodeEngine } from '../../src/runtime/node';
import { apart, type Case, checkGradients, normal, type Value } from './differences';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

async function expectGradients(c: Case, tolerance = 2e-4): Promise<void> {
  const { worst, where } = await checkGradients(engine, c);
  expect(worst, where).toBeLessThan(tolerance);
}

const positive = (v: Value): Value => ({ dims: v.dims, data: v.data.map((x) => 0.5 + Math.abs(x) / 2) });
const shape = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });

/** Shapes that broadcast to a common one: each has some of its axes as 1, and may lack leading ones. */
const broadcastable = (count: number) =>
  shape.chain((dims) =>
    fc.tuple(
      ...Array.from({ length: count }, () =>
        fc
          .tuple(fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }), fc.integer({ min: 0, max: dims.length - 1 }))
          .map(([ones, cut]) => dims.map((d, i) => (ones[i] ? 1 : d)).slice(cut)),
      ),
    ),
  );

type Change = (v: Value) => Value;
const same: Change = (v) => v;

/** Operator, attributes, what is done to the sampled values, opset. */
const UNARY: readonly (readonly [string, Record<string, number>, Change?, number?])[] = [
  ['Relu', {}],
  ['LeakyRelu', { alpha: 0.3 }],
  ['HardSwish', {}, undefined, 14],
  ['HardSigmoid', { alpha: 0.21, beta: 0.4 }, (v) => ({ ...v, data: v.data.map((x) => x * 0.3 + 0.01) })],
  ['Sigmoid', {}],
  ['Tanh', {}],
  ['Softplus', {}],
  ['Erf', {}],
  ['Elu', { alpha: 0.7 }],
  ['Selu', {}],
  ['Softsign', {}],
  ['Mish', {}, undefined, 18],
  ['Gelu', {}, undefined, 20],
  ['Exp', {}, (v) => ({ ...v, data: v.data.map((x) => x / 2) })],
  ['Log', {}, positive],
  ['Sqrt', {}, positive],
  ['Reciprocal', {}, positive],
  ['Neg', {}],
  ['Abs', {}],
  ['Sin', {}],
  ['Cos', {}],
  ['Identity', {}],
  ['Dropout', {}],
];

describe('gradients of functions of one value', () => {
  it.each(UNARY.map(([op, ...rest]) => ({ op, rest })))('$op', async ({ op, rest: [attributes, change = same, opset = 13] }) => {
    const x = change(apart([2, 3, 4], 3));
    await expectGradients({ nodes: [node(op, ['x'], ['y'], attributes)], inputs: { x }, opset });
  });

  it('Gelu with tanh', () =>
    expectGradients({ nodes: [node('Gelu', ['x'], ['y'], { approximate: 'tanh' })], inputs: { x: apart([12], 1) }, opset: 20 }));

  it.each([
    ['x', 's'],
    ['s', 'x'],
  ])('SiLU as %s · %s, in four nodes', async (a, b) => {
    const nodes = [node('Sigmoid', ['x'], ['s']), node('Mul', [a, b], ['y'])];
    const { worst, where, nodes: built } = await checkGradients(engine, { nodes, inputs: { x: normal([2, 7], 1) } });
    expect(worst, where).toBeLessThan(1e-4);
    expect(built.filter((n) => n.name.startsWith('y/grad')).map((n) => n.op)).toEqual(['Sub', 'Mul', 'Add', 'Mul']);
  });

  it('a sigmoid that SiLU shares with another reader', () =>
    expectGradients({
      nodes: [node('Sigmoid', ['x'], ['s']), node('Mul', ['x', 's'], ['y']), node('Exp', ['s'], ['z'])],
      inputs: { x: normal([9], 5) },
      outputs: ['y', 'z'],
    }));

  it('Clip, and its bounds where they are trained', () =>
    expectGradients({
      nodes: [node('Clip', ['x', 'low', 'high'], ['y'])],
      inputs: { x: apart([3, 5], 2), low: { dims: [], data: Float32Array.of(-1) }, high: { dims: [], data: Float32Array.of(1) } },
    }));

  it.each([[[4]], [[1, 3, 1]], [[2, 3, 4]]])('PRelu with slopes %j', (dims) =>
    expectGradients({ nodes: [node('PRelu', ['x', 'slope'], ['y'])], inputs: { x: apart([2, 3, 4], 9), slope: normal(dims, 2) } }),
  );
});

describe('gradients of broadcasting arithmetic', () => {
  const two: readonly { op: string; first?: Change; second?: Change }[] = [
    { op: 'Add' },
    { op: 'Sub' },
    { op: 'Mul' },
    { op: 'Div', second: positive },
    { op: 'Pow', first: positive },
  ];
  it.each(two)('$op', async ({ op, first = same, second = same }) => {
    await fc.assert(
      fc.asyncProperty(broadcastable(2), fc.integer({ min: 1, max: 99 }), async ([a, b], seed) => {
        const inputs = { a: first(normal(a!, seed)), b: second(normal(b!, seed + 100)) };
        await expectGradients({ nodes: [node(op, ['a', 'b'], ['y'])], inputs });
      }),
      { numRuns: 12 },
    );
  });

  it.each(['Max', 'Min', 'Sum', 'Mean'])('%s of several', async (op) => {
    await fc.assert(
      fc.asyncProperty(broadcastable(3), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 99 }), async (dims, count, seed) => {
        // Values of all inputs are apart from each other: one set of places, dealt out.
        const sizes = dims.slice(0, count).map((d) => d.reduce((a, b) => a * b, 1));
        const places = apart([sizes.reduce((a, b) => a + b)], seed).data;
        let start = 0;
        const inputs = Object.fromEntries(
          sizes.map((n, i) => [`x${i}`, { dims: dims[i]!, data: places.slice(start, (start += n)) }] as const),
        );
        await expectGradients({ nodes: [node(op, Object.keys(inputs), ['y'])], inputs });
      }),
      { numRuns: 10 },
    );
  });

  it('Max of equal values gives each gradient once', async () => {
    const equal = { dims: [3], data: Float32Array.of(1, 2, 3) };
    const { gradients } = await checkGradients(engine, {
      nodes: [node('Max', ['a', 'b', 'c'], ['y'])],
      inputs: { a: equal, b: equal, c: equal },
    });
    const weight = normal([3], 77).data;
    expect([...(gradients.a!.data as Float32Array)]).toEqual([...weight]);
    expect([...(gradients.b!.data as Float32Array), ...(gradients.c!.data as Float32Array)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it.each([2, 3, 0.5, -1])('Pow with the constant exponent %d', (p) =>
    expectGradients({
      nodes: [node('Pow', ['x', 'p'], ['y'])],
      inputs: { x: positive(normal([7], 3)) },
      initializers: [tensor('p', 'float32', [], Float32Array.of(p))],
    }),
  );

  it('a value multiplied by itself', () => expectGradients({ nodes: [node('Mul', ['x', 'x'], ['y'])], inputs: { x: normal([5], 4) } }));

  it('Where', async () => {
    await fc.assert(
      fc.asyncProperty(broadcastable(3), fc.integer({ min: 1, max: 99 }), async ([c, a, b], seed) => {
        const condition = tensor(
          'c',
          'bool',
          c!,
          Uint8Array.from(normal(c!, seed).data, (v) => (v > 0 ? 1 : 0)),
        );
        await expectGradients({
          nodes: [node('Where', ['c', 'a', 'b'], ['y'])],
          inputs: { a: normal(a!, seed + 1), b: normal(b!, seed + 2) },
          initializers: [condition],
        });
      }),
      { numRuns: 10 },
    );
  });

  it('a value that several layers read, one of which is flat', () =>
    expectGradients({
      nodes: [
        node('Exp', ['x'], ['a']),
        node('Mul', ['a', 'x'], ['b']),
        node('Floor', ['a'], ['f']),
        node('Mul', ['f', 'b'], ['c']),
        node('Sub', ['c', 'a'], ['y']),
      ],
      inputs: { x: { dims: [4], data: Float32Array.of(0.3, -0.4, 0.9, 1.2) } },
    }));

  it('Cast between floats passes the gradient, to an integer none', () =>
    expectGradients({
      nodes: [
        node('Cast', ['x'], ['same'], { to: 1 }),
        node('Cast', ['x'], ['whole'], { to: 6 }),
        node('Cast', ['whole'], ['back'], { to: 1 }),
        node('Mul', ['same', 'back'], ['y']),
      ],
      inputs: { x: { dims: [3], data: Float32Array.of(1.5, 2.4, -3.3) } },
    }));
});
