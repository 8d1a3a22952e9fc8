import { describe, expect, it } from 'vitest';
import { checkDevice, DEVICES, deviceById } from '../../src/devices';
import { makeModel, node, OP_TYPES, tensor, valueInfo } from '../../src/onnx';
import { TINY_YOLOX_ENDS, tinyYolox } from '../fixtures/tiny-yolox';

function convNet(kernel: number, attributes: Record<string, number | number[]> = {}) {
  const size = 3 * 3 * kernel * kernel;
  return makeModel({
    inputs: [valueInfo('x', 'float32', [1, 3, 16, 16])],
    outputs: [valueInfo('y', 'float32', [1, 3, 16, 16])],
    nodes: [node('Conv', ['x', 'w'], ['y'], attributes, 'conv')],
    initializers: [tensor('w', 'float32', [3, 3, kernel, kernel], new Float32Array(size))],
  });
}

describe('the operator table', () => {
  it('has an entry with a reason and a source for every operator, and advice for every refused one', () => {
    for (const device of Object.values(DEVICES))
      for (const op of OP_TYPES) {
        const entry = device.operators[op];
        expect(entry.reason, op).toMatch(/\.$/);
        expect(entry.source, op).not.toBe('');
        if (entry.state === 'unsupported') expect(entry.advice, op).toMatch(/\.$/);
      }
  });

  it('keeps what is not public null, and marks every scheme fact', () => {
    const { scheme } = DEVICES.hailo8;
    expect(scheme.weightGranularity.value).toBeNull();
    expect(scheme.biasBits.value).toBeNull();
    expect(scheme.activationSymmetric).toMatchObject({ value: false, mark: 'verified' });
    for (const fact of Object.values(scheme)) expect(fact.source).not.toBe('');
  });

  it('loads 8L files on an 8 but not the other way', () => {
    expect(DEVICES.hailo8.loads.value).toContain('hailo8l');
    expect(DEVICES.hailo8l.loads.value).toEqual(['hailo8l']);
  });

  it('names the devices there are for an unknown one', () => {
    expect(deviceById('hailo8l').hwArch).toBe('hailo8l');
    expect(() => deviceById('toString')).toThrow('There is no device "toString".');
  });
});

describe('checkDevice', () => {
  it('finds a YOLOX cut at its heads free of refused nodes, the tail on the host', () => {
    const model = tinyYolox();
    const findings = checkDevice(model, DEVICES.hailo8, { cutAt: TINY_YOLOX_ENDS });
    expect(findings.filter((f) => f.state === 'unsupported')).toEqual([]);
    const host = findings.filter((f) => f.state === 'falls back').map((f) => f.node);
    expect(host).toEqual([
      '/head/Concat_0',
      '/head/Reshape_0',
      '/head/Concat_1',
      '/head/Reshape_1',
      '/head/Concat_2',
      '/head/Reshape_2',
      '/head/Concat_all',
      '/head/Transpose',
    ]);
    expect(findings.find((f) => f.node === '/backbone/stem/Slice_0')?.reason).toContain('space_to_depth');
    expect(findings.find((f) => f.node === '/backbone/stem/act/Mul')?.reason).toContain('SiLU');
    expect(findings.find((f) => f.node === '/neck/Concat_4')?.state).toBe('runs differently');
    expect(findings.some((f) => f.node === '/backbone/stem/conv/Conv')).toBe(false);
  });

  it('sees the whole tail as fragile without a cut', () => {
    const states = new Map(checkDevice(tinyYolox(), DEVICES.hailo8).map((f) => [f.node, f.state]));
    expect(states.get('/head/Transpose')).toBe('runs differently');
  });

  it.each([
    [3, {}, null],
    [7, {}, 'Kernel 7×7, which no public log shows on this device.'],
    [3, { strides: [4, 4] }, 'Stride 4×4, which no public log shows on this device.'],
    [3, { dilations: [2, 2] }, 'Dilation 2×2, which no public log shows on this device.'],
  ])('warns outside of the known-good envelope: kernel %i %o', (kernel, attributes, reason) => {
    const [finding] = checkDevice(convNet(kernel, attributes), DEVICES.hailo8);
    expect(finding?.reason ?? null).toBe(reason);
    if (finding) expect(finding.state).toBe('runs');
  });

  it('names open sizes, batches and element types of the input', () => {
    const base = convNet(3);
    const withInput = (dtype: 'float32' | 'uint8', shape: (number | string)[]) => ({
      ...base,
      graph: { ...base.graph, inputs: [valueInfo('x', dtype, shape)] },
    });
    const reasons = (dtype: 'float32' | 'uint8', shape: (number | string)[]) =>
      checkDevice(withInput(dtype, shape), DEVICES.hailo8).map((f) => f.reason);
    expect(reasons('float32', ['batch', 3, 16, 16])).toEqual(["The input's shape is [batch, 3, 16, 16]; the compiler wants fixed sizes."]);
    expect(reasons('float32', [4, 3, 16, 16])).toEqual(["The input's batch is 4; the compiler wants 1."]);
    expect(reasons('uint8', [1, 3, 16, 16])).toEqual(['The input is uint8; the parser wants float32.']);
  });

  it('refuses quantized and unknown operators with a reason', () => {
    const model = makeModel({
      inputs: [valueInfo('x', 'float32', [1, 3])],
      outputs: [valueInfo('z', 'float32', [1, 3])],
      nodes: [node('QuantizeLinear', ['x', 's'], ['y'], {}, 'q'), { ...node('Magic', ['y'], ['z'], {}, 'm'), domain: 'my.ops' }],
      initializers: [tensor('s', 'float32', [], Float32Array.of(1))],
    });
    const findings = checkDevice(model, DEVICES.hailo8l);
    expect(findings.map((f) => [f.node, f.state])).toEqual([
      ['q', 'unsupported'],
      ['m', 'unsupported'],
    ]);
    expect(findings[1]!.reason).toBe('The operator my.ops.Magic is unknown.');
  });
});
