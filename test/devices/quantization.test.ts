/** One graph and plan for each reason of the check of a quantization. */
import { describe, expect, it } from 'vitest';
import { checkQuantization, DEVICES, deviceReadings, type PlannedTensor, planOfQdq, widened } from '../../src/devices';
import { node, tensor } from '../../src/onnx';
import { bodyConcat, conv, graph, siluNet } from './graphs';

const { hailo8, hailo10h, tflite, ort } = DEVICES;

const planned = (tensor: string, more: Partial<PlannedTensor> = {}): PlannedTensor => ({
  ...{ tensor, role: 'activation', dtype: 'uint8', scale: [0.1], zeroPoint: [0], sharesWith: null },
  ...more,
});
const weightOf = (name: string, more: Partial<PlannedTensor> = {}) => planned(`${name}_w`, { role: 'weight', dtype: 'int8', ...more });
const wide = { dtype: 'uint16' };

describe('checkQuantization', () => {
  const c = conv('x', 'c');
  const one = graph({ nodes: [c.node], outputs: ['c'], initializers: [c.weight] });

  it('has nothing to say of a plan that the device runs as it is', () => {
    const plan = [planned('x'), planned('c'), weightOf('c', { scale: [0.1, 0.2], zeroPoint: [0, 0] })];
    for (const device of [hailo8, tflite, ort]) expect(checkQuantization(one, device, { plan })).toEqual([]);
  });

  it('refuses a scale per channel of an activation; ONNX Runtime computes it in float', () => {
    const plan = [planned('x'), planned('c', { scale: [0.1, 0.2], zeroPoint: [0, 0] }), weightOf('c')];
    expect(checkQuantization(one, hailo8, { plan })).toMatchObject([{ node: 'c', op: 'Conv', state: 'unsupported' }]);
    expect(checkQuantization(one, tflite, { plan })[0]!.reason).toContain('2 scales, one per channel');
    expect(checkQuantization(one, ort, { plan })[0]).toMatchObject({ state: 'runs differently' });
  });

  it('drops a mixed TFLite graph to the CPU, and the 16-bit mode of a whole network too', () => {
    const mixed = checkQuantization(one, tflite, { plan: [planned('x'), planned('c', wide), weightOf('c')] });
    expect(mixed).toMatchObject([{ node: 'c', state: 'falls back' }]);
    expect(mixed[0]!.reason).toContain('the delegate drops a mixed graph to the CPU');
    const all = checkQuantization(one, tflite, { plan: [planned('x', wide), planned('c', wide), weightOf('c')] });
    expect(all).toMatchObject([{ node: '*', op: 'network', state: 'falls back' }]);
    expect(checkQuantization(one, hailo8, { plan: [planned('x'), planned('c', wide), weightOf('c')] })).toEqual([]);
    expect(checkQuantization(one, ort, { plan: [planned('x'), planned('c', wide), weightOf('c')] })[0]!.reason).toContain('opset 21');
  });

  it('wants one width through Concat and names who must take a8_w8_a16', () => {
    const weights = ['a', 'b', 'o'].map((name) => weightOf(name));
    const plan = [planned('x'), planned('a', wide), planned('b'), planned('j', wide), planned('o'), ...weights];
    const [finding, ...rest] = checkQuantization(bodyConcat(), hailo8, { plan });
    expect(rest).toEqual([]);
    expect(finding).toMatchObject({ node: 'join', state: 'unsupported' });
    expect(finding!.reason).toBe("Concat can't change width, but 2 of its 3 tensors have 16 bits and 1 has 8.");
    expect(finding!.advice).toContain('Give 16 bits to "b" too');
    const even = plan.map((t) => (t.tensor === 'b' ? { ...t, ...wide } : t));
    expect(checkQuantization(bodyConcat(), hailo10h, { plan: even })).toEqual([]);
  });

  it('widened: what a 16-bit value takes with it', () => {
    expect([...widened(bodyConcat(), hailo8, ['a'])].sort()).toEqual(['a', 'b', 'j']);
    expect(widened(bodyConcat(), hailo8, ['o'])).toEqual(['o']);
    // Every pair has a type of its own.
    expect(widened(bodyConcat(), ort, ['a'])).toEqual(['a']);
  });

  it('a layer left in float', () => {
    const d = conv('c', 'd');
    const two = graph({ nodes: [c.node, d.node], outputs: ['d'], initializers: [c.weight, d.weight] });
    const plan = [planned('x'), planned('c'), weightOf('c')];
    expect(checkQuantization(two, hailo8, { plan })).toMatchObject([{ node: 'd', state: 'unsupported' }]);
    expect(checkQuantization(two, tflite, { plan })).toMatchObject([{ node: 'd', state: 'falls back' }]);
    expect(checkQuantization(two, ort, { plan })).toMatchObject([{ node: 'd', state: 'runs differently' }]);
  });

  it('weights with a zero point', () => {
    const plan = [planned('x'), planned('c'), weightOf('c', { zeroPoint: [3] })];
    expect(checkQuantization(one, tflite, { plan })[0]!.reason).toContain('zero point');
    expect(checkQuantization(one, ort, { plan })).toEqual([]);
  });

  it('SiLU as one where the device has three pieces, by plan or by option', () => {
    const plan = [planned('x'), planned('y'), weightOf('c')];
    expect(checkQuantization(siluNet(), tflite, { plan })[0]!.reason).toContain('too good');
    expect(checkQuantization(siluNet(), tflite, { plan: [...plan, planned('c'), planned('s')] })).toEqual([]);
    expect(checkQuantization(siluNet(), tflite, { options: { fuseActivations: true } })).toHaveLength(1);
    expect(checkQuantization(siluNet(), tflite, { options: { fuseActivations: false } })).toEqual([]);
    expect(checkQuantization(siluNet(), hailo8, { plan })).toEqual([]);
  });

  it('a scale for each input of a Concat where the device has one', () => {
    const weights = ['a', 'b', 'o'].map((name) => weightOf(name));
    const own = [planned('x'), planned('a'), planned('b', { scale: [0.2] }), planned('j', { scale: [0.2] }), planned('o'), ...weights];
    const one = own.map((t) => ({ ...t, scale: [0.2] }));
    expect(checkQuantization(bodyConcat(), hailo8, { plan: own })).toMatchObject([{ node: 'join', advice: 'Set "concat" to "shared".' }]);
    expect(checkQuantization(bodyConcat(), hailo8, { plan: one })).toEqual([]);
    expect(checkQuantization(bodyConcat(), hailo8, { options: { concat: 'requantize' } })).toHaveLength(1);
    expect(checkQuantization(bodyConcat(), ort, { plan: own })).toEqual([]);
  });

  it('options that the toolchain can’t follow', () => {
    expect(checkQuantization(one, tflite, { options: { sixteenBit: 'search' } })).toMatchObject([{ node: '*', state: 'falls back' }]);
    expect(checkQuantization(one, hailo8, { options: { sixteenBit: 'search' } })).toEqual([]);
    expect(checkQuantization(one, tflite, { options: { calibrator: 'percentile' } })[0]!.reason).toContain('minimum and maximum');
    expect(checkQuantization(one, tflite, { options: { calibrator: 'minmax', clipping: 'calibrator' } })).toEqual([]);
  });
});

