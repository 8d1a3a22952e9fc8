import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/numerics';
import { type Model, makeModel, type Node, node } from '../../../src/onnx';
import type { RunTensor, Tensors } from '../../../src/runtime';
import { prepareFloat, quantizableModel, quantize, splitChannels } from '../../../src/steps/quantize';
import type { ModelArtifact, RangesArtifact } from '../../../src/steps/types';
import { artifactOf, engine, f32, feed, nodesOf, normals, quiet, rangesOf, run, sqnr, value } from './helpers';

const SIZE = 12;
const CHANNELS = 8;

/** Ranges of a small network with its per-channel extremes, by running it. */
async function channelRanges(model: Model, feeds: readonly Tensors[], hash = 'hash'): Promise<RangesArtifact> {
  const base = await rangesOf(model, feeds, hash);
  const names = model.graph.nodes.flatMap((n) => n.outputs);
  const tapped: Model = {
    ...model,
    graph: { ...model.graph, outputs: names.map((name) => ({ name, dtype: 'float32' as const, shape: null })) },
  };
  const low = new Map<string, Float32Array>();
  const high = new Map<string, Float32Array>();
  for (const one of feeds)
    for (const [name, t] of Object.entries(await run(tapped, one))) {
      const channels = t.dims[1]!;
      const plane = t.data.length / channels;
      const lo = low.get(name) ?? new Float32Array(channels).fill(Number.POSITIVE_INFINITY);
      const hi = high.get(name) ?? new Float32Array(channels).fill(Number.NEGATIVE_INFINITY);
      for (let i = 0; i < t.data.length; i++) {
        const c = Math.floor(i / plane);
        lo[c] = Math.min(lo[c]!, Number(t.data[i]));
        hi[c] = Math.max(hi[c]!, Number(t.data[i]));
      }
      low.set(name, lo);
      high.set(name, hi);
    }
  const tensors = new Map(
    [...base.tensors].map(([name, stats]) => [name, { ...stats, channelMin: low.get(name)!, channelMax: high.get(name)! }]),
  );
  return { ...base, tensors };
}

const silu = (x: string, y: string): Node[] => [node('Sigmoid', [x], [`${x}_gate`]), node('Mul', [x, `${x}_gate`], [y])];

