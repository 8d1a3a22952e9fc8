/** Where quantizers go: one per layer with its activation, shared scales, head and tail. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, type Node, node, tensor, toFloat32 } from '../../../src/onnx';
import { foldAffine } from '../../../src/steps/quantize/fold-affine';
import type { QuantArtifact, TensorQuant } from '../../../src/steps/types';
import { createRandom, f32, feed, nodesOf, normals, quantized, rangesOf, run, sqnr, value } from './helpers';

const random = createRandom(31);
const INPUT = { x: feed([1, 4, 8, 8], normals(random, 256)) };
const weight = (name: string, outputs: number, inputs: number) =>
  f32(name, [outputs, inputs, 1, 1], normals(random, outputs * inputs, 0.5));

/** x → Conv → `nodes` (from "c" to "a") → Conv → y. */
function between(
  nodes: readonly Node[],
  initializers: Parameters<typeof makeModel>[0]['initializers'] = [],
  channels = 4,
  opset = 14,
): Model {
  return makeModel({
    opset,
    inputs: [value('x', [1, 4, 8, 8])],
    outputs: [value('y', [1, 3, 8, 8])],
    nodes: [node('Conv', ['x', 'w1'], ['c'], {}, 'first'), ...nodes, node('Conv', ['a', 'w2'], ['y'], {}, 'last')],
    initializers: [weight('w1', 4, 4), weight('w2', 3, channels), ...initializers],
  });
}

const activations = (artifact: QuantArtifact): string[] =>
  artifact.plan.filter(({ role }) => role === 'activation').map(({ tensor }) => tensor);
const planned = (artifact: QuantArtifact, name: string): TensorQuant => artifact.plan.find(({ tensor }) => tensor === name)!;

const three = f32('three', [], [3]);
const six = f32('six', [], [6]);
const zero = f32('zero', [], [0]);

const PATTERNS: Readonly<Record<string, { nodes: Node[]; initializers?: ReturnType<typeof f32>[]; apart: number }>> = {
  Relu: { nodes: [node('Relu', ['c'], ['a'])], apart: 4 },
  LeakyRelu: { nodes: [node('LeakyRelu', ['c'], ['a'], { alpha: 0.1 })], apart: 4 },
  Clip: { nodes: [node('Clip', ['c', 'zero', 'six'], ['a'])], initializers: [zero, six], apart: 4 },
  PRelu: { nodes: [node('PRelu', ['c', 'slope'], ['a'])], initializers: [f32('slope', [4, 1, 1], [0.1, 0.2, 0.3, 0.4])], apart: 4 },
  Sigmoid: { nodes: [node('Sigmoid', ['c'], ['a'])], apart: 4 },
  Tanh: { nodes: [node('Tanh', ['c'], ['a'])], apart: 4 },
  HardSwish: { nodes: [node('HardSwish', ['c'], ['a'])], apart: 4 },
  'SiLU (Sigmoid · Mul)': { nodes: [node('Sigmoid', ['c'], ['s']), node('Mul', ['c', 's'], ['a'])], apart: 5 },
  'SiLU, product swapped': { nodes: [node('Sigmoid', ['c'], ['s']), node('Mul', ['s', 'c'], ['a'])], apart: 5 },
  'HardSigmoid · Mul': { nodes: [node('HardSigmoid', ['c'], ['s']), node('Mul', ['c', 's'], ['a'])], apart: 5 },
  'HardSwish written out': {
    nodes: [
      node('Add', ['c', 'three'], ['p']),
      node('Clip', ['p', 'zero', 'six'], ['k']),
      node('Mul', ['c', 'k'], ['m']),
      node('Div', ['m', 'six'], ['a']),
    ],
    initializers: [three, zero, six],
    apart: 7,
  },
};

describe.each(Object.entries(PATTERNS))('Conv + %s', (_, { nodes, initializers, apart }) => {
  const model = between(nodes, initializers);

  it('is one layer: only the pattern’s output is quantized', async () => {
    const artifact = await quantized(model, [INPUT]);
    expect(activations(artifact)).toEqual(['x', 'a', 'y']);
    const exact = (await run(model, INPUT)).y!.data as Float32Array;
    for (const level of ['disabled', 'all'] as const) {
      const y = (await run(artifact.model, INPUT, level)).y!.data as Float32Array;
      expect(sqnr(exact, y)).toBeGreaterThan(30);
    }
  });

  it('apart, every operator’s output is', async () => {
    const artifact = await quantized(model, [INPUT], { fuseActivations: false });
    expect(activations(artifact)).toHaveLength(apart);
    expect(activations(artifact)).toContain('c');
  });
});