describe('planOfQdq', () => {
  it('reads pairs and stored constants, so that another tool’s network is checked alike', () => {
    const scalar = (name: string, value: number) => tensor(name, 'float32', [], Float32Array.of(value));
    const model = graph({
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], ['q'], {}, 'q'),
        node('DequantizeLinear', ['q', 's', 'z'], ['d'], {}, 'd'),
        node('DequantizeLinear', ['w', 'ws', 'wz'], ['wd'], { axis: 0 }, 'wd'),
        node('Conv', ['d', 'wd'], ['y'], {}, 'c'),
        node('QuantizeLinear', ['y', 'ys', 'yz'], ['yq'], { axis: 1 }, 'yq'),
        node('DequantizeLinear', ['yq', 'ys', 'yz'], ['out'], { axis: 1 }, 'out'),
      ],
      outputs: ['out'],
      initializers: [
        ...[scalar('s', 0.5), tensor('z', 'uint8', [], Uint8Array.of(7)), tensor('w', 'int8', [2, 8, 1, 1], new Int8Array(16))],
        tensor('ws', 'float32', [2], Float32Array.of(0.25, 0.125)),
        tensor('wz', 'int8', [2], new Int8Array(2)),
        tensor('ys', 'float32', [2], Float32Array.of(1, 2)),
        tensor('yz', 'uint8', [2], new Uint8Array(2)),
      ],
    });
    const plan = planOfQdq(model);
    expect(plan).toEqual([
      { tensor: 'x', role: 'activation', dtype: 'uint8', scale: [0.5], zeroPoint: [7], sharesWith: null },
      { tensor: 'w', role: 'weight', dtype: 'int8', scale: [0.25, 0.125], zeroPoint: [0, 0], sharesWith: null },
      { tensor: 'y', role: 'activation', dtype: 'uint8', scale: [1, 2], zeroPoint: [0, 0], sharesWith: null },
    ]);
    expect(checkQuantization(model, tflite, { plan })).toMatchObject([{ node: 'c', state: 'unsupported' }]);
  });
});

describe('deviceReadings', () => {
  it('has two where the vendor is silent about weight scales, one elsewhere', () => {
    expect(deviceReadings(hailo8).map(({ options }) => options.weights)).toEqual(['per-channel', 'per-tensor']);
    expect(deviceReadings(tflite)).toMatchObject([
      { name: '', options: { weights: 'per-channel', activations: 'int8', concat: 'shared', fuseActivations: false } },
    ]);
  });
});
