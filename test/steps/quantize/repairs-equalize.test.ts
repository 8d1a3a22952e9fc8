/** Equalization: outputs stay, ranges agree, and what can't be equalized exactly is left alone with its reason. */
import { afterAll, describe, expect, it } from 'vitest';
import { absMax } from '../../../src/numerics';
import { type Model, makeModel, type Node, node, type Tensor } from '../../../src/onnx';
import { equalize } from '../../../src/steps/quantize/equalize';
import { createRandom, engine, f32, feed, normals, quantized, run, sqnr, value } from './helpers';

const random = createRandom(11);
afterAll(async () => (await engine()).dispose());

const C = 6;
/** Output channels whose weights differ by orders, as BatchNorm-folded networks have them. */
function uneven(name: string, dims: readonly number[]): Tensor[] {
  const n = dims.reduce((a, b) => a * b, 1);
  const per = n / dims[0]!;
  const scale = (i: number): number => 10 ** ((i % 5) - 2);
  const data = normals(random, n).map((v, i) => v * scale(Math.floor(i / per)));
  return [
    f32(name, dims, data),
    f32(
      `${name}b`,
      [dims[0]!],
      normals(random, dims[0]!).map((v, i) => v * scale(i)),
    ),
  ];
}

function conv(x: string, w: string, y: string, attributes = {}): Node {
  return node('Conv', [x, w, `${w}b`], [y], attributes);
}

const PADDED = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/** Conv → act → depthwise → act → Conv. */
function chain(act: (x: string, y: string) => readonly Node[], extra: readonly Tensor[] = []): Model {
  return makeModel({
    inputs: [value('x', [1, 3, 8, 8])],
    outputs: [value('y', [1, 4, 8, 8])],
    nodes: [
      conv('x', 'w1', 'a', PADDED),
      ...act('a', 'b'),
      conv('b', 'w2', 'c', { ...PADDED, group: C }),
      ...act('c', 'd'),
      conv('d', 'w3', 'y'),
    ],
    initializers: [...uneven('w1', [C, 3, 3, 3]), ...uneven('w2', [C, 1, 3, 3]), ...uneven('w3', [4, C, 1, 1]), ...extra],
  });
}

const input = () => ({ x: feed([1, 3, 8, 8], normals(random, 192)) });

async function relativeChange(a: Model, b: Model): Promise<number> {
  const one = input();
  const [p, q] = [(await run(a, one)).y!.data, (await run(b, one)).y!.data];
  let [worst, scale] = [0, 0];
  for (let i = 0; i < p.length; i++) {
    worst = Math.max(worst, Math.abs(Number(p[i]) - Number(q[i])));
    scale = Math.max(scale, Math.abs(Number(p[i])));
  }
  return worst / scale;
}

const data = (model: Model, name: string): Float32Array => model.graph.initializers.get(name)!.data as Float32Array;