describe('fusing', () => {
  it('stops where somebody else reads the value', async () => {
    const model = between([node('Relu', ['c'], ['r']), node('Add', ['c', 'r'], ['a'])]);
    expect(activations(await quantized(model, [INPUT]))).toEqual(['x', 'c', 'r', 'a', 'y']);
  });

  it('takes the ReLU after an Add too', async () => {
    const model = between(
      [node('Conv', ['c', 'w3'], ['d'], {}, 'second'), node('Add', ['c', 'd'], ['s']), node('Relu', ['s'], ['a'])],
      [weight('w3', 4, 4)],
    );
    expect(activations(await quantized(model, [INPUT]))).toEqual(['x', 'c', 'd', 'a', 'y']);
  });

  it('leaves a Sigmoid on logits to the float tail, but takes a ReLU', async () => {
    const end = (op: string) =>
      makeModel({
        inputs: [value('x', [1, 4, 8, 8])],
        outputs: [value('y', [1, 3, 8, 8])],
        nodes: [node('Conv', ['x', 'w'], ['c'], {}, 'conv'), node(op, ['c'], ['y'], {}, 'end')],
        initializers: [weight('w', 3, 4)],
      });
    const sigmoid = await quantized(end('Sigmoid'), [INPUT]);
    expect(activations(sigmoid)).toEqual(['x', 'c']);
    expect(sigmoid.notes.join('\n')).toContain('After the last layers Sigmoid stays in float.');
    expect(activations(await quantized(end('Relu'), [INPUT]))).toEqual(['x', 'y']);
  });
});

