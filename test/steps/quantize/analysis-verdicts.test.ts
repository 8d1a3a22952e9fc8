/** Every verdict on a network that has its cause, and on one that hasn't. */
import { describe, expect, it } from 'vitest';
import { type Model, makeModel, node, type Tensor } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { analysed, verdicts } from './analysis-helpers';
import { createRandom, f32, feed, normals, value } from './helpers';

const random = createRandom(11);
const images = (dims: readonly number[], count = 2, sigma = 1): Tensors[] =>
  Array.from({ length: count }, (_, i) => ({
    x: feed(
      dims,
      normals(
        createRandom(100 + i),
        dims.reduce((a, b) => a * b, 1),
        sigma,
      ),
    ),
  }));

/** Conv (named y) → operators in a row. */
function chain(weight: Tensor, bias: readonly number[], ops: readonly string[] = [], group = 1): Model {
  const [channels, per] = [weight.dims[0]!, weight.dims[1]! * group];
  const names = ['y', ...ops.map((op, i) => `${op}_${i}`)];
  return makeModel({
    inputs: [value('x', [1, per, 6, 6])],
    outputs: [value(names.at(-1)!, [1, channels, 6, 6])],
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['y'], {
        kernel_shape: weight.dims.slice(2),
        pads: weight.dims.slice(2).flatMap((k) => [(k - 1) / 2, (k - 1) / 2]),
        group,
      }),
      ...ops.map((op, i) => node(op, [names[i]!], [names[i + 1]!])),
    ],
    initializers: [weight, f32('b', [channels], bias)],
  });
}

describe('channel-ranges', () => {
  /** Q03: depthwise, the second channel a thousandth of the first. */
  const uneven = (ratio: number): Model => {
    const first = normals(createRandom(5), 9);
    return chain(f32('w', [2, 1, 3, 3], [...first, ...first.map((w) => w / ratio)]), [0, 0], [], 2);
  };

  it('is the first verdict of Q03, says 1000×, and is measured to go with per-channel scales', async () => {
    const report = await analysed(uneven(1000), images([1, 2, 6, 6]), { weights: 'per-tensor' });
    const layer = report.layers[0]!;
    expect(layer).toMatchObject({ node: 'y', kind: 'depthwise' });
    const [verdict] = layer.verdicts;
    expect(verdict!.kind).toBe('channel-ranges');
    expect(verdict!.sentence).toContain('Channel ranges differ 1000× under one weight scale');
    expect(verdict!.sentence).toContain('the smallest 1.');
    expect(verdict!.evidence).toMatchObject({ tensor: 'w', role: 'weight', figures: { coarseChannels: 1, channels: 2 } });
    expect(verdict!.evidence.channels!.high[0]! / verdict!.evidence.channels!.high[1]!).toBeCloseTo(1000, 0);
    expect(verdict!.evidence.grid!.hi).toBeCloseTo(
      Math.max(...verdict!.evidence.channels!.high.map(Math.abs), ...verdict!.evidence.channels!.low.map(Math.abs)),
      5,
    );
    expect(verdict!.repair).toEqual({ weights: 'per-channel' });
    // The weights alone: all of the small channel's error goes. The whole network: its output has one scale for both.
    expect(verdict!.layerGain!.after).toBeLessThan(verdict!.layerGain!.before / 100);
    expect(verdict!.gain!.before).toBe(report.whole.both.outputError);
    expect(verdict!.gain!.after).toBeLessThanOrEqual(verdict!.gain!.before);
  });

  it('is silent about channels of like size, and about per-channel scales', async () => {
    expect(verdicts(await analysed(uneven(4), images([1, 2, 6, 6]), { weights: 'per-tensor' }), 'channel-ranges')).toEqual({});
    const perChannel = verdicts(await analysed(uneven(1000), images([1, 2, 6, 6])), 'channel-ranges');
    // What is left is the activation's single scale.
    expect(Object.values(perChannel).map(({ evidence }) => evidence.role)).toEqual(['activation']);
  });
});

