/** Random small networks: whatever is built from these blocks, the pruned graph equals the zeroed original. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../../src/onnx';
import { Net } from './helpers';
import { prove } from './prove';

interface Value {
  readonly name: string;
  readonly channels: number;
}

const BLOCKS = ['conv', 'depthwise', 'grouped', 'act', 'bn', 'add', 'concat', 'split', 'se', 'shuffle', 'pool', 'slice'] as const;
type Block = readonly [kind: (typeof BLOCKS)[number], a: number, b: number, width: number];

function addBlock(net: Net, values: Value[], [kind, a, b, width]: Block, index: number): void {
  const x = values[a % values.length]!;
  const other = values[b % values.length]!;
  const name = `v${index}`;
  const push = (channels: number, value = name): void => void values.push({ name: value, channels });
  if (kind === 'conv') {
    net.conv(name, x.name, x.channels, width, 3);
    push(width);
  } else if (kind === 'depthwise') {
    net.depthwise(name, x.name, x.channels);
    push(x.channels);
  } else if (kind === 'grouped' && x.channels % 2 === 0) {
    net.conv(name, x.name, x.channels, 2 * width, 1, { group: 2 });
    push(2 * width);
  } else if (kind === 'act') {
    net.silu(name, x.name);
    push(x.channels);
  } else if (kind === 'bn') {
    const parameters = ['s', 'b', 'm'].map((p) => net.floats(`${name}_${p}`, [x.channels]));
    net.op('BatchNormalization', name, [x.name, ...parameters, net.floats(`${name}_v`, [x.channels], 0, 1)]);
    push(x.channels);
  } else if (kind === 'add' && x.channels === other.channels) {
    net.op('Add', name, [x.name, other.name]);
    push(x.channels);
  } else if (kind === 'concat') {
    net.op('Concat', name, [x.name, other.name], { axis: 1 });
    push(x.channels + other.channels);
  } else if (kind === 'split' && x.channels > 2) {
    net.op('Split', name, [x.name, net.ints(`${name}_sizes`, [2, x.channels - 2])], { axis: 1 });
    const node = net.nodes.pop()!;
    net.nodes.push({ ...node, outputs: [name, `${name}_r`] });
    push(2);
    push(x.channels - 2, `${name}_r`);
  } else if (kind === 'se') {
    net.op('GlobalAveragePool', `${name}_g`, [x.name]);
    net.op('Sigmoid', `${name}_s`, [net.conv(`${name}_c`, `${name}_g`, x.channels, x.channels)]);
    net.op('Mul', name, [x.name, `${name}_s`]);
    push(x.channels);
  } else if (kind === 'shuffle' && x.channels % 2 === 0) {
    net.op('Reshape', `${name}_a`, [x.name, net.ints(`${name}_5`, [1, 2, x.channels / 2, 8, 8])]);
    net.op('Transpose', `${name}_b`, [`${name}_a`], { perm: [0, 2, 1, 3, 4] });
    net.op('Reshape', name, [`${name}_b`, net.ints(`${name}_4`, [1, -1, 8, 8])]);
    push(x.channels);
  } else if (kind === 'pool') {
    net.op('MaxPool', name, [x.name], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
    push(x.channels);
  } else if (kind === 'slice' && x.channels > 2) {
    net.op('Slice', name, [x.name, net.ints(`${name}_f`, [1]), net.ints(`${name}_t`, [-1]), net.ints(`${name}_x`, [1])]);
    push(x.channels - 2);
  }
}

/** Blocks on top of two convolutions, everything joined by a last convolution. */
function build(blocks: readonly Block[]): Model {
  const net = new Net(blocks.length + 1);
  const values: Value[] = [
    { name: net.conv('c0', 'x', 3, 6), channels: 6 },
    { name: net.conv('c1', 'x', 3, 6, 3), channels: 6 },
  ];
  blocks.forEach((block, i) => {
    addBlock(net, values, block, i);
  });
  const last = values.slice(-3);
  net.op(
    'Concat',
    'all',
    last.map(({ name }) => name),
    { axis: 1 },
  );
  net.conv(
    'y',
    'all',
    last.reduce((total, { channels }) => total + channels, 0),
    4,
  );
  return net.model([['y', [1, 4, 8, 8]]]);
}

const block = fc.tuple(fc.constantFrom(...BLOCKS), fc.nat(30), fc.nat(30), fc.integer({ min: 2, max: 6 }));

describe('random networks', () => {
  it('are equal to the zeroed original after pruning', async () => {
    let removed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(block, { minLength: 2, maxLength: 12 }), fc.integer({ min: 1, max: 1000 }), async (blocks, seed) => {
        const model = build(blocks);
        const proof = await prove(model, 0.4, seed);
        removed += proof.removed;
        expect(proof.difference).toBeLessThan(1e-3);
      }),
      { numRuns: 120, seed: 20 },
    );
    expect(removed).toBeGreaterThan(200);
  });
});