describe('exact in between', () => {
  it.each([
    ['Relu', (x: string, y: string) => [node('Relu', [x], [y])], []],
    ['LeakyRelu', (x: string, y: string) => [node('LeakyRelu', [x], [y], { alpha: 0.1 })], []],
    ['PRelu', (x: string, y: string) => [node('PRelu', [x, 'slope'], [y])], [f32('slope', [C, 1, 1], normals(random, C))]],
    ['Relu and MaxPool', (x: string, y: string) => [node('Relu', [x], [`${y}r`]), node('MaxPool', [`${y}r`], [y], PADDED)], []],
  ] as const)('%s: outputs stay, ranges of both sides agree', async (_, act, extra) => {
    const model = chain(act, extra);
    const { model: even, notes } = equalize(model);
    expect(await relativeChange(model, even)).toBeLessThan(1e-4);
    const [w1, w2, w3] = ['w1', 'w2', 'w3'].map((name) => even.graph.initializers.get(name)!);
    const out1 = absMax({ dims: w1!.dims, data: data(even, 'w1') }, 0);
    const both2 = absMax({ dims: w2!.dims, data: data(even, 'w2') }, 0);
    const in3 = absMax({ dims: w3!.dims, data: data(even, 'w3') }, 1);
    for (let c = 0; c < C; c++) {
      expect(out1[c]! / both2[c]!).toBeCloseTo(1, 2);
      expect(both2[c]! / in3[c]!).toBeCloseTo(1, 2);
    }
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^Channel ranges of 2 pairs of layers were evened out \(the worst channel by a factor of \d+(\.\d)?\)\.$/);
  });

  it('helps weights with one scale a layer, where channels were scaled apart for nothing', async () => {
    const base = chain((x, y) => [node('Relu', [x], [y])]);
    const [f, g] = [0, 1].map(() => Array.from({ length: C }, () => 10 ** (random.next() * 3 - 1.5))) as [number[], number[]];
    // Even weights, then every channel's factor put in by one layer and taken out by the next.
    const plain = (dims: readonly number[]) =>
      normals(
        random,
        dims.reduce((p, d) => p * d, 1),
      );
    const initializers = new Map(base.graph.initializers);
    const set = (name: string, dims: readonly number[], values: Float32Array) => initializers.set(name, f32(name, dims, values));
    set(
      'w1',
      [C, 3, 3, 3],
      plain([C, 3, 3, 3]).map((v, i) => v * f[Math.floor(i / 27)]!),
    );
    set(
      'w1b',
      [C],
      plain([C]).map((v, c) => v * f[c]!),
    );
    set(
      'w2',
      [C, 1, 3, 3],
      plain([C, 1, 3, 3]).map((v, i) => (v * g[Math.floor(i / 9)]!) / f[Math.floor(i / 9)]!),
    );
    set(
      'w2b',
      [C],
      plain([C]).map((v, c) => v * g[c]!),
    );
    set(
      'w3',
      [4, C, 1, 1],
      plain([4, C]).map((v, i) => v / g[i % C]!),
    );
    const model: Model = { ...base, graph: { ...base.graph, initializers } };
    const feeds = [input(), input(), input()];
    const quality = async (float: Model): Promise<number> => {
      const { model: int8 } = await quantized(float, feeds, { weights: 'per-tensor' });
      const one = feeds[0]!;
      return sqnr((await run(model, one)).y!.data as Float32Array, (await run(int8, one)).y!.data as Float32Array);
    };
    expect(await quality(equalize(model).model)).toBeGreaterThan((await quality(model)) + 10);
  });

  it('two groups, and two Gemm layers of either layout', async () => {
    const grouped = makeModel({
      inputs: [value('x', [1, 3, 8, 8])],
      outputs: [value('y', [1, 4, 8, 8])],
      nodes: [conv('x', 'w1', 'a'), node('Relu', ['a'], ['b']), conv('b', 'w2', 'y', { group: 2 })],
      initializers: [...uneven('w1', [C, 3, 1, 1]), ...uneven('w2', [4, 3, 1, 1])],
    });
    const even = equalize(grouped).model;
    expect(even).not.toBe(grouped);
    expect(await relativeChange(grouped, even)).toBeLessThan(1e-4);
    const linear = makeModel({
      inputs: [value('x', [2, 5])],
      outputs: [value('y', [2, 3])],
      nodes: [node('Gemm', ['x', 'w1', 'w1b'], ['a'], { transB: 1 }), node('Relu', ['a'], ['b']), node('Gemm', ['b', 'w2', 'w2b'], ['y'])],
      initializers: [...uneven('w1', [C, 5]), f32('w2', [C, 3], normals(random, 18)), f32('w2b', [3], normals(random, 3))],
    });
    const level = equalize(linear).model;
    const x = feed([2, 5], normals(random, 10));
    const [p, q] = [(await run(linear, { x })).y!.data, (await run(level, { x })).y!.data];
    for (let i = 0; i < p.length; i++) expect(Math.abs(Number(p[i]) - Number(q[i]))).toBeLessThan(1e-4 * (1 + Math.abs(Number(p[i]))));
    expect(data(level, 'w2')).not.toEqual(data(linear, 'w2'));
  });
});

describe('left out', () => {
  it('SiLU, with its reason', () => {
    const model = chain((x, y) => [node('Sigmoid', [x], [`${y}s`]), node('Mul', [x, `${y}s`], [y])]);
    expect(equalize(model)).toEqual({
      model,
      notes: ['Equalization left out 2 pairs of layers with SiLU in between: rescaling its input does not just rescale its output.'],
    });
  });
  it('Clip (ReLU6): its upper bound does not scale', () => {
    const bounds = [f32('lo', [], [0]), f32('hi', [], [6])];
    const { notes, model } = equalize(chain((x, y) => [node('Clip', [x, 'lo', 'hi'], [y])], bounds));
    expect(notes).toEqual([
      'Equalization left out 2 pairs of layers with Clip in between: rescaling its input does not just rescale its output.',
    ]);
    expect(data(model, 'w1')).toBe(data(model, 'w1'));
  });
  it('a value that two layers or an output read', () => {
    const model = makeModel({
      inputs: [value('x', [1, 3, 8, 8])],
      outputs: [value('y', [1, 4, 8, 8]), value('z', [1, 4, 8, 8])],
      nodes: [conv('x', 'w1', 'a'), node('Relu', ['a'], ['b']), conv('b', 'w2', 'y'), conv('b', 'w3', 'z')],
      initializers: [...uneven('w1', [C, 3, 1, 1]), ...uneven('w2', [4, C, 1, 1]), ...uneven('w3', [4, C, 1, 1])],
    });
    const { model: same, notes } = equalize(model);
    expect(same).toBe(model);
    expect(notes).toEqual(['Equalization found no two layers that only follow each other.']);
  });
  it('channels without weights, and weights that two layers share', async () => {
    const model = chain((x, y) => [node('Relu', [x], [y])]);
    data(model, 'w1').fill(0, 0, 27);
    const even = equalize(model).model;
    expect([...data(even, 'w1')].every(Number.isFinite)).toBe(true);
    expect(await relativeChange(model, even)).toBeLessThan(1e-4);
    const shared = makeModel({
      inputs: [value('x', [1, 3, 8, 8])],
      outputs: [value('y', [1, 3, 8, 8])],
      nodes: [conv('x', 'w', 'a'), node('Relu', ['a'], ['b']), conv('b', 'w', 'y')],
      initializers: uneven('w', [3, 3, 1, 1]),
    });
    expect(equalize(shared).model).toBe(shared);
  });
});
