/** One image's statistics by our kernels, reading ONNX Runtime's output buffers where they lie. */
import {
  BINS,
  type Binding,
  checkBufferSize,
  decodeMoments,
  decodeRange,
  dispatch,
  elementsOf,
  gridFor,
  HISTOGRAM_WGSL,
  histogramCpu,
  histogramGroups,
  MOMENT_PARTS,
  MOMENTS_WGSL,
  momentsCpu,
  type Planes,
  planeParams,
  planesOf,
  RANGE_WGSL,
  rangeCpu,
  rangeInit,
  rangeSplits,
  readBack,
  upload,
} from '../../kernels';
import { StudioError } from '../../numerics';
import { type Model, serializeModel } from '../../onnx';
import { addTaps, type Engine, type GpuTensor, type Tensors } from '../../runtime';
import type { Measurer } from './measure-cpu';
import type { Contribution } from './streaming';
import type { MeasuredTensor } from './tensors';

/** One tensor's place in the results buffer, in bytes. */
interface Place {
  readonly name: string;
  readonly planes: Planes;
  readonly params: GPUBuffer;
  readonly range: number;
  readonly moments: number;
  readonly bins: number;
}

/**
 * All values count, exactly (moments: see the kernel's tolerance). Per image about 10 kB a tensor are read back, so
 * that nothing measured is lost with the device. Throws 'unsupported' for other types than float32, 'runtime' naming
 * a limit that a tensor exceeds.
 */
export async function openGpuMeasurer(engine: Engine, model: Model, tensors: readonly MeasuredTensor[]): Promise<Measurer> {
  const device = engine.device;
  if (!device) throw new StudioError('unsupported', `The ${engine.backend} engine has no GPU device.`, 'Choose WASM as the engine.');
  const other = tensors.find((t) => t.dtype !== 'float32');
  if (other)
    throw new StudioError('unsupported', `"${other.name}" is ${other.dtype}: the GPU measures float32 only.`, 'Choose WASM as the engine.');
  for (const t of tensors) checkBufferSize(device, `Value "${t.name}"`, 4 * elementsOf(planesOf(t.dims)));
  const inputs = new Set(model.graph.inputs.map((input) => input.name));
  const onGpu = tensors.filter((t) => !inputs.has(t.name));
  const names = onGpu.map((t) => t.name);
  const session = await engine.create(serializeModel(addTaps(model, names)), { outputs: 'gpu' });
  const align = device.limits.minStorageBufferOffsetAlignment;
  let size = 0;
  const reserve = (bytes: number) => {
    const offset = size;
    size += Math.ceil(bytes / align) * align;
    return offset;
  };
  const places = onGpu.map((t): Place => {
    const planes = planesOf(t.dims);
    return {
      name: t.name,
      planes,
      params: upload(device, planeParams(planes), GPUBufferUsage.UNIFORM),
      range: reserve(8 * planes.channels),
      moments: reserve(8 * MOMENT_PARTS),
      bins: reserve(4 * BINS),
    };
  });
  const initial = new Uint32Array(size / 4);
  for (const p of places) initial.set(rangeInit(p.planes.channels), p.range / 4);
  const template = upload(device, initial, GPUBufferUsage.COPY_SRC);
  const results = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });

  return {
    measure: async (feeds) => {
      const outputs = await session.runOnGpu(feeds, names);
      try {
        encode(device, places, outputs, template, results, size);
        const bytes = await readBack(device, results, size);
        const measured = new Map(places.map((p) => [p.name, decode(bytes, p)]));
        return tensors.map((t) => measured.get(t.name) ?? measureFeed(feeds, t));
      } finally {
        for (const output of Object.values(outputs)) output.dispose();
      }
    },
    close: async () => {
      await session.release();
      for (const buffer of [template, results, ...places.map((p) => p.params)]) buffer.destroy();
    },
  };
}

function encode(
  device: GPUDevice,
  places: readonly Place[],
  outputs: Readonly<Record<string, GpuTensor>>,
  template: GPUBuffer,
  results: GPUBuffer,
  size: number,
): void {
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(template, 0, results, 0, size);
  for (const p of places) {
    const elements = elementsOf(p.planes);
    const x: Binding = { buffer: outputs[p.name]!.buffer, offset: 0, size: 4 * elements };
    const params: Binding = { buffer: p.params, offset: 0, size: 16 };
    const range: Binding = { buffer: results, offset: p.range, size: 8 * p.planes.channels };
    const part = (offset: number, bytes: number): Binding => ({ buffer: results, offset, size: bytes });
    const first = encoder.beginComputePass();
    dispatch(device, first, RANGE_WGSL, [x, range, params], [p.planes.channels, rangeSplits(p.planes)]);
    dispatch(device, first, MOMENTS_WGSL, [x, part(p.moments, 8 * MOMENT_PARTS), params], [MOMENT_PARTS]);
    first.end();
  }
  // A buffer can't be read and written in one dispatch, so the histograms read their ranges from a copy.
  const ranges = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  encoder.copyBufferToBuffer(results, 0, ranges, 0, size);
  const second = encoder.beginComputePass();
  for (const p of places) {
    const elements = elementsOf(p.planes);
    const x: Binding = { buffer: outputs[p.name]!.buffer, offset: 0, size: 4 * elements };
    dispatch(
      device,
      second,
      HISTOGRAM_WGSL,
      [
        x,
        { buffer: ranges, offset: p.range, size: 8 * p.planes.channels },
        { buffer: results, offset: p.bins, size: 4 * BINS },
        { buffer: p.params, offset: 0, size: 16 },
      ],
      [histogramGroups(elements)],
    );
  }
  second.end();
  device.queue.submit([encoder.finish()]);
  ranges.destroy();
}

function decode(bytes: ArrayBuffer, p: Place): Contribution {
  const { min, max } = decodeRange(new Uint32Array(bytes, p.range, 2 * p.planes.channels));
  const [low, high] = [smallest(min), largest(max)];
  // The kernels' counts and sums mean nothing then; the CPU leaves such values out one by one.
  if (!Number.isFinite(high - low))
    throw new StudioError(
      'runtime',
      `Value "${p.name}" has infinite or NaN values.`,
      'Choose WASM as the engine; if it stays, export the model again.',
    );
  const grid = gridFor(low, high);
  const moments = decodeMoments(new Float32Array(bytes, p.moments, 2 * MOMENT_PARTS));
  return { min, max, elements: elementsOf(p.planes), values: { counts: new Uint32Array(bytes, p.bins, BINS), grid, moments } };
}

function measureFeed(feeds: Tensors, t: MeasuredTensor): Contribution {
  const data = feeds[t.name]!.data as Float32Array;
  const planes = planesOf(t.dims);
  const { min, max } = rangeCpu(data, planes);
  const grid = gridFor(smallest(min), largest(max));
  return { min, max, elements: data.length, values: { counts: histogramCpu(data, grid), grid, moments: momentsCpu(data) } };
}

const smallest = (values: Float32Array): number => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const largest = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
