/** The public cases of structured pruning, each rebuilt by code, with its exact expectation. */
import { describe, expect, it } from 'vitest';
import { type Model, parseModel, toNumbers } from '../../../src/onnx';
import { channelGroups, groupText, removeChannels } from '../../../src/steps/prune';
import { caseFile, HAS_DATA } from '../../onnx/real';
import { difference, Net, prunable, weightDims, withTensors, zeroed } from './helpers';

/** P01: Conv(3→8) → Split[4,4] → Conv3×3 on half 2, + residual, Concat(half 1, half 2, sum), Conv(12→5). */
function splitInBlock(opset = 13): Model {
  const net = new Net(3);
  net.op('Conv', 'a', ['x', net.floats('w1', [8, 3, 1, 1]), net.floats('b1', [8])]);
  const attributes = opset < 13 ? { axis: 1, split: [4, 4] } : { axis: 1 };
  const inputs = opset < 13 ? ['a'] : ['a', net.ints('sp', [4, 4])];
  net.nodes.push({ ...splitNode(inputs, attributes) });
  net.op('Conv', 'm', ['s1', net.floats('w2', [4, 4, 3, 3])], { pads: [1, 1, 1, 1] });
  net.op('Add', 'ad', ['m', 's1']);
  net.op('Concat', 'c', ['s0', 's1', 'ad'], { axis: 1 });
  net.op('Conv', 'y', ['c', net.floats('w3', [5, 12, 1, 1])]);
  return net.model([['y', [1, 5, 6, 6]]], opset, [1, 3, 6, 6]);
}

function splitNode(inputs: readonly string[], attributes: { axis: number; split?: number[] }) {
  const net = new Net();
  net.op('Split', 's0', inputs, attributes);
  return { ...net.nodes[0]!, name: 'split', outputs: ['s0', 's1'] };
}

/** Channels 1 and 6 of `a`, 2 of the inner Conv: the zeroed original and what is left of it must agree. */
async function checkSplitInBlock(model: Model): Promise<void> {
  const pruned = removeChannels(model, [{ value: 'a', indices: [1, 6] }]);
  const { initializers } = model.graph;
  const zero = (name: string, axis: number, ...gone: number[]) => zeroed(initializers.get(name)!, axis, new Set(gone));
  const producersZeroed = withTensors(model, { w1: zero('w1', 0, 1, 6), b1: zero('b1', 0, 1, 6), w2: zero('w2', 0, 2) });
  expect(await difference(producersZeroed, pruned)).toBeLessThan(1e-5);
  const consumersZeroed = withTensors(model, { w2: zero('w2', 1, 2), w3: zero('w3', 1, 1, 6, 10) });
  expect(await difference(consumersZeroed, pruned)).toBeLessThan(1e-5);
  const split = pruned.graph.nodes.find(({ op }) => op === 'Split')!;
  const sizes = split.attributes.split;
  expect(sizes?.type === 'ints' ? sizes.value : toNumbers(pruned.graph.initializers.get(split.inputs[1]!)!)).toEqual([3, 3]);
  const byOutput = (name: string): string => pruned.graph.nodes.find(({ outputs }) => outputs.includes(name))!.name;
  expect(weightDims(pruned, byOutput('a'))).toEqual([6, 3, 1, 1]);
  expect(weightDims(pruned, byOutput('m'))).toEqual([3, 3, 3, 3]);
  expect(weightDims(pruned, byOutput('y'))).toEqual([5, 9, 1, 1]);
}

describe('P01: a split inside a block', () => {
  it.each([11, 13])('cuts the split, the inner convolution and two columns of the last (opset %i)', async (opset) => {
    await checkSplitInBlock(splitInBlock(opset));
  });

  it('writes sizes down where the Split had none', async () => {
    const model = splitInBlock();
    const nodes = model.graph.nodes.map((each) => (each.op === 'Split' ? { ...each, inputs: ['a'] } : each));
    const pruned = removeChannels({ ...model, graph: { ...model.graph, nodes } }, [{ value: 'a', indices: [0, 1, 6] }]);
    const split = pruned.graph.nodes.find(({ op }) => op === 'Split')!;
    expect(toNumbers(pruned.graph.initializers.get(split.inputs[1]!)!)).toEqual([2, 3]);
  });

  it('knows both halves as groups of their own', () => {
    const model = splitInBlock();
    expect(prunable(model)).toEqual({ a: [4, 4] });
    const inner = channelGroups(model).groups.find((group) => group.members.some(({ name }) => name === 'm'))!;
    expect(groupText(inner)).toContain('y ← w3 axis 1 [4–11]');
    // Row of w1 and its bias, row and column of w2 (4·9 + 3·9 more), two columns of w3.
    expect(inner.parametersPerChannel).toBe(3 + 1 + (4 * 4 - 3 * 3) * 9 + 2 * 5);
    expect(inner.macsPerChannel).toBe(36 * (3 + (4 * 4 - 3 * 3) * 9 + 2 * 5));
  });

  it.skipIf(!HAS_DATA)('does the same to the public file', async () => {
    await checkSplitInBlock(parseModel(caseFile('P01_split_concat.onnx')));
  });
});

