import { afterAll, describe, expect, it } from 'vitest';
import { node, tensor } from '../../src/onnx';
import { createWasmEngine, createWebGpuEngine } from '../../src/runtime/web';
import { apart, type Case, checkGradients, gradientsOf, normal } from './differences';
import { quantized, TABLE } from './table';

const wasm = await createWasmEngine({ threads: 1 });
const gpu = await createWebGpuEngine();
afterAll(() => Promise.all([wasm.dispose(), gpu.dispose()]));

/** A piece of every kind that detectors are made of. */
const CASES: Readonly<Record<string, Case>> = {
  'a dense and a depthwise convolution with SiLU': {
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Sigmoid', ['c'], ['s']),
      node('Mul', ['c', 's'], ['a']),
      node('Conv', ['a', 'd'], ['y'], { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }),
    ],
    inputs: { x: normal([1, 2, 6, 6], 1), w: normal([3, 2, 3, 3], 2), b: normal([3], 3), d: normal([3, 1, 3, 3], 4) },
  },
  'a grouped convolution and a transposed one': {
    nodes: [
      node('Conv', ['x', 'w'], ['c'], { group: 2 }),
      node('ConvTranspose', ['c', 'd'], ['y'], { strides: [2, 2], output_padding: [1, 0] }),
    ],
    inputs: { x: normal([2, 4, 3, 4], 1), w: normal([6, 2, 2, 2], 2), d: normal([6, 2, 2, 2], 3) },
  },
  'a tall depthwise convolution': {
    nodes: [node('Conv', ['x', 'w'], ['y'], { group: 2, pads: [1, 1, 1, 1] })],
    inputs: { x: normal([1, 2, 40, 3], 1), w: normal([2, 1, 3, 3], 2) },
    trainable: ['w'],
  },
  'pooling, concatenation and resizing': {
    nodes: [
      node('MaxPool', ['x'], ['m'], { kernel_shape: [5, 5], pads: [2, 2, 2, 2] }),
      node('Concat', ['m', 'x'], ['c'], { axis: 1 }),
      node('Resize', ['c', '', 'scales'], ['r'], { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }),
      node('AveragePool', ['r'], ['y'], { kernel_shape: [3, 3], strides: [2, 2] }),
    ],
    inputs: { x: apart([1, 2, 4, 4], 1) },
    initializers: [tensor('scales', 'float32', [4], Float32Array.of(1, 1, 2, 2))],
  },
  'a head: slices, products, softmax': {
    nodes: [
      node('MatMul', ['x', 'w'], ['p']),
      node('Softmax', ['p'], ['q']),
      node('Slice', ['q', 'from', 'to'], ['t']),
      node('Log', ['t'], ['l']),
      node('Exp', ['p'], ['e']),
      node('ReduceMean', ['e'], ['m'], { axes: [1] }),
      node('Div', ['l', 'm'], ['y']),
    ],
    inputs: { x: normal([3, 4], 1), w: normal([4, 5], 2, 0.5) },
    initializers: [tensor('from', 'int64', [2], BigInt64Array.of(0n, 1n)), tensor('to', 'int64', [2], BigInt64Array.of(3n, 5n))],
  },
};

describe('gradients on WASM', () => {
  it.each(Object.keys(CASES))('%s, against finite differences', async (name) => {
    const { worst, where } = await checkGradients(wasm, { ...CASES[name]!, target: 'wasm' });
    expect(worst, where).toBeLessThan(3e-4);
  });

  it.each(Object.entries(TABLE))('%s, against finite differences', async (_, cases) => {
    for (const c of cases) {
      const { worst, where } = await checkGradients(wasm, { ...c, target: 'wasm' });
      expect(worst, where).toBeLessThan(3e-4);
    }
  });
});

/** Largest difference of WebGPU's gradients from those of WASM, relative to the largest gradient (at least 1). */
async function disagreement(c: Case): Promise<number> {
  const first = (await gradientsOf(wasm, { ...c, target: 'wasm' })).gradients;
  const second = (await gradientsOf(gpu, { ...c, target: 'webgpu' })).gradients;
  return Math.max(
    ...Object.entries(first).map(([name, { data }]) => {
      const [x, y] = [data as Float32Array, second[name]!.data as Float32Array];
      const scale = x.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
      return x.reduce((worst, v, i) => Math.max(worst, Math.abs(v - y[i]!)), 0) / scale;
    }),
  );
}

/** WGSL allows sin and cos an error of 2⁻¹¹. */
const TRIGONOMETRY = 2 ** -11;

describe('gradients on WebGPU, as WASM has them', () => {
  it.each(Object.keys(CASES))('%s', async (name) => {
    expect(await disagreement(CASES[name]!)).toBeLessThan(1e-4);
  });

  it.each(Object.entries(TABLE))('%s', async (op, cases) => {
    for (const c of cases) expect(await disagreement(c)).toBeLessThan(op === 'Sin' || op === 'Cos' ? TRIGONOMETRY : 1e-4);
  });

  // In pairs there, as arithmetic here.
  it.each(['lsq', 'pact', 'ste'] as const)('FakeQuant with %s', async (gradient) => {
    expect(await disagreement(quantized(gradient))).toBeLessThan(1e-4);
  });
});