describe('outliers', () => {
  const identity = (): Model => chain(f32('w', [1, 1, 1, 1], [1]), [0], ['Relu', 'Relu']);
  const spiked = (peak: number): Tensors[] => {
    const x = normals(createRandom(9), 4096).map(Math.abs);
    x[17] = peak;
    return [{ x: feed([1, 1, 64, 64], x) }];
  };
  const wide = (model: Model): Model => ({
    ...model,
    graph: { ...model.graph, inputs: [value('x', [1, 1, 64, 64])], outputs: [value('Relu_1', [1, 1, 64, 64])] },
  });

  it('names the few values that stretch a range, and by how much', async () => {
    const found = verdicts(await analysed(wide(identity()), spiked(40), { headOutputs: 'same' }), 'outliers');
    const verdict = found.y!;
    expect(verdict.sentence).toMatch(/stretch the range 1[0-9]×: 99.8 % of the values lie in 0…[23]/);
    expect(verdict.evidence.grid!.hi).toBeCloseTo(40, 3);
    expect(verdict.evidence.histogram!.counts.reduce((a, b) => a + b, 0)).toBe(4096);
    expect(verdict.repair).toEqual({ calibrator: 'percentile', percentile: 99.9 });
    expect(verdict.gain).not.toBeNull();
  });

  const clipped = { calibrator: 'percentile', percentile: 99.9, headOutputs: 'same' };

  it('says where they were cut off, and measures a range that weighs them', async () => {
    const { y } = verdicts(await analysed(wide(identity()), spiked(40), clipped), 'outliers');
    expect(y!.sentence).toMatch(/^A few outliers are cut off: values reach 0…40, the grid ends at 0…3/);
    expect(y!.evidence.figures.reach).toBeGreaterThan(10);
    expect(y!.repair).toEqual({ calibrator: 'mse' });
    expect(y!.layerGain!.after).toBeLessThan(y!.layerGain!.before / 2);
  });

  it('is silent without them, whatever the calibrator', async () => {
    expect(verdicts(await analysed(wide(identity()), spiked(3), { headOutputs: 'same' }), 'outliers')).toEqual({});
    expect(verdicts(await analysed(wide(identity()), spiked(3), clipped), 'outliers')).toEqual({});
  });
});

describe('silu-pieces', () => {
  const silu = (): Model =>
    makeModel({
      inputs: [value('x', [1, 3, 6, 6])],
      outputs: [value('z', [1, 2, 6, 6])],
      nodes: [
        node('Conv', ['x', 'w'], ['y'], { kernel_shape: [1, 1] }),
        node('Sigmoid', ['y'], ['s']),
        node('Mul', ['y', 's'], ['a']),
        node('Conv', ['a', 'v'], ['z'], { kernel_shape: [1, 1] }),
      ],
      initializers: [f32('w', [4, 3, 1, 1], normals(random, 12)), f32('v', [2, 4, 1, 1], normals(random, 8))],
    });

  it('counts the pieces and measures what one layer would give', async () => {
    const found = verdicts(await analysed(silu(), images([1, 3, 6, 6]), { fuseActivations: false }), 'silu-pieces');
    expect(Object.keys(found)).toEqual(['y']);
    expect(found.y!.sentence).toContain('SiLU is quantized in 3 pieces (Conv, Sigmoid, Mul)');
    expect(found.y!.repair).toEqual({ fuseActivations: true });
    expect(found.y!.layerGain!.after).toBeLessThan(found.y!.layerGain!.before);
  });

  it('is silent about fused ones and about ReLU', async () => {
    expect(verdicts(await analysed(silu(), images([1, 3, 6, 6])), 'silu-pieces')).toEqual({});
    const relu = chain(f32('w', [2, 3, 1, 1], normals(random, 6)), [0, 0], ['Relu']);
    expect(verdicts(await analysed(relu, images([1, 3, 6, 6]), { fuseActivations: false }), 'silu-pieces')).toEqual({});
  });
});