describe('operators that move values', () => {
  const shape = tensor('shape', 'int64', [4], BigInt64Array.from([1n, 4n, 4n, 16n]));
  const back = tensor('back', 'int64', [4], BigInt64Array.from([1n, 4n, 8n, 8n]));
  const model = between(
    [
      node('MaxPool', ['c'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Reshape', ['p', 'shape'], ['r']),
      node('Transpose', ['r'], ['t'], { perm: [0, 1, 2, 3] }),
      node('Reshape', ['t', 'back'], ['a']),
    ],
    [shape as never, back as never],
  );

  it('share their input’s scale, and still pass a pair each', async () => {
    const artifact = await quantized(model, [INPUT]);
    for (const name of ['p', 'r', 't', 'a']) {
      expect(planned(artifact, name)).toMatchObject({
        scale: planned(artifact, 'c').scale,
        zeroPoint: planned(artifact, 'c').zeroPoint,
        sharesWith: 'c',
      });
    }
    expect(nodesOf(artifact.model, 'QuantizeLinear')).toHaveLength(activations(artifact).length);
    const readers = nodesOf(artifact.model, 'QuantizeLinear').filter((n) => n.inputs[1] === 'c_scale');
    expect(readers).toHaveLength(5);
  });
});

describe('Concat', () => {
  // Branches of very different size, so that a shared scale shows.
  const model = between(
    [node('Conv', ['x', 'small'], ['d'], {}, 'second'), node('Concat', ['c', 'd'], ['a'], { axis: 1 }, 'join')],
    [f32('small', [4, 4, 1, 1], normals(createRandom(2), 16, 0.01))],
    8,
  );

  it('shared: inputs and output have one scale that holds both', async () => {
    const artifact = await quantized(model, [INPUT], { concat: 'shared' });
    const [a, c, d] = ['a', 'c', 'd'].map((name) => planned(artifact, name)) as [TensorQuant, TensorQuant, TensorQuant];
    expect(c.scale).toEqual(a.scale);
    expect(d.scale).toEqual(a.scale);
    expect([c.sharesWith, d.sharesWith, a.sharesWith]).toEqual(['a', 'a', null]);
    expect(artifact.notes.join('\n')).toMatch(/"a" \(Concat "join"\): its inputs share a scale: "d" has \d+ levels?\./);
  });

  it('requantized: inputs keep their own, the small one its precision', async () => {
    const artifact = await quantized(model, [INPUT], { concat: 'requantize' });
    expect(planned(artifact, 'd').scale[0]!).toBeLessThan(planned(artifact, 'c').scale[0]! / 10);
    expect(planned(artifact, 'a').sharesWith).toBeNull();
  });

  it('of values that share a scale already keeps it (pooled copies, as in SPP)', async () => {
    const spp = between(
      [node('MaxPool', ['c'], ['p'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }), node('Concat', ['c', 'p'], ['a'], { axis: 1 }, 'join')],
      [],
      8,
    );
    for (const concat of ['shared', 'requantize'])
      expect(planned(await quantized(spp, [INPUT], { concat }), 'a').scale).toEqual(
        planned(await quantized(spp, [INPUT], { concat }), 'c').scale,
      );
  });
});

describe('a full-INT8 network', () => {
  const model = between(
    [
      node('Sigmoid', ['c'], ['s']),
      node('Mul', ['c', 's'], ['m']),
      node('Conv', ['m', 'dw'], ['d'], { group: 4, pads: [1, 1, 1, 1] }, 'depthwise'),
      node('Relu', ['d'], ['r']),
      node('Softmax', ['r'], ['f'], { axis: 1 }),
      node('Concat', ['m', 'f'], ['a'], { axis: 1 }, 'join'),
    ],
    [f32('dw', [4, 1, 3, 3], normals(createRandom(5), 36))],
    8,
  );

  it('has int8 weights in every Conv and an 8-bit pair before it', async () => {
    for (const weights of ['per-channel', 'per-tensor']) {
      const { model: qdq } = await quantized(model, [INPUT], { weights });
      const makers = new Map(qdq.graph.nodes.flatMap((n) => n.outputs.map((o) => [o, n] as const)));
      for (const conv of nodesOf(qdq, 'Conv')) {
        const weightNode = makers.get(conv.inputs[1]!)!;
        expect(weightNode.op).toBe('DequantizeLinear');
        expect(qdq.graph.initializers.get(weightNode.inputs[0]!)!.dtype).toBe('int8');
        const dequantize = makers.get(conv.inputs[0]!)!;
        expect(dequantize.op).toBe('DequantizeLinear');
        const quantize = makers.get(dequantize.inputs[0]!)!;
        expect(quantize.op).toBe('QuantizeLinear');
        expect(qdq.graph.initializers.get(quantize.inputs[2]!)!.dtype).toBe('uint8');
      }
    }
  });

  it('says what is computed in float between layers', async () => {
    expect((await quantized(model, [INPUT])).notes.join('\n')).toContain('1 Softmax between the layers is computed in float.');
  });
});

describe('the graph input', () => {
  const model = between([node('Relu', ['c'], ['a'])]);
  it('of pixels is exact', async () => {
    const pixels = {
      x: feed(
        [1, 4, 8, 8],
        Float32Array.from({ length: 256 }, (_, i) => (i * 7) % 250),
      ),
    };
    const artifact = await quantized(model, [pixels], { symmetric: true });
    expect(planned(artifact, 'x')).toMatchObject({ dtype: 'uint8', scale: [1], zeroPoint: [0] });
    expect(artifact.notes.join('\n')).toContain('Input "x" takes pixels 0…255: quantized exactly (scale 1).');
  });
  it('of anything else is calibrated', async () => {
    const { scale } = planned(await quantized(model, [INPUT]), 'x');
    const data = INPUT.x.data as Float32Array;
    expect(scale[0]).toBeCloseTo((Math.max(...data) - Math.min(...data)) / 255, 6);
  });
});

describe('refusals', () => {
  const model = between([node('Relu', ['c'], ['a'])]);
  it('ranges of another network', async () => {
    const { quantize } = await import('../../../src/steps/quantize');
    const ranges = await rangesOf(model, [INPUT], 'other');
    const artifact = { kind: 'model', hash: 'hash', name: 'net.onnx', model, spec: null } as const;
    await expect(quantize(artifact, ranges, {}, { cancel: { aborted: false, throwIfAborted() {} }, progress() {} })).rejects.toMatchObject({
      code: 'bad-data',
      message: 'These ranges were calibrated on another network.',
    });
  });
  it('a network without layers, an unknown option, NaN weights', async () => {
    const none = makeModel({
      inputs: [value('x', [1, 4, 8, 8])],
      outputs: [value('y', [1, 4, 8, 8])],
      nodes: [node('Relu', ['x'], ['y'])],
    });
    await expect(quantized(none, [INPUT])).rejects.toThrow('has no layer with constant weights');
    await expect(quantized(model, [INPUT], { calibrator: 'magic' })).rejects.toThrow('calibrator');
    const broken = {
      ...model,
      graph: {
        ...model.graph,
        initializers: new Map(model.graph.initializers).set('w1', f32('w1', [4, 4, 1, 1], new Array(16).fill(Number.NaN))),
      },
    };
    await expect(quantized(broken, [INPUT])).rejects.toThrow(/NaN|not a range/);
  });
});

describe('linear layers', () => {
  it('Gemm and MatMul + Add get int8 weights per output and an int32 bias', async () => {
    const model = makeModel({
      inputs: [value('x', [2, 6])],
      outputs: [value('y', [2, 3])],
      nodes: [
        node('Gemm', ['x', 'g', 'gb'], ['h'], { transB: 1 }, 'gemm'),
        node('Relu', ['h'], ['r']),
        node('MatMul', ['r', 'm'], ['mm'], {}, 'matmul'),
        node('Add', ['mb', 'mm'], ['y'], {}, 'bias'),
      ],
      initializers: [
        f32('g', [5, 6], normals(random, 30)),
        f32('gb', [5], normals(random, 5)),
        f32('m', [5, 3], normals(random, 15)),
        f32('mb', [3], [1, -2, 3]),
      ],
    });
    const feeds = { x: feed([2, 6], normals(random, 12)) };
    const artifact = await quantized(model, [feeds]);
    expect(planned(artifact, 'g')).toMatchObject({ dtype: 'int8', axis: 0 });
    expect(planned(artifact, 'm')).toMatchObject({ dtype: 'int8', axis: 1 });
    expect(planned(artifact, 'm').scale).toHaveLength(3);
    expect(planned(artifact, 'mb').dtype).toBe('int32');
    expect(activations(artifact)).toEqual(['x', 'r', 'y']);
    const exact = (await run(model, feeds)).y!.data as Float32Array;
    for (const level of ['disabled', 'all'] as const)
      expect(sqnr(exact, (await run(artifact.model, feeds, level)).y!.data as Float32Array)).toBeGreaterThan(30);
  });
});

describe('foldAffine', () => {
  const scale = f32('scale', [4, 1, 1], [2, -1, 0.5, 3]);
  const shift = f32('shift', [1, 4, 1, 1], [1, 2, 3, 4]);
  const two = f32('two', [], [2]);

  it.each(['Conv', 'ConvTranspose'])('%s: the same outputs from fewer nodes', async (op) => {
    const model = between(
      [
        node(op, ['c', 'k', 'kb'], ['d'], { group: 2 }, 'mid'),
        node('Mul', ['scale', 'd'], ['e']),
        node('Add', ['e', 'shift'], ['f']),
        node('Div', ['f', 'two'], ['g']),
        node('Sub', ['g', 'shift'], ['a']),
      ],
      [f32('k', [4, 2, 1, 1], normals(random, 8)), f32('kb', [4], [1, 2, 3, 4]), scale, shift, two],
    );
    const folded = foldAffine(model);
    expect(folded.graph.nodes.map((n) => n.op)).toEqual(['Conv', op, 'Conv']);
    const [before, after] = [(await run(model, INPUT)).y!.data as Float32Array, (await run(folded, INPUT)).y!.data as Float32Array];
    expect(sqnr(before, after)).toBeGreaterThan(110);
  });

  it('leaves alone what is not per channel, and what others read', () => {
    const wide = between([node('Add', ['c', 'row'], ['a'])], [f32('row', [8], [1, 2, 3, 4, 5, 6, 7, 8])]);
    expect(foldAffine(wide)).toBe(wide);
    const forked = between([node('Mul', ['c', 'two'], ['d']), node('Add', ['c', 'd'], ['a'])], [two]);
    expect(foldAffine(forked)).toBe(forked);
    expect(toFloat32(forked.graph.initializers.get('two')!)[0]).toBe(2);
  });
});
