import { afterEach, describe, expect, it } from 'vitest';
import { makeModel, node, serializeModel, valueInfo } from '../../src/onnx';
import { addTaps, type Engine, parityCheck, type Session } from '../../src/runtime';
import { createNodeEngine } from '../../src/runtime/node';
import { smallBytes, smallInput, smallModel, smallOutput, smallSum } from './networks';

const engines: Engine[] = [];
async function open(threads = 1): Promise<Engine> {
  const engine = await createNodeEngine({ threads });
  engines.push(engine);
  return engine;
}
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.dispose()));
});

describe('the Node engine', () => {
  it('runs a network and says what it is', async () => {
    const engine = await open();
    expect(engine).toMatchObject({ backend: 'node', threads: 1, note: '', device: null });
    expect(engine.version).toMatch(/^onnxruntime-node 1\.\d+\.\d+ \(1 thread\)$/);
    const session = await engine.create(smallBytes());
    expect([session.inputNames, session.outputNames]).toEqual([['x'], ['y']]);
    const { y } = await session.run({ x: smallInput });
    expect(y!.dims).toEqual([1, 3, 2, 2]);
    expect([...y!.data]).toEqual(smallOutput);
  });

  it('shows intermediate values through taps, each once', async () => {
    const engine = await open();
    const tapped = addTaps(smallModel(), ['sum', 'y', 'sum']);
    const session = await engine.create(serializeModel(tapped));
    expect(session.outputNames).toEqual(['y', 'sum']);
    const outputs = await session.run({ x: smallInput }, ['sum']);
    expect(Object.keys(outputs)).toEqual(['sum']);
    expect([...outputs.sum!.data]).toEqual(smallSum);
    expect(() => addTaps(smallModel(), ['nothing'])).toThrow('"nothing" is not a value that this network computes.');
  });

  it('carries 64-bit integers, booleans and float16 as their storage', async () => {
    const model = makeModel({
      inputs: [valueInfo('n', 'int64', [2]), valueInfo('h', 'float16', [2])],
      outputs: [valueInfo('m', 'int64', [2]), valueInfo('b', 'bool', [2]), valueInfo('g', 'float16', [2])],
      nodes: [node('Neg', ['n'], ['m']), node('Greater', ['n', 'm'], ['b']), node('Identity', ['h'], ['g'])],
    });
    const session = await (await open()).create(serializeModel(model));
    const { m, b, g } = await session.run({
      n: { dtype: 'int64', dims: [2], data: new BigInt64Array([-(2n ** 60n), 3n]) },
      h: { dtype: 'float16', dims: [2], data: new Uint16Array([0x3c00, 0xc500]) },
    });
    expect(m!.data).toEqual(new BigInt64Array([2n ** 60n, -3n]));
    expect(b).toEqual({ dtype: 'bool', dims: [2], data: new Uint8Array([0, 1]) });
    expect(g).toEqual({ dtype: 'float16', dims: [2], data: new Uint16Array([0x3c00, 0xc500]) });
  });

  it('queues runs that are not awaited, and survives one that fails', async () => {
    const session = await (await open()).create(smallBytes());
    const wrong = session.run({ x: { ...smallInput, dims: [1, 3, 4, 2], data: new Float32Array(24) } });
    const right = session.run({ x: smallInput });
    await expect(wrong).rejects.toMatchObject({ code: 'runtime', message: expect.stringContaining('ONNX Runtime failed while running') });
    expect([...(await right).y!.data]).toEqual(smallOutput);
  });

  it('refuses wrong feeds and fetches by name', async () => {
    const session = await (await open()).create(smallBytes());
    await expect(session.run({})).rejects.toMatchObject({ code: 'bad-data', message: 'Input "x" was not given.' });
    await expect(session.run({ x: { ...smallInput, dims: [1, 3] } })).rejects.toThrow('has 12 values, its shape [1, 3] needs 3');
    await expect(session.run({ x: { ...smallInput, dtype: 'int32' } })).rejects.toThrow('is int32 but its data is a Float32Array');
    await expect(session.run({ x: smallInput }, ['z'])).rejects.toThrow('"z" is not an output of this session (y).');
    await expect(session.runOnGpu({ x: smallInput })).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('counts its sessions down to none, waits for queued runs, and refuses what was released', async () => {
    const engine = await open();
    const sessions: Session[] = [];
    for (let i = 0; i < 3; i++) sessions.push(await engine.create(smallBytes()));
    expect(engine.liveSessions).toBe(3);
    const last = sessions[0]!.run({ x: smallInput });
    await Promise.all([sessions[0]!.release(), sessions[0]!.release()]);
    expect([...(await last).y!.data]).toEqual(smallOutput);
    expect(engine.liveSessions).toBe(2);
    await expect(sessions[0]!.run({ x: smallInput })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining('released'),
    });
    await engine.dispose();
    expect(engine.liveSessions).toBe(0);
    await expect(engine.create(smallBytes())).rejects.toThrow('disposed');
  });

  it('says in one sentence why a model could not be loaded', async () => {
    const engine = await open();
    await expect(engine.create(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringMatching(/^ONNX Runtime could not load the model: [^\n]+\.$/),
    });
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [1])],
      outputs: [valueInfo('y', 'float32', [1])],
      nodes: [node('Warp', ['x'], ['y'])],
    });
    await expect(engine.create(serializeModel(model))).rejects.toThrow(/Warp/);
    expect(engine.liveSessions).toBe(0);
    await expect(createNodeEngine({ threads: 0 })).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('the parity check', () => {
  /** The same engine, but one value of every output is off by `error`. */
  function off(engine: Engine, error: number): Engine {
    return {
      ...engine,
      liveSessions: 0,
      create: async (bytes) => {
        const session = await engine.create(bytes);
        return {
          ...session,
          run: async (feeds, fetches) => {
            const outputs = await session.run(feeds, fetches);
            for (const tensor of Object.values(outputs)) tensor.data[3] = (tensor.data[3] as number) + error;
            return outputs;
          },
        };
      },
    };
  }

  it('admits an equal engine and turns a wrong one away, with the numbers', async () => {
    const engine = await open();
    const feeds = [{ x: smallInput }];
    expect(await parityCheck(smallBytes(), feeds, engine, engine)).toEqual({ maxAbs: 0, maxRel: 0, sqnrDb: Infinity, admitted: true });
    const wrong = await parityCheck(smallBytes(), feeds, engine, off(engine, 0.5));
    expect(wrong).toMatchObject({ maxAbs: 0.5, maxRel: 0.5 / 8.5, admitted: false });
    const signal = smallOutput.reduce((sum, v) => sum + v * v, 0);
    expect(wrong.sqnrDb).toBeCloseTo(10 * Math.log10(signal / 0.25), 6);
    expect((await parityCheck(smallBytes(), feeds, engine, off(engine, 0.5), { tolerance: 0.1 })).admitted).toBe(true);
    expect(await parityCheck(smallBytes(), feeds, engine, off(engine, Number.NaN), { tolerance: 0.1 })).toMatchObject({
      maxAbs: Infinity,
      admitted: false,
    });
    expect(engine.liveSessions).toBe(0);
  });
});
