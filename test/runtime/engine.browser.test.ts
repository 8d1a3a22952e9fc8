import { afterEach, describe, expect, it } from 'vitest';
import { readBack, requestDevice } from '../../src/kernels';
import { makeModel, node, serializeModel, valueInfo } from '../../src/onnx';
import { addTaps, type Engine, parityCheck } from '../../src/runtime';
import { chooseEngines, createWasmEngine, createWebGpuEngine } from '../../src/runtime/web';
import { smallBytes, smallInput, smallModel, smallOutput, smallSum } from './networks';

const engines: Engine[] = [];
async function keep(made: Promise<Engine>): Promise<Engine> {
  const engine = await made;
  engines.push(engine);
  return engine;
}
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.dispose()));
});

describe.each([
  ['wasm', () => createWasmEngine({ threads: 2 })],
  ['webgpu', () => createWebGpuEngine()],
] as const)('the %s engine', (backend, make) => {
  it('runs a network, overlapping calls queued, and frees every session', async () => {
    const engine = await keep(make());
    expect(engine.backend).toBe(backend);
    expect(engine.threads).toBe(backend === 'wasm' ? 2 : 1);
    const session = await engine.create(serializeModel(addTaps(smallModel(), ['sum'])));
    const other = await engine.create(smallBytes());
    const results = await Promise.all([
      session.run({ x: smallInput }),
      other.run({ x: smallInput }),
      session.run({ x: smallInput }, ['sum']),
    ]);
    expect([...results[0].y!.data]).toEqual(smallOutput);
    expect([...results[1].y!.data]).toEqual(smallOutput);
    expect([...results[2].sum!.data]).toEqual(smallSum);
    expect(engine.liveSessions).toBe(2);
    await engine.dispose();
    expect(engine.liveSessions).toBe(0);
    await expect(other.run({ x: smallInput })).rejects.toMatchObject({ code: 'runtime' });
  });

  it('gives float16 as its bits', async () => {
    const model = makeModel({
      inputs: [valueInfo('h', 'float16', [2])],
      outputs: [valueInfo('g', 'float16', [2])],
      nodes: [node('Identity', ['h'], ['g'])],
    });
    const session = await (await keep(createWasmEngine())).create(serializeModel(model));
    const { g } = await session.run({ h: { dtype: 'float16', dims: [2], data: new Uint16Array([0x3c00, 0xc500]) } });
    expect(g).toEqual({ dtype: 'float16', dims: [2], data: new Uint16Array([0x3c00, 0xc500]) });
  });
});

describe('the WebGPU engine', () => {
  it('agrees with WASM', async () => {
    const wasm = await keep(createWasmEngine());
    const gpu = await keep(createWebGpuEngine());
    const parity = await parityCheck(smallBytes(), [{ x: smallInput }], wasm, gpu);
    expect(parity).toMatchObject({ admitted: true, maxAbs: 0 });
  });

  it('leaves outputs on the device, where others can read them', async () => {
    const engine = await keep(createWebGpuEngine());
    const session = await engine.create(serializeModel(addTaps(smallModel(), ['sum'])), { outputs: 'gpu' });
    const outputs = await session.runOnGpu({ x: smallInput }, ['sum']);
    const { sum } = outputs;
    expect(sum!.dims).toEqual([1, 3, 2, 2]);
    expect(sum!.elements).toBe(12);
    expect([...new Float32Array(await readBack(engine.device!, sum!.buffer, 48))]).toEqual(smallSum);
    sum!.dispose();
    expect([...(await session.run({ x: smallInput })).y!.data]).toEqual(smallOutput);
  });

  it('names the limit that an input exceeds', async () => {
    const engine = await keep(createWebGpuEngine());
    const side = 20_000;
    const model = makeModel({
      inputs: [valueInfo('images', 'uint8', [1, 3, side, side])],
      outputs: [valueInfo('y', 'uint8', [1, 3, side, side])],
      nodes: [node('Identity', ['images'], ['y'])],
    });
    const session = await engine.create(serializeModel(model));
    const feed = { dtype: 'uint8', dims: [1, 3, side, side], data: new Uint8Array(3 * side * side) } as const;
    await expect(session.run({ images: feed })).rejects.toMatchObject({
      code: 'runtime',
      message: `Input "images" takes ${3 * side * side} bytes, more than this GPU's maxStorageBufferBindingSize of ${engine.device!.limits.maxStorageBufferBindingSize}.`,
    });
  });

  it('rejects instead of hanging when the device is lost, and a new engine works', async () => {
    const engine = await keep(createWebGpuEngine());
    const session = await engine.create(smallBytes());
    await session.run({ x: smallInput });
    engine.device!.destroy();
    await expect(session.run({ x: smallInput })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining('device was lost'),
    });
    const next = await keep(createWebGpuEngine());
    const { y } = await (await next.create(smallBytes())).run({ x: smallInput });
    expect([...y!.data]).toEqual(smallOutput);
  });

  it('leaves a device that it was given to its owner', async () => {
    const device = await requestDevice();
    await (await createWebGpuEngine({ device })).dispose();
    const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, new Float32Array([1, 2, 3, 4]));
    expect([...new Float32Array(await readBack(device, buffer, 16))]).toEqual([1, 2, 3, 4]);
    device.destroy();
  });
});

describe('the choice of engines', () => {
  it('takes WASM alone, leaves a software GPU aside unless it is asked for, and says so', async () => {
    const wasm = await chooseEngines('wasm', { threads: 1 });
    engines.push(wasm.engine);
    expect([wasm.engine.backend, wasm.gpu, wasm.notes]).toEqual(['wasm', null, []]);
    const auto = await chooseEngines('auto', { threads: 1 });
    engines.push(auto.engine);
    expect(auto.gpu).toBeNull();
    expect(auto.notes).toEqual([expect.stringContaining('swiftshader')]);
    const asked = await chooseEngines('webgpu', { threads: 1 });
    engines.push(asked.engine, asked.gpu!);
    expect(asked.gpu?.backend).toBe('webgpu');
  });
});