describe('shared-scale', () => {
  /** Q01: boxes in pixels beside scores. */
  const head = (factor: number): Model =>
    makeModel({
      inputs: [value('x', [1, 3, 6, 6])],
      outputs: [value('out', [1, 6, 6, 6])],
      nodes: [
        node('Conv', ['x', 'w'], ['b'], { kernel_shape: [1, 1] }),
        node('Mul', ['b', 'k'], ['boxes']),
        node('Conv', ['x', 'v'], ['c'], { kernel_shape: [1, 1] }),
        node('Sigmoid', ['c'], ['scores']),
        node('Concat', ['boxes', 'scores'], ['out'], { axis: 1 }),
      ],
      initializers: [f32('w', [4, 3, 1, 1], normals(random, 12)), f32('v', [2, 3, 1, 1], normals(random, 6)), f32('k', [1], [factor])],
    });

  it('says that boxes and scores share a scale (Q01), and that the float tail ends it', async () => {
    const found = verdicts(await analysed(head(640), images([1, 3, 6, 6]), { tail: 'all' }), 'shared-scale');
    expect(found.out!.sentence).toMatch(/^Boxes and scores share a scale \(step .*\): scores have 1 level\.$/);
    expect(found.out!.repair).toEqual({ tail: 'float' });
    expect(found.out!.gain!.after).toBeLessThan(found.out!.gain!.before / 2);
  });

  it('is silent about branches of like size and about a float tail', async () => {
    expect(verdicts(await analysed(head(1), images([1, 3, 6, 6]), { tail: 'all' }), 'shared-scale')).toEqual({});
    expect(verdicts(await analysed(head(640), images([1, 3, 6, 6])), 'shared-scale')).toEqual({});
  });

  it('names the branch that a Concat between layers leaves few levels', async () => {
    const joined = makeModel({
      inputs: [value('x', [1, 3, 6, 6])],
      outputs: [value('out', [1, 2, 6, 6])],
      nodes: [
        node('Conv', ['x', 'w'], ['large'], { kernel_shape: [1, 1] }),
        node('Conv', ['x', 'v'], ['small'], { kernel_shape: [1, 1] }),
        node('Concat', ['large', 'small'], ['cat'], { axis: 1 }),
        node('Conv', ['cat', 'u'], ['out'], { kernel_shape: [1, 1] }),
      ],
      initializers: [
        f32('w', [2, 3, 1, 1], normals(random, 6, 50)),
        f32('v', [2, 3, 1, 1], normals(random, 6, 0.5)),
        f32('u', [2, 4, 1, 1], [0.01, 0.01, 1, 1, 0.01, -0.01, 1, -1]),
      ],
    });
    const found = verdicts(await analysed(joined, images([1, 3, 6, 6]), { concat: 'shared' }), 'shared-scale');
    expect(found.cat!.sentence).toMatch(/"small" \(.*\) has \d levels\./);
    expect(found.cat!.repair).toEqual({ concat: 'requantize' });
  });
});

describe('relu-zero', () => {
  const relu = (): Model => chain(f32('w', [2, 3, 1, 1], normals(random, 6)), [0, 0], ['Relu']);

  it('says that a symmetric grid spends half of its levels below ReLU’s zero (Q07)', async () => {
    const found = verdicts(await analysed(relu(), images([1, 3, 6, 6]), { activations: 'int8', symmetric: true }), 'relu-zero');
    expect(found.y!.sentence).toContain("ReLU's zero stands in the middle of a symmetric grid");
    expect(found.y!.evidence.figures).toMatchObject({ used: 128, levels: 255 });
    expect(found.y!.repair).toEqual({ symmetric: false });
    expect(found.y!.layerGain!.after).toBeLessThan(found.y!.layerGain!.before);
  });

  it('is silent about asymmetric grids and about values of either sign', async () => {
    expect(verdicts(await analysed(relu(), images([1, 3, 6, 6])), 'relu-zero')).toEqual({});
    const linear = chain(f32('w', [2, 3, 1, 1], normals(random, 6)), [0, 0]);
    expect(verdicts(await analysed(linear, images([1, 3, 6, 6]), { activations: 'int8', symmetric: true }), 'relu-zero')).toEqual({});
  });
});

describe('bias-overflow', () => {
  const tiny = (weight: number): Model => chain(f32('w', [2, 3, 1, 1], new Array(6).fill(weight)), [5, -4.5]);

  it('names the integer that int32 can’t hold, and what the bias would be otherwise (Q05)', async () => {
    const found = verdicts(await analysed(tiny(1e-7), images([1, 3, 6, 6], 2, 30)), 'bias-overflow');
    expect(found.y!.sentence).toMatch(/^The bias would need the integer .*: 2 weight scales were enlarged/);
    expect(found.y!.evidence.figures.integer).toBeGreaterThan(2 ** 31);
    expect(found.y!.repair).toBeNull();
    // Saturated, the outputs would be far off; as it is they are right.
    expect(found.y!.gain!.before).toBeGreaterThan(100 * found.y!.gain!.after);
    expect(found.y!.layerGain!.before).toBeGreaterThan(found.y!.layerGain!.after);
  });

  it('is silent where the bias fits', async () => {
    expect(verdicts(await analysed(tiny(0.1), images([1, 3, 6, 6])), 'bias-overflow')).toEqual({});
  });
});

