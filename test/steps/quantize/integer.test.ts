import { describe, expect, it } from 'vitest';
import { integerLimits, qparamsFromRange, quantizeValue, roundHalfEven } from '../../../src/numerics';
import { attrInt, type Model, makeModel, type Node, node } from '../../../src/onnx';
import type { QuantArtifact, TensorQuant } from '../../../src/steps/types';
import { createRandom, f32, feed, nodesOf, normals, quantized, run, value } from './helpers';

interface Shape {
  readonly channels: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly group: number;
  readonly stride: number;
  readonly pad: number;
}

const SIZE = 9;

function convModel(shape: Shape, seed: number, activation: string | null): Model {
  const random = createRandom(seed);
  const { channels, outputs, kernel, group, stride, pad } = shape;
  const fan = (channels / group) * kernel * kernel;
  const weight = normals(random, outputs * fan, 1 / Math.sqrt(fan)).map((w, i) => w * 2 ** -(Math.floor(i / fan) % 5));
  const spatial = Math.floor((SIZE + 2 * pad - kernel) / stride) + 1;
  const conv = node(
    'Conv',
    ['x', 'w', 'b'],
    [activation ? 'c' : 'y'],
    { group, strides: [stride, stride], pads: [pad, pad, pad, pad] },
    'conv',
  );
  return makeModel({
    inputs: [value('x', [1, channels, SIZE, SIZE])],
    outputs: [value('y', [1, outputs, spatial, spatial])],
    nodes: activation ? [conv, node(activation, ['c'], ['y'])] : [conv],
    initializers: [f32('w', [outputs, channels / group, kernel, kernel], weight), f32('b', [outputs], normals(random, outputs, 0.3))],
  });
}

function planned(artifact: QuantArtifact, tensor: string): TensorQuant {
  const found = artifact.plan.find((entry) => entry.tensor === tensor);
  if (!found) throw new Error(`${tensor} is not in the plan`);
  return found;
}

function integers(artifact: QuantArtifact, name: string): ArrayLike<number> {
  return artifact.model.graph.initializers.get(`${name}_quantized`)!.data as ArrayLike<number>;
}

/** QLinearConv as the ONNX operator defines it, in integers: returns the output codes, channel by channel. */
function integerConv(artifact: QuantArtifact, conv: Node, x: Float32Array, shape: Shape): number[] {
  const [qx, qw, qy] = ['x', 'w', 'y'].map((name) => planned(artifact, name)) as [TensorQuant, TensorQuant, TensorQuant];
  const weight = integers(artifact, 'w');
  const bias = integers(artifact, 'b');
  const [qmin, qmax] = integerLimits(qy.dtype);
  const codes = x.map((v) => quantizeValue(v, qx.scale[0]!, qx.zeroPoint[0]!, qmin, qmax) - qx.zeroPoint[0]!);
  const { channels, outputs, kernel, stride, pad } = shape;
  const group = attrInt(conv, 'group', 1);
  const spatial = Math.floor((SIZE + 2 * pad - kernel) / stride) + 1;
  const inGroup = channels / group;
  const out: number[] = [];
  for (let m = 0; m < outputs; m++) {
    const first = Math.floor(m / (outputs / group)) * inGroup;
    const multiplier = (qx.scale[0]! * (qw.scale[m] ?? qw.scale[0]!)) / qy.scale[0]!;
    for (let i = 0; i < spatial * spatial; i++) {
      const top = Math.floor(i / spatial) * stride - pad;
      const left = (i % spatial) * stride - pad;
      let sum = bias[m]!;
      for (let c = 0; c < inGroup; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) {
            const [row, col] = [top + ky, left + kx];
            if (row < 0 || col < 0 || row >= SIZE || col >= SIZE) continue;
            sum += codes[((first + c) * SIZE + row) * SIZE + col]! * weight[((m * inGroup + c) * kernel + ky) * kernel + kx]!;
          }
      out.push(Math.min(qmax, Math.max(qmin, roundHalfEven(sum * multiplier) + qy.zeroPoint[0]!)));
    }
  }
  return out;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  '3×3 dense': { channels: 7, outputs: 10, kernel: 3, group: 1, stride: 1, pad: 1 },
  '1×1': { channels: 24, outputs: 16, kernel: 1, group: 1, stride: 1, pad: 0 },
  'depthwise 5×5, stride 2': { channels: 12, outputs: 12, kernel: 5, group: 12, stride: 2, pad: 2 },
  'grouped 3×3': { channels: 8, outputs: 12, kernel: 3, group: 4, stride: 2, pad: 1 },
};

