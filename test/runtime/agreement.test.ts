import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/numerics';
import { makeModel, node } from '../../src/onnx';
import { type Engine, engineAgreement, type Session, type Tensors } from '../../src/runtime';
import { createNodeEngine, createNodeWasmEngine } from '../../src/runtime/node';
import { f32, feed, normals, quantized, value } from '../steps/quantize/helpers';

const engines: Engine[] = [];
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.dispose()));
});

/** Conv 3×3 → ReLU → Conv 1×1, quantized to 8 bits. */
async function network() {
  const random = createRandom(3);
  const feeds: Tensors[] = [0, 1].map(() => ({ x: feed([1, 3, 12, 12], normals(random, 432)) }));
  const float = makeModel({
    inputs: [value('x', [1, 3, 12, 12])],
    outputs: [value('y', [1, 4, 12, 12])],
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c1'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Relu', ['c1'], ['r1']),
      node('Conv', ['r1', 'w2', 'b2'], ['y'], { kernel_shape: [1, 1] }),
    ],
    initializers: [
      f32('w1', [8, 3, 3, 3], normals(random, 216, 0.3)),
      f32('b1', [8], normals(random, 8)),
      f32('w2', [4, 8, 1, 1], normals(random, 32, 0.4)),
      f32('b2', [4], normals(random, 4)),
    ],
  });
  return { model: (await quantized(float, feeds)).model, feeds };
}

/** An engine whose output `name` is off by `steps`, as a faulty backend's would be. */
function faulty(engine: Engine, name: string, steps: number): Engine {
  return {
    ...engine,
    async create(model, options) {
      const session = await engine.create(model, options);
      const run: Session['run'] = async (feeds, fetches) => {
        const outputs = await session.run(feeds, fetches);
        const own = outputs[name];
        if (own?.data instanceof Uint8Array) own.data[5] = own.data[5]! > 100 ? own.data[5]! - steps : own.data[5]! + steps;
        return outputs;
      };
      return { ...session, run };
    },
  };
}

describe('agreement of engines', () => {
  it('compares Node and WASM layer by layer on the same integers', async () => {
    const { model, feeds } = await network();
    const nodeEngine = await createNodeEngine({ threads: 1 });
    const wasm = await createNodeWasmEngine();
    engines.push(nodeEngine, wasm);
    const report = await engineAgreement(model, feeds, [
      { label: 'Node, disabled', engine: nodeEngine, optimization: 'disabled' },
      { label: 'Node, all', engine: nodeEngine, optimization: 'all' },
      { label: 'WASM, disabled', engine: wasm, optimization: 'disabled' },
    ]);
    expect(report).toMatchObject({ reference: 'Node, disabled', images: 2 });
    expect(report.engines.map((e) => [e.subject, e.failed])).toEqual([
      ['Node, all', ''],
      ['WASM, disabled', ''],
    ]);
    for (const { layers, outputsDb } of report.engines) {
      expect(layers.map((l) => [l.value, l.elements])).toEqual([
        ['x', 864],
        ['r1', 2304],
        [expect.stringContaining('y'), 1152],
      ]);
      for (const layer of layers) {
        expect(layer.maxSteps).toBeLessThanOrEqual(1);
        expect(layer.differing / layer.elements).toBeLessThan(1e-3);
      }
      expect(outputsDb.y).toBeGreaterThan(40);
    }
  });

  it('blames the layer that differs and no other', async () => {
    const { model, feeds } = await network();
    const engine = await createNodeEngine({ threads: 1 });
    engines.push(engine);
    const codes = model.graph.nodes.find((n) => n.op === 'QuantizeLinear' && n.inputs[0] === 'r1')!.outputs[0]!;
    const report = await engineAgreement(model, feeds.slice(0, 1), [
      { label: 'right', engine, optimization: 'disabled' },
      { label: 'wrong', engine: faulty(engine, codes, 9), optimization: 'disabled' },
    ]);
    expect(report.engines[0]!.layers.map((l) => [l.differing, l.maxSteps])).toEqual([
      [0, 0],
      [1, 9],
      [0, 0],
    ]);
  });

  it('reports an engine that cannot run the network instead of failing', async () => {
    const { model, feeds } = await network();
    const engine = await createNodeEngine({ threads: 1 });
    const gone = await createNodeEngine({ threads: 1 });
    await gone.dispose();
    engines.push(engine);
    const report = await engineAgreement(model, feeds, [
      { label: 'a', engine, optimization: 'disabled' },
      { label: 'b', engine: gone, optimization: 'disabled' },
    ]);
    expect(report.engines[0]).toMatchObject({ layers: [], failed: expect.stringContaining('disposed') });
    await expect(engineAgreement(model, [], [{ label: 'a', engine, optimization: 'all' }])).rejects.toThrow('at least one image');
  });
});