/** Conv → SiLU → depthwise (one or two) → SiLU → dense; output channel c of the first is `gains[c]` times as large. */
function separable(gains: readonly number[], branches = 1): { model: Model; feeds: Tensors[] } {
  const random = createRandom(11);
  const first = normals(random, CHANNELS * 3, 0.6).map((v, i) => v * gains[Math.floor(i / 3)]!);
  const outputs: string[] = [];
  const nodes = [node('Conv', ['x', 'w0', 'b0'], ['c0'], { kernel_shape: [1, 1] }), ...silu('c0', 'a0')];
  const initializers = [f32('w0', [CHANNELS, 3, 1, 1], first), f32('b0', [CHANNELS], new Float32Array(CHANNELS))];
  for (let k = 0; k < branches; k++) {
    // Each channel of the depthwise undoes its gain, as training makes it do.
    const taps = normals(random, CHANNELS * 9, 0.4).map((v, i) => v / gains[Math.floor(i / 9)]!);
    initializers.push(f32(`d${k}`, [CHANNELS, 1, 3, 3], taps), f32(`p${k}`, [4, CHANNELS, 1, 1], normals(random, 4 * CHANNELS, 0.5)));
    initializers.push(f32(`q${k}`, [4], normals(random, 4)));
    nodes.push(
      node('Conv', ['a0', `d${k}`], [`e${k}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: CHANNELS }),
      ...silu(`e${k}`, `f${k}`),
      node('Conv', [`f${k}`, `p${k}`, `q${k}`], [`y${k}`], { kernel_shape: [1, 1] }),
    );
    outputs.push(`y${k}`);
  }
  const model = makeModel({
    inputs: [value('x', [1, 3, SIZE, SIZE])],
    outputs: outputs.map((name) => value(name, [1, 4, SIZE, SIZE])),
    nodes,
    initializers,
  });
  const feeds = [0, 1, 2].map(() => ({ x: feed([1, 3, SIZE, SIZE], normals(random, 3 * SIZE * SIZE)) }));
  return { model, feeds };
}

const UNEVEN = [100, 0.1, 1, 90, 0.12, 1.1, 110, 0.9];
const EVEN = [1, 1.1, 0.9, 1, 1.05, 0.95, 1, 1];

function expectEqual(a: Record<string, RunTensor>, b: Record<string, RunTensor>): void {
  for (const [name, exact] of Object.entries(a)) {
    const scale = Math.max(...Array.from(exact.data as Float32Array, Math.abs));
    (exact.data as Float32Array).forEach((v, i) => {
      expect(Math.abs(v - Number(b[name]!.data[i])) / scale).toBeLessThan(1e-5);
    });
  }
}

describe('channel splitting', () => {
  it('cuts by range into parts with like channels, and computes the same', async () => {
    const { model, feeds } = separable(UNEVEN);
    const { model: split, layers, notes } = splitChannels(model, await channelRanges(model, feeds), 4);
    expect(layers).toEqual(['c0']);
    expect(notes[0]).toContain('3 parts of 2, 3, 3 channels');
    const groups = nodesOf(split, 'Conv').map((n) => split.graph.initializers.get(n.inputs[1]!)!.dims);
    expect(groups).toEqual([
      [2, 3, 1, 1],
      [3, 3, 1, 1],
      [3, 3, 1, 1],
      [2, 1, 3, 3],
      [3, 1, 3, 3],
      [3, 1, 3, 3],
      [4, 8, 1, 1],
    ]);
    for (const one of feeds) expectEqual(await run(model, one), await run(split, one));
  });

  it('cuts every depthwise reader of the layer alike', async () => {
    const { model, feeds } = separable(UNEVEN, 2);
    const { model: split, layers } = splitChannels(model, await channelRanges(model, feeds), 4);
    expect(layers).toEqual(['c0']);
    expect(nodesOf(split, 'Concat')).toHaveLength(2);
    expectEqual(await run(model, feeds[0]!), await run(split, feeds[0]!));
  });

  it('wins back what one scale loses, all in 8 bits', async () => {
    const { model, feeds } = separable(UNEVEN);
    const artifact: ModelArtifact = { ...artifactOf(model), hash: 'float' };
    const calibrate = (a: ModelArtifact) => channelRanges(a.model, feeds, a.hash);
    const exact = await run(model, feeds[0]!);
    const decibels = async (splitLayers: number): Promise<number> => {
      const { artifact: ready, ranges } = await prepareFloat(artifact, { equalize: false, splitLayers }, calibrate);
      const quant = await quantize(ready, ranges, { calibrator: 'minmax' }, quiet);
      expect(quant.plan.every(({ dtype }) => dtype !== 'uint16')).toBe(true);
      return sqnr(exact.y0!.data as Float32Array, (await run(quant.model, feeds[0]!)).y0!.data as Float32Array);
    };
    const [whole, cut] = [await decibels(0), await decibels(1)];
    expect(whole).toBeLessThan(20);
    expect(cut).toBeGreaterThan(whole + 10);
  });

  it('leaves alone what gains nothing or cannot be cut', async () => {
    const even = separable(EVEN);
    const none = splitChannels(even.model, await channelRanges(even.model, even.feeds), 4);
    expect(none).toEqual({ model: even.model, notes: [], layers: [] });

    const { model, feeds } = separable(UNEVEN);
    const ranges = await channelRanges(model, feeds);
    expect(splitChannels(model, ranges, 0).layers).toEqual([]);
    // The layer's result leaves the network: cutting it would change an output.
    const shown: Model = { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, value('a0', [1, CHANNELS, SIZE, SIZE])] } };
    expect(splitChannels(shown, ranges, 4).layers).toEqual([]);
    // Somebody reads it who is no depthwise convolution.
    const read: Model = {
      ...model,
      graph: {
        ...model.graph,
        nodes: [...model.graph.nodes, node('Relu', ['a0'], ['z'])],
        outputs: [...model.graph.outputs, value('z', [1, CHANNELS, SIZE, SIZE])],
      },
    };
    expect(splitChannels(read, ranges, 4).layers).toEqual([]);
  });

  it('calibrates again only what it has changed', async () => {
    const { model, feeds } = separable(EVEN);
    const hashes: string[] = [];
    const calibrate = (a: ModelArtifact) => {
      hashes.push(a.hash);
      return channelRanges(a.model, feeds, a.hash);
    };
    const artifact = artifactOf(quantizableModel(model));
    const same = await prepareFloat(artifact, { equalize: true, splitLayers: 3 }, calibrate);
    expect(same.artifact).toBe(artifact);
    expect(hashes).toEqual(['hash']);
    await (await engine()).dispose();
  });
});
