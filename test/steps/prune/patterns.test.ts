/** Every way channels travel through a detector: pruned = the original with outgoing weights zeroed. */
import { describe, expect, it } from 'vitest';
import { type Model, toNumbers } from '../../../src/onnx';
import { channelGroups, removeChannels } from '../../../src/steps/prune';
import { difference, Net, prunable, weightDims, withTensors, zeroed } from './helpers';
import { prove } from './prove';

interface Pattern {
  readonly name: string;
  readonly build: (net: Net) => Model;
  /** Channels of the prunable groups, by the node that makes them. */
  readonly groups: Record<string, number[]>;
}

const out = (net: Net, x: string, from: number, opset = 13): Model => {
  net.conv('y', x, from, 4);
  return net.model([['y', [1, 4, null, null]]], opset);
};

const PATTERNS: readonly Pattern[] = [
  {
    name: 'Focus slices of the image, then convolutions with SiLU',
    groups: { a: [6], b: [8] },
    build(net) {
      const parts = [0, 1].flatMap((row) =>
        [0, 1].map((col) =>
          net.op('Slice', `f${row}${col}`, [
            'x',
            net.ints(`s${row}${col}`, [row, col]),
            net.ints(`e${row}${col}`, [2 ** 31, 2 ** 31]),
            net.ints(`x${row}${col}`, [2, 3]),
            net.ints(`t${row}${col}`, [2, 2]),
          ]),
        ),
      );
      net.op('Concat', 'focus', parts, { axis: 1 });
      net.silu('as', net.conv('a', 'focus', 12, 6, 3));
      net.silu('bs', net.conv('b', 'as', 6, 8));
      return out(net, 'bs', 8);
    },
  },
  {
    name: 'space-to-depth slices of features couple their four copies',
    groups: { a: [6] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      const parts = [0, 1].map((row) =>
        net.op('Slice', `f${row}`, [
          'a',
          net.ints(`s${row}`, [row]),
          net.ints(`e${row}`, [2 ** 31]),
          net.ints(`x${row}`, [2]),
          net.ints(`t${row}`, [2]),
        ]),
      );
      net.op('Concat', 'c', parts, { axis: 1 });
      return out(net, 'c', 12);
    },
  },
  {
    name: 'SPP: poolings of one tensor, concatenated',
    groups: { a: [6], b: [5] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      const pools = [3, 5].map((k) => net.op('MaxPool', `p${k}`, ['a'], { kernel_shape: [k, k], pads: Array(4).fill((k - 1) / 2) }));
      net.op('AveragePool', 'v', ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
      net.op('Concat', 'c', ['a', ...pools, 'v'], { axis: 1 });
      net.conv('b', 'c', 24, 5);
      return out(net, 'b', 5);
    },
  },
  {
    name: 'BatchNormalization, PRelu, InstanceNormalization, HardSwish by parts',
    groups: { a: [6] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      const bn = ['bn_s', 'bn_b', 'bn_m'].map((name) => net.floats(name, [6]));
      net.op('BatchNormalization', 'n', ['a', ...bn, net.floats('bn_v', [6], 0.1, 1)]);
      net.op('PRelu', 'p', ['n', net.floats('slope', [6, 1, 1])]);
      net.op('InstanceNormalization', 'i', ['p', net.floats('in_s', [6]), net.floats('in_b', [6])]);
      net.op('Add', 'h', ['i', net.floats('three', [1], 0, 3)]);
      net.op('Clip', 'cl', ['h', '', net.floats('six', [], 0, 6)]);
      net.op('Mul', 'm', ['i', 'cl']);
      return out(net, 'm', 6);
    },
  },
  {
    name: 'squeeze-and-excitation gates follow the channels they gate',
    groups: { a: [8], d1: [4] },
    build(net) {
      net.conv('a', 'x', 3, 8);
      net.op('GlobalAveragePool', 'g', ['a']);
      net.op('Relu', 'r', [net.conv('d1', 'g', 8, 4)]);
      net.op('Sigmoid', 's', [net.conv('d2', 'r', 4, 8)]);
      net.op('Mul', 'm', ['a', 's']);
      return out(net, 'm', 8);
    },
  },
  {
    name: 'inverted residual: expand, depthwise, project, add',
    groups: { a: [6], e: [12] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('Relu', 'er', [net.conv('e', 'a', 6, 12)]);
      net.conv('pr', net.depthwise('d', 'er', 12), 12, 6);
      net.op('Add', 's', ['a', 'pr']);
      return out(net, 's', 6);
    },
  },
  {
    name: 'ShuffleNet: split, branch, concat, Reshape–Transpose–Reshape',
    groups: { a: [3, 3, 6], b: [6] },
    build(net) {
      net.conv('a', 'x', 3, 12);
      const halves = net.ints('halves', [6, 6]);
      net.nodes.push({ ...splitTo(net, 'a', halves), outputs: ['h0', 'h1'] });
      net.conv('b', 'h1', 6, 6);
      net.conv('b2', net.depthwise('bd', 'b', 6), 6, 6);
      net.op('Concat', 'c', ['h0', 'b2'], { axis: 1 });
      net.op('Reshape', 'r', ['c', net.ints('five', [1, 2, 6, 8, 8])]);
      net.op('Transpose', 't', ['r'], { perm: [0, 2, 1, 3, 4] });
      net.op('Reshape', 'sh', ['t', net.ints('four', [1, 12, 8, 8])]);
      net.nodes.push({ ...splitTo(net, 'sh', halves), name: 'split2', outputs: ['k0', 'k1'] });
      net.conv('e', 'k1', 6, 6);
      net.op('Concat', 'c2', ['k0', 'e'], { axis: 1 });
      net.op('Reshape', 'r2', ['c2', net.ints('five2', [0, 2, -1, 8, 8])]);
      net.op('Transpose', 't2', ['r2'], { perm: [0, 2, 1, 3, 4] });
      net.op('Reshape', 'sh2', ['t2', net.ints('four2', [0, -1, 8, 8])]);
      return out(net, 'sh2', 12);
    },
  },
  {
    name: 'feature pyramid: Resize by scales and by sizes, Add',
    groups: { a: [6], b: [5] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.conv('down', 'a', 6, 6, 3, { strides: [2, 2] });
      const scales = net.values('scales', [1, 1, 2, 2]);
      net.op('Resize', 'up', ['down', '', scales], { mode: 'nearest' });
      net.op('Add', 's', ['a', 'up']);
      net.conv('b', 's', 6, 5);
      net.op('Resize', 'big', ['b', '', '', net.ints('sizes', [1, 5, 16, 16])], { mode: 'linear' });
      return out(net, 'big', 5);
    },
  },
  {
    name: 'ConvTranspose: dense, grouped and depthwise',
    groups: { a: [6], t: [2], g: [4] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('ConvTranspose', 't', ['a', net.floats('t_w', [6, 4, 2, 2], 0.4), net.floats('t_b', [4])], { strides: [2, 2] });
      net.op('ConvTranspose', 'd', ['t', net.floats('d_w', [4, 1, 2, 2], 0.4)], { group: 4 });
      net.op('ConvTranspose', 'g', ['d', net.floats('g_w', [4, 4, 2, 2], 0.4)], { group: 2 });
      return out(net, 'g', 8);
    },
  },
  {
    name: 'classifier: pool, Flatten, Gemm (transB), MatMul, Add',
    groups: { a: [6], f: [10], m: [7] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('MaxPool', 'p', ['a'], { kernel_shape: [4, 4], strides: [4, 4] });
      net.op('Flatten', 'fl', ['p']);
      net.op('Relu', 'r', [net.op('Gemm', 'f', ['fl', net.floats('f_w', [10, 24], 0.3), net.floats('f_b', [10])], { transB: 1 })]);
      net.op('MatMul', 'm', ['r', net.floats('m_w', [10, 7], 0.3)]);
      net.op('Add', 'mb', ['m', net.floats('mb_c', [1, 7])]);
      net.op('Gemm', 'y', ['mb', net.floats('y_w', [7, 3], 0.3), net.floats('y_b', [3])]);
      net.op('Softmax', 'soft', ['y'], { axis: -1 });
      return net.model([['soft', [1, 3]]]);
    },
  },
  {
    name: 'ReduceMean over space, Squeeze, Unsqueeze, gate',
    groups: { a: [6] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('ReduceMean', 'm', ['a'], { axes: [2, 3], keepdims: 0 });
      net.op('Unsqueeze', 'u', ['m', net.ints('axes', [2, 3])]);
      net.op('Squeeze', 'sq', ['u', net.ints('axes3', [3])]);
      net.op('Unsqueeze', 'u2', ['sq', net.ints('axes3b', [3])]);
      net.op('Sub', 'd', ['a', 'u2']);
      return out(net, 'd', 6);
    },
  },
  {
    name: 'channels last: Transpose, per-channel constants, Transpose back',
    groups: { a: [6] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('Transpose', 't', ['a'], { perm: [0, 2, 3, 1] });
      net.op('Mul', 'm', ['t', net.floats('k', [6])]);
      net.op('Transpose', 'u', ['m'], { perm: [0, 3, 1, 2] });
      return out(net, 'u', 6);
    },
  },
  {
    name: 'Max, Min, Div, Where between branches',
    groups: { a: [6] },
    build(net) {
      for (const name of ['a', 'b', 'c']) net.conv(name, 'x', 3, 6);
      net.op('Max', 'mx', ['a', 'b', 'c']);
      net.op('Min', 'mn', ['a', 'b', net.floats('lim', [6, 1, 1])]);
      net.op('Greater', 'gt', ['mx', 'c']);
      net.op('Where', 'w', ['gt', 'mx', 'mn']);
      net.op('Exp', 'ex', [net.op('Clip', 'cl', ['c', net.floats('lo', [], 0, -1), net.floats('hi', [], 0, 1)])]);
      net.op('Div', 'd', ['w', 'ex']);
      return out(net, 'd', 6);
    },
  },
  {
    name: 'channel Slice with negative and open ends',
    groups: { a: [3, 2, 3] },
    build(net) {
      net.conv('a', 'x', 3, 8);
      net.op('Slice', 's', ['a', net.ints('st', [-5]), net.ints('en', [2 ** 31]), net.ints('ax', [1])]);
      net.op('Slice', 's2', ['a', net.ints('st2', [0]), net.ints('en2', [5]), net.ints('ax2', [-3])]);
      net.op('Concat', 'c', ['s', 's2'], { axis: 1 });
      return out(net, 'c', 10);
    },
  },
  {
    name: 'Gather that reorders and repeats channels',
    groups: { a: [1, 3, 1] },
    build(net) {
      net.conv('a', 'x', 3, 5);
      net.op('Gather', 'g', ['a', net.ints('order', [4, 0, -3, 0, 1])], { axis: 1 });
      net.conv('z', 'a', 5, 4);
      net.conv('y0', 'g', 5, 4);
      net.op('Add', 'y', ['y0', 'z']);
      return net.model([['y', [1, 4, 8, 8]]]);
    },
  },
  {
    name: 'channel padding of a skip connection (Pad)',
    groups: { a: [4], b: [4] },
    build(net) {
      net.conv('a', 'x', 3, 4);
      net.op('Pad', 'p', ['a', net.ints('pads', [0, 0, 0, 0, 0, 4, 0, 0])]);
      net.conv('b', 'a', 4, 8, 3);
      net.op('Add', 's', ['b', 'p']);
      return out(net, 's', 8);
    },
  },
  {
    name: 'channel padding of a skip connection (Concat with a constant)',
    groups: { a: [4], b: [4] },
    build(net) {
      net.conv('a', 'x', 3, 4);
      net.op('Concat', 'p', ['a', net.floats('zeros', [1, 4, 8, 8], 0)], { axis: 1 });
      net.conv('b', 'a', 4, 8, 3);
      net.op('Add', 's', ['b', 'p']);
      return out(net, 's', 8);
    },
  },
  ...(['DCR', 'CRD'] as const).map((mode) => ({
    name: `DepthToSpace ${mode}, SpaceToDepth`,
    groups: { a: [3] },
    build(net: Net) {
      net.conv('a', 'x', 3, 12);
      net.op('DepthToSpace', 'd', ['a'], { blocksize: 2, mode });
      net.op('SpaceToDepth', 's', ['d'], { blocksize: 2 });
      return out(net, 's', 12);
    },
  })),
  {
    name: 'Expand of a gate and Tile',
    groups: { a: [4] },
    build(net) {
      net.conv('a', 'x', 3, 4);
      net.op('GlobalAveragePool', 'g', ['a']);
      net.op('Expand', 'e', ['g', net.ints('shape', [1, 4, 8, 8])]);
      net.op('Mul', 'm', ['a', 'e']);
      net.op('Tile', 't', ['m', net.ints('repeats', [1, 2, 1, 1])]);
      return out(net, 't', 8);
    },
  },
  {
    name: 'one weight shared by two layers stays one weight',
    groups: { a: [6], b: [5] },
    build(net) {
      net.conv('a', 'x', 3, 6);
      net.op('MaxPool', 'p', ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
      net.conv('b', 'a', 6, 5);
      net.op('Conv', 'c', ['p', 'b_w', 'b_b']);
      net.op('Concat', 'cc', ['b', 'c'], { axis: 1 });
      return out(net, 'cc', 10);
    },
  },
  {
    name: 'head: Concat of branches, Reshape, Transpose to the output',
    groups: { a: [8] },
    build(net) {
      net.conv('a', 'x', 3, 8);
      const parts = [net.conv('box', 'a', 8, 4), net.op('Sigmoid', 'os', [net.conv('obj', 'a', 8, 1)])];
      net.op('Concat', 'c', parts, { axis: 1 });
      net.op('Reshape', 'r', ['c', net.ints('flat', [1, 5, -1])]);
      net.op('Transpose', 'y', ['r'], { perm: [0, 2, 1] });
      return net.model([['y', [1, 64, 5]]]);
    },
  },
];

function splitTo(net: Net, x: string, sizes: string) {
  net.op('Split', `split_${x}`, [x, sizes], { axis: 1 });
  return net.nodes.pop()!;
}

describe.each(PATTERNS)('$name', ({ build, groups }) => {
  const model = build(new Net(21));

  it('has the right groups', () => {
    const found = prunable(model);
    const pick = Object.fromEntries(Object.keys(groups).map((source) => [source, found[source]]));
    expect(pick).toEqual(groups);
  });

  it.each([1, 2])('is equal to the zeroed original (draw %i)', async (seed) => {
    const proof = await prove(model, 0.45, seed);
    expect(proof.removed).toBeGreaterThan(0);
    expect(proof.difference).toBeLessThan(1e-5);
  });
});

describe('what keeps channels whole', () => {
  const reasonOf = (model: Model, source: string, protectedNodes: readonly string[] = []): string | null =>
    channelGroups(model, { protectedNodes }).groups.find((group) => group.source === source)!.reason;

  it('names the output, the protected node, the mixing and the unknown operator', () => {
    const net = new Net(2);
    net.conv('a', 'x', 3, 4);
    net.conv('b', net.op('Softmax', 'so', ['a'], { axis: 1 }), 4, 4);
    net.conv('p', 'b', 4, 4);
    net.nodes.push({
      name: 'odd',
      op: 'Oddity',
      domain: 'com.example',
      inputs: [net.conv('o', 'p', 4, 4)],
      outputs: ['odd_out'],
      attributes: {},
    });
    net.conv('y', net.conv('free', 'p', 4, 4), 4, 4);
    const model = net.model([
      ['y', [1, 4, 8, 8]],
      ['odd_out', null as never],
    ]);
    expect(reasonOf(model, 'a')).toBe('so (Softmax) runs over all channels');
    expect(reasonOf(model, 'b')).toBeNull();
    expect(reasonOf(model, 'b', ['b'])).toBe('b (Conv) is protected');
    expect(reasonOf(model, 'o')).toBe("odd (Oddity) isn't known to the pruner");
    expect(reasonOf(model, 'free')).toBeNull();
    expect(reasonOf(model, 'y')).toBe('they are the output "y"');
    expect(() => removeChannels(model, [{ value: 'y', indices: [0] }])).toThrow('they are the output "y"');
    expect(() => removeChannels(model, [{ value: 'free', indices: [4] }])).toThrow('has 4 channels on axis 1, not channel 4');
    expect(() => removeChannels(model, [{ value: 'free', indices: [0, 1, 2, 3] }])).toThrow('would lose all its 4 channels');
  });

  it('respects the meaning of Softmax before opset 13', () => {
    const net = new Net(2);
    net.conv('a', 'x', 3, 4);
    net.conv('y', net.op('Softmax', 'so', ['a'], { axis: 2 }), 4, 4);
    expect(reasonOf(net.model([['y', [1, 4, 8, 8]]], 11), 'a')).toBeNull();
    const flat = new Net(2);
    flat.conv('a', 'x', 3, 4);
    flat.conv('y', flat.op('Softmax', 'so', ['a'], { axis: 1 }), 4, 4);
    expect(reasonOf(flat.model([['y', [1, 4, 8, 8]]], 11), 'a')).toContain('Softmax');
  });
});

describe('rewritten numbers', () => {
  it('are renumbered where Gather and Reshape name them', async () => {
    const net = new Net(4);
    net.conv('a', 'x', 3, 5);
    net.op('Gather', 'g', ['a', net.ints('order', [4, 0, -3, 1])], { axis: 1 });
    net.op('Reshape', 'r', ['g', net.ints('flat', [1, 4, 64])]);
    net.op('Reshape', 'r2', ['r', net.ints('back', [1, 4, 8, 8])]);
    net.conv('y', 'r2', 4, 4);
    const model = net.model([['y', [1, 4, 8, 8]]]);
    const pruned = removeChannels(model, [{ value: 'a', indices: [0] }]);
    const ints = (name: string): number[] => toNumbers(pruned.graph.initializers.get(name)!);
    expect(ints('order')).toEqual([3, 1, 0]);
    expect(ints('flat')).toEqual([1, 3, 64]);
    expect(weightDims(pruned, 'y')).toEqual([4, 3, 1, 1]);
    const reference = withTensors(model, { y_w: zeroed(model.graph.initializers.get('y_w')!, 1, new Set([1])) });
    expect(await difference(reference, pruned)).toBeLessThan(1e-5);
  });
});