describe('mean-shift', () => {
  /** The second channel's weights are all 3.43 steps of one scale: all are rounded down alike. */
  const depthwise = (): Model => chain(f32('w', [2, 1, 3, 3], [...new Array(9).fill(1), ...new Array(9).fill(0.027)]), [0.5, 0.5], [], 2);
  const around = (mean: number): Tensors[] => [
    {
      x: feed(
        [1, 2, 6, 6],
        normals(createRandom(21), 72, 0.3).map((v) => v + mean),
      ),
    },
  ];

  it('says which share of the channels a bias could mend, and measures it', async () => {
    const verdict = verdicts(await analysed(depthwise(), around(5), { weights: 'per-tensor' }), 'mean-shift').y!;
    expect(verdict.sentence).toMatch(/shifts the mean of 1 of 2 channels, by up to [5-9] % of the channel's size/);
    // Nine weights, each 0.43 / 127 too small, under inputs around 5 (the border sees fewer).
    expect(verdict.evidence.channels!.low[1]!).toBeLessThan(-0.08);
    expect(verdict.evidence.channels!.low[1]!).toBeGreaterThan((-9 * 5.3 * 0.43) / 127);
    expect(verdict.repair).toEqual({ biasCorrection: true });
    expect(verdict.layerGain!.after).toBeLessThan(0.6 * verdict.layerGain!.before);
  });

  it('is silent where inputs have no mean, and where the weights are exact', async () => {
    expect(verdicts(await analysed(depthwise(), around(0), { weights: 'per-tensor' }), 'mean-shift')).toEqual({});
    expect(verdicts(await analysed(depthwise(), around(5)), 'mean-shift')).toEqual({});
  });
});

describe('dead-channel', () => {
  it('lists channels without weights and channels that never change', async () => {
    const weights = normals(createRandom(2), 12);
    weights.fill(0, 6, 9);
    const model = chain(f32('w', [4, 3, 1, 1], weights), [1, 2, 3, -1000], ['Relu']);
    const found = verdicts(await analysed(model, images([1, 3, 6, 6])), 'dead-channel');
    expect(found.y!.sentence).toMatch(/^2 of 4 output channels are dead: 2 has no weight but 0; 3 gave one and the same value/);
    expect(found.y!.repair).toBeNull();
    expect(found.y!.gain).toBeNull();
  });

  it('is silent about channels that live', async () => {
    const model = chain(f32('w', [4, 3, 1, 1], normals(createRandom(2), 12)), [1, 2, 3, 4], ['Relu']);
    expect(verdicts(await analysed(model, images([1, 3, 6, 6])), 'dead-channel')).toEqual({});
  });
});

describe('missing-batchnorm', () => {
  const normalized = (mean: readonly number[], variance: readonly number[]): Model =>
    makeModel({
      inputs: [value('x', [1, 3, 6, 6])],
      outputs: [value('z', [1, 2, 6, 6])],
      nodes: [
        node('Conv', ['x', 'w'], ['y'], { kernel_shape: [1, 1] }),
        node('BatchNormalization', ['y', 'gamma', 'beta', 'mean', 'variance'], ['n'], { epsilon: 1e-3 }, 'bn1'),
        node('Relu', ['n'], ['z']),
      ],
      initializers: [
        f32('w', [2, 3, 1, 1], normals(createRandom(8), 6)),
        f32('gamma', [2], [1.2, 0.8]),
        f32('beta', [2], [0.1, 0.2]),
        f32('mean', [2], mean),
        f32('variance', [2], variance),
      ],
    });
  const folded = async (model: Model): Promise<Model> => (await import('../../../src/onnx')).foldBatchNorm(model);

  it('is seen in the file although the statistics are folded away', async () => {
    const source = normalized([0, 0], [1, 1]);
    const model = await folded(source);
    expect(model.graph.nodes.map(({ op }) => op)).not.toContain('BatchNormalization');
    const found = verdicts(await analysed(model, images([1, 3, 6, 6]), {}, source), 'missing-batchnorm');
    expect(Object.values(found)[0]!.sentence).toContain('"bn1" has mean 0 and variance 1 in all 2 channels');
  });

  it('is silent about measured statistics', async () => {
    const source = normalized([0.1, -0.3], [0.9, 2]);
    expect(verdicts(await analysed(await folded(source), images([1, 3, 6, 6]), {}, source), 'missing-batchnorm')).toEqual({});
  });
});