describe.each(Object.entries(SHAPES))('QDQ of a %s Conv', (_, shape) => {
  for (const weights of ['per-channel', 'per-tensor'])
    for (const activation of [null, 'Relu'])
      it(`equals integer arithmetic within one step (${weights}, ${activation ?? 'linear'})`, async () => {
        const model = convModel(shape, 5, activation);
        const random = createRandom(17);
        const x = normals(random, shape.channels * SIZE * SIZE).map((v) => Math.max(-2, v) + 0.5);
        const feeds = { x: feed([1, shape.channels, SIZE, SIZE], x) };
        const artifact = await quantized(model, [feeds], { weights });
        const expected = integerConv(artifact, nodesOf(artifact.model, 'Conv')[0]!, x, shape);
        const { scale, zeroPoint } = planned(artifact, 'y');
        expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(activation ? 200 : 150);
        for (const level of ['disabled', 'all'] as const) {
          const { y } = await run(artifact.model, feeds, level);
          const codes = Array.from(y!.data as Float32Array, (v) => Math.round(v / scale[0]!) + zeroPoint[0]!);
          const differences = codes.map((code, i) => Math.abs(code - expected[i]!));
          expect(Math.max(...differences)).toBeLessThanOrEqual(1);
          expect(differences.filter((d) => d > 0).length).toBeLessThanOrEqual(codes.length * 0.002);
        }
      });
});