describe('P03: a residual and a Concat see the same channels', () => {
  it('prunes both sides of the sum and both places of the Concat', async () => {
    const net = new Net(5);
    net.conv('a', 'x', 3, 6);
    net.conv('b', 'a', 6, 6, 3);
    net.op('Add', 's', ['a', 'b']);
    net.op('Concat', 'c', ['s', 'a'], { axis: 1 });
    net.conv('y', 'c', 12, 4);
    const model = net.model([['y', [1, 4, 8, 8]]]);
    expect(prunable(model)).toEqual({ a: [6] });
    const pruned = removeChannels(model, [{ value: 'b', indices: [0, 4] }]);
    expect(['a', 'b', 'y'].map((name) => weightDims(pruned, name))).toEqual([
      [4, 3, 1, 1],
      [4, 4, 3, 3],
      [4, 8, 1, 1],
    ]);
    const { initializers } = model.graph;
    const reference = withTensors(model, {
      b_w: zeroed(initializers.get('b_w')!, 1, new Set([0, 4])),
      y_w: zeroed(initializers.get('y_w')!, 1, new Set([0, 4, 6, 10])),
    });
    expect(await difference(reference, pruned)).toBeLessThan(1e-5);
  });
});

describe('P07: grouped convolution and odd counts', () => {
  it('takes the same number from both halves and keeps the group attribute', async () => {
    const net = new Net(7);
    net.conv('a', 'x', 3, 8);
    net.conv('g', 'a', 8, 8, 3, { group: 2 });
    net.conv('y', 'g', 8, 4);
    const model = net.model([['y', [1, 4, 8, 8]]]);
    expect(prunable(model)).toEqual({ a: [4], g: [4] });
    const pruned = removeChannels(model, [
      { value: 'a', indices: [1] },
      { value: 'g', indices: [2, 3] },
    ]);
    expect(['a', 'g', 'y'].map((name) => weightDims(pruned, name))).toEqual([
      [6, 3, 1, 1],
      [4, 3, 3, 3],
      [4, 4, 1, 1],
    ]);
    expect(pruned.graph.nodes.find(({ name }) => name === 'g')!.attributes.group).toEqual({ type: 'int', value: 2 });
    const { initializers } = model.graph;
    const reference = withTensors(model, {
      g_w: zeroed(initializers.get('g_w')!, 1, new Set([1])),
      y_w: zeroed(initializers.get('y_w')!, 1, new Set([2, 3, 6, 7])),
    });
    expect(await difference(reference, pruned)).toBeLessThan(1e-5);
  });

  it.each([1, 2])('lets a depthwise convolution follow its producer (multiplier %i)', async (multiplier) => {
    const net = new Net(9);
    net.conv('a', 'x', 3, 7);
    net.depthwise('d', 'a', 7, multiplier);
    net.conv('y', 'd', 7 * multiplier, 4);
    const model = net.model([['y', [1, 4, 8, 8]]]);
    const pruned = removeChannels(model, [{ value: 'a', indices: [0, 5] }]);
    expect(weightDims(pruned, 'd')).toEqual([5 * multiplier, 1, 3, 3]);
    expect(pruned.graph.nodes.find(({ name }) => name === 'd')!.attributes.group).toEqual({ type: 'int', value: 5 });
    const gone = new Set([0, 5].flatMap((c) => Array.from({ length: multiplier }, (_, m) => c * multiplier + m)));
    const reference = withTensors(model, { y_w: zeroed(model.graph.initializers.get('y_w')!, 1, gone) });
    expect(await difference(reference, pruned)).toBeLessThan(1e-5);
  });
});

describe('Q18: one constant in two roles', () => {
  it('is sliced once per use, and stays one constant where the slices agree', async () => {
    const net = new Net(11);
    const k = net.floats('k', [6]);
    net.op('Conv', 'a', ['x', net.floats('a_w', [6, 3, 1, 1]), k]);
    net.op('Relu', 'r', ['a']);
    net.op('Transpose', 't', ['r'], { perm: [0, 2, 3, 1] });
    net.op('Add', 'p', ['t', k]);
    net.op('Transpose', 'u', ['p'], { perm: [0, 3, 1, 2] });
    net.conv('b', 'u', 6, 6);
    net.op('Conv', 'y', ['b', net.floats('y_w', [6, 6, 1, 1]), k]);
    const model = net.model([['y', [1, 6, 8, 8]]]);
    const pruned = removeChannels(model, [{ value: 'a', indices: [1, 2] }]);
    expect(weightDims(pruned, 'a', 2)).toEqual([4]);
    expect(weightDims(pruned, 'p', 1)).toEqual([4]);
    expect(weightDims(pruned, 'y', 2)).toEqual([6]);
    const names = ['a', 'p', 'y'].map((name) => pruned.graph.nodes.find((each) => each.name === name)!.inputs.at(-1));
    expect(names[0]).toBe(names[1]);
    const reference = withTensors(model, { b_w: zeroed(model.graph.initializers.get('b_w')!, 1, new Set([1, 2])) });
    expect(await difference(reference, pruned)).toBeLessThan(1e-5);
  });
});
