import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BINS,
  type Binding,
  checkBufferSize,
  decodeMoments,
  decodeRange,
  dispatch,
  elementsOf,
  GRAM_WGSL,
  gramCpu,
  gramTiles,
  gridFor,
  HISTOGRAM_WGSL,
  histogramCpu,
  histogramGroups,
  MOMENT_PARTS,
  MOMENTS_WGSL,
  momentsCpu,
  pipeline,
  planeParams,
  planesOf,
  RANGE_WGSL,
  rangeCpu,
  rangeInit,
  rangeSplits,
  readBack,
  requestDevice,
  upload,
} from '../../src/kernels';
import { createRandom } from '../../src/numerics';

let device: GPUDevice;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.destroy());

const whole = (buffer: GPUBuffer): Binding => ({ buffer, offset: 0, size: buffer.size });

async function measure(x: Float32Array<ArrayBuffer>, dims: readonly number[]) {
  const planes = planesOf(dims);
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const input = upload(device, x, storage);
  const params = upload(device, planeParams(planes), GPUBufferUsage.UNIFORM);
  const range = upload(device, rangeInit(planes.channels), storage);
  const moments = upload(device, new Float32Array(2 * MOMENT_PARTS), storage);
  const bins = upload(device, new Uint32Array(BINS), storage);
  const gram = upload(device, new Float32Array(planes.channels ** 2), storage);
  const data: Binding = { buffer: input, offset: 0, size: 4 * x.length };
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  dispatch(device, pass, RANGE_WGSL, [data, whole(range), whole(params)], [planes.channels, rangeSplits(planes)]);
  dispatch(device, pass, MOMENTS_WGSL, [data, whole(moments), whole(params)], [MOMENT_PARTS]);
  dispatch(
    device,
    pass,
    HISTOGRAM_WGSL,
    [data, { buffer: range, offset: 0, size: Math.max(8 * planes.channels, 4) }, whole(bins), whole(params)],
    [histogramGroups(elementsOf(planes))],
  );
  dispatch(device, pass, GRAM_WGSL, [data, whole(gram), whole(params)], [gramTiles(planes), gramTiles(planes)]);
  pass.end();
  device.queue.submit([encoder.finish()]);
  return {
    planes,
    range: decodeRange(new Uint32Array(await readBack(device, range, 8 * planes.channels))),
    moments: decodeMoments(new Float32Array(await readBack(device, moments, 8 * MOMENT_PARTS))),
    bins: new Uint32Array(await readBack(device, bins, 4 * BINS)),
    gram: new Float32Array(await readBack(device, gram, 4 * planes.channels ** 2)),
  };
}

describe('kernels against their twins', () => {
  const random = createRandom(11);
  const noise = (n: number, scale: number, shift: number) =>
    Float32Array.from({ length: n }, () => (random.next() + random.next() - 1) * scale + shift);
  it.each([
    ['feature map', [1, 13, 40, 30], 6, 0.5],
    ['batch of two', [2, 9, 7, 5], 0.01, 0],
    ['all negative', [1, 3, 64, 64], 1, -30],
    ['one channel over many workgroups', [1, 1, 200, 100], 300, 100],
    ['vector', [77], 1, 0],
    ['matrix', [3, 5], 1, 0],
    ['constant', [1, 2, 8, 8], 0, 3.5],
    ['zeros', [1, 2, 4, 4], 0, 0],
  ] as const)('%s', async (_, dims, scale, shift) => {
    const x = noise(
      dims.reduce<number>((a, b) => a * b, 1),
      scale,
      shift,
    );
    const got = await measure(x, dims);
    expect(got.range).toEqual(rangeCpu(x, got.planes));
    const grid = gridFor(Math.min(...got.range.min), Math.max(...got.range.max));
    expect(got.bins).toEqual(histogramCpu(x, grid));
    expect(got.bins.reduce((a, b) => a + b)).toBe(x.length);
    const moments = momentsCpu(x);
    const magnitude = x.reduce((a, b) => a + Math.abs(b), 0);
    expect(Math.abs(got.moments.sum - moments.sum)).toBeLessThanOrEqual(1e-5 * magnitude);
    expect(Math.abs(got.moments.sumSquares - moments.sumSquares)).toBeLessThanOrEqual(1e-5 * moments.sumSquares);
    const gram = gramCpu(x, got.planes);
    const c = got.planes.channels;
    gram.forEach((g, i) => {
      const bound = 1e-4 * Math.sqrt(gram[Math.floor(i / c) * (c + 1)]! * gram[(i % c) * (c + 1)]!);
      expect(Math.abs(got.gram[i]! - g)).toBeLessThanOrEqual(bound);
    });
  });

  it('gives hand-worked values', async () => {
    const got = await measure(new Float32Array([1, -2, 3, 4, 0.5, 0, -1, 7]), [2, 2, 2]);
    expect(got.range).toEqual({ min: new Float32Array([-2, -1]), max: new Float32Array([1, 7]) });
    expect(got.moments).toEqual({ sum: 12.5, sumSquares: 80.25 });
    expect([...got.gram]).toEqual([5.25, -5.5, -5.5, 75]);
  });
});

describe('the device', () => {
  it('compiles a kernel once and names the limit that a buffer exceeds', () => {
    expect(pipeline(device, RANGE_WGSL)).toBe(pipeline(device, RANGE_WGSL));
    const limit = device.limits.maxStorageBufferBindingSize;
    expect(() => checkBufferSize(device, 'Tensor "conv1"', limit + 4)).toThrow(
      `Tensor "conv1" takes ${limit + 4} bytes, more than this GPU's maxStorageBufferBindingSize of ${limit}.`,
    );
  });
});