/** A layer drawn by seed: dense, grouped or depthwise, any kernel, stride, padding and activation. */
function drawn(seed: number) {
  const random = createRandom(1000 + seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!;
  const kernel = pick([1, 2, 3, 5]);
  const kind = pick(['dense', 'grouped', 'depthwise']);
  const group = kind === 'dense' ? 1 : pick([2, 3, 4]) * (kind === 'depthwise' ? 3 : 1);
  const channels = kind === 'dense' ? 1 + Math.floor(random.next() * 20) : kind === 'depthwise' ? group : group * pick([1, 2, 4]);
  const outputs = kind === 'dense' ? 1 + Math.floor(random.next() * 20) : group * pick([1, 2, 3]);
  const shape: Shape = { channels, outputs, kernel, group, stride: pick([1, 2, 3]), pad: Math.floor(random.next() * Math.min(3, kernel)) };
  const options = {
    weights: pick(['per-channel', 'per-tensor']),
    activations: pick(['uint8', 'int8']),
    symmetric: pick([false, true]),
    calibrator: pick(['minmax', 'percentile']),
    percentile: 98,
    headOutputs: 'same',
  };
  const offset = pick([-1, 0, 0.7]);
  const x = normals(random, channels * SIZE * SIZE).map((v) => v * 2 ** pick([-1, 0, 1]) + offset);
  return { shape, options, activation: pick([null, 'Relu']), x };
}

describe('QDQ of layers drawn at random', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('equals integer arithmetic within one step (seed %i)', async (seed) => {
    const { shape, options, activation, x } = drawn(seed);
    const feeds = { x: feed([1, shape.channels, SIZE, SIZE], x) };
    const artifact = await quantized(convModel(shape, seed, activation), [feeds], options);
    const expected = integerConv(artifact, nodesOf(artifact.model, 'Conv')[0]!, x, shape);
    const { scale, zeroPoint } = planned(artifact, 'y');
    // The integer reference has no ReLU: on a grid with negative codes that is a bound at the zero point.
    const floor = activation === 'Relu' ? zeroPoint[0]! : Number.NEGATIVE_INFINITY;
    const { y } = await run(artifact.model, feeds);
    const codes = Array.from(y!.data as Float32Array, (v) => Math.round(v / scale[0]!) + zeroPoint[0]!);
    const differences = codes.map((code, i) => Math.abs(code - Math.max(expected[i]!, floor)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
    expect(differences.filter((d) => d > 0).length).toBeLessThanOrEqual(Math.max(1, codes.length * 0.005));
    expect(new Set(codes).size).toBeGreaterThan(Math.min(8, codes.length / 4));
  });

  it('the draw covers every kind', () => {
    const all = Array.from({ length: 40 }, (_, seed) => drawn(seed));
    const kinds = new Set(
      all.map(({ shape: { group, channels, outputs } }) =>
        group === 1 ? 'dense' : group === channels ? 'depthwise' : `grouped ${outputs > group}`,
      ),
    );
    expect(kinds.size).toBeGreaterThanOrEqual(3);
    for (const key of ['weights', 'activations', 'symmetric', 'calibrator'] as const)
      expect(new Set(all.map(({ options }) => options[key])).size).toBe(2);
    expect(new Set(all.map(({ shape }) => shape.stride)).size).toBe(3);
    expect(new Set(all.map(({ shape }) => shape.pad)).size).toBe(3);
  });
});

describe('a per-tensor scale', () => {
  it('costs the small channels their bits, a per-channel one does not (Q03)', async () => {
    const random = createRandom(3);
    const model = makeModel({
      inputs: [value('x', [1, 2, 16, 16])],
      outputs: [value('y', [1, 2, 14, 14])],
      nodes: [node('Conv', ['x', 'w'], ['y'], { group: 2 }, 'dw')],
      initializers: [f32('w', [2, 1, 3, 3], [...normals(random, 9), ...normals(random, 9, 0.001)])],
    });
    const feeds = { x: feed([1, 2, 16, 16], normals(random, 512)) };
    const integersOf = async (weights: string) => [
      ...((await quantized(model, [feeds], { weights })).model.graph.initializers.get('w_quantized')!.data as Int8Array),
    ];
    const together = await integersOf('per-tensor');
    expect(together.slice(9)).toEqual(new Array(9).fill(0));
    const apart = await integersOf('per-channel');
    expect(Math.max(...apart.slice(9).map(Math.abs))).toBe(127);
  });
});

describe('the writer', () => {
  it('stores what the plan says: int8 weights, int32 bias on scale sx·sw, float32 scales', async () => {
    const shape = SHAPES['1×1']!;
    const random = createRandom(1);
    const feeds = { x: feed([1, 24, SIZE, SIZE], normals(random, 24 * SIZE * SIZE)) };
    const artifact = await quantized(convModel(shape, 2, null), [feeds]);
    const { initializers } = artifact.model.graph;
    const [x, w, b] = ['x', 'w', 'b'].map((name) => planned(artifact, name)) as [TensorQuant, TensorQuant, TensorQuant];
    expect(w).toMatchObject({ dtype: 'int8', axis: 0 });
    expect(b).toMatchObject({ dtype: 'int32', axis: 0 });
    expect(b.scale).toEqual(w.scale.map((s) => Math.fround(s * x.scale[0]!)));
    expect(initializers.get('w_scale')!.dims).toEqual([16]);
    expect(initializers.get('b_quantized')!.dtype).toBe('int32');
    expect(initializers.has('w')).toBe(false);
    const float = (convModel(shape, 2, null).graph.initializers.get('b')!.data as Float32Array)[3]!;
    expect(Math.abs(integers(artifact, 'b')[3]! * b.scale[3]! - float)).toBeLessThanOrEqual(b.scale[3]! * 0.51);
    expect(x.scale).toEqual(qparamsFromRange(...rangeOf(feeds.x.data as Float32Array), { bits: 8, signed: false, symmetric: false }).scale);
  });
});

function rangeOf(data: Float32Array): [number, number] {
  return [Math.min(...data), Math.max(...data)];
}
