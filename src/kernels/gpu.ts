/** The GPU device and what every kernel needs of it: limits, cached pipelines, buffers, readback. */
import { StudioError } from '../numerics';

export interface Gpu {
  readonly adapter: GPUAdapter;
  /** True for a software adapter: right numbers, but far slower than WASM (measured 130 times). */
  readonly software: boolean;
  /** e.g. "google swiftshader". */
  readonly label: string;
}

/** @returns null where the browser has no WebGPU or no adapter */
export async function findGpu(): Promise<Gpu | null> {
  if (typeof navigator === 'undefined' || !navigator.gpu) return null;
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return null;
  const { vendor, architecture, isFallbackAdapter } = adapter.info;
  return {
    adapter,
    software: isFallbackAdapter || architecture === 'swiftshader',
    label: [vendor, architecture].filter(Boolean).join(' ') || 'unknown GPU',
  };
}

const LIMITS = [
  'maxStorageBuffersPerShaderStage',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;
const FEATURES: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];

/**
 * A device with all the limits that the adapter offers (ONNX Runtime needs 10 storage buffers and large bindings);
 * the caller destroys it. Throws 'unsupported' without an adapter, 'runtime' when it refuses.
 */
export async function requestDevice(): Promise<GPUDevice> {
  const adapter = (await findGpu())?.adapter;
  if (!adapter) throw new StudioError('unsupported', 'This browser offers no WebGPU.', 'The studio can run on WASM instead.');
  try {
    return await adapter.requestDevice({
      requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
      requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    });
  } catch (error) {
    throw new StudioError('runtime', `The GPU refused a device: ${(error as Error).message}`, 'The studio can run on WASM instead.');
  }
}

/**
 * Throws 'runtime' naming the limit when `bytes` don't fit in one storage buffer.
 * @param what the beginning of the sentence: `Input "images"`
 */
export function checkBufferSize(device: GPUDevice, what: string, bytes: number): void {
  for (const limit of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const)
    if (bytes > device.limits[limit])
      throw new StudioError(
        'runtime',
        `${what} takes ${bytes} bytes, more than this GPU's ${limit} of ${device.limits[limit]}.`,
        'WASM can take it.',
      );
}

const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

/** The compiled kernel; compiled once per device and source. */
export function pipeline(device: GPUDevice, wgsl: string): GPUComputePipeline {
  let cache = pipelines.get(device);
  if (!cache) pipelines.set(device, (cache = new Map()));
  let found = cache.get(wgsl);
  if (!found) {
    found = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: wgsl }), entryPoint: 'main' },
    });
    cache.set(wgsl, found);
  }
  return found;
}

/** A run of values inside a GPU buffer, in bytes. */
export interface Binding {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Appends one dispatch: bindings in the order of the kernel's @binding numbers. */
export function dispatch(
  device: GPUDevice,
  pass: GPUComputePassEncoder,
  wgsl: string,
  bindings: readonly Binding[],
  workgroups: readonly [number, number?, number?],
): void {
  const compiled = pipeline(device, wgsl);
  pass.setPipeline(compiled);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: compiled.getBindGroupLayout(0),
      entries: bindings.map((resource, binding) => ({ binding, resource })),
    }),
  );
  pass.dispatchWorkgroups(...workgroups);
}

/** A buffer filled with `data`; the caller destroys it. */
export function upload(device: GPUDevice, data: ArrayBufferView<ArrayBuffer>, usage: GPUBufferUsageFlags): GPUBuffer {
  const size = Math.max(16, Math.ceil(data.byteLength / 4) * 4);
  checkBufferSize(device, 'A kernel’s buffer', size);
  const buffer = device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  buffer.unmap();
  return buffer;
}

/** Copies the first `size` bytes to the CPU once all submitted work is done. Throws 'runtime' if the device is lost. */
export async function readBack(device: GPUDevice, source: GPUBuffer, size: number): Promise<ArrayBuffer> {
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } catch (error) {
    throw new StudioError(
      'runtime',
      `The GPU's results could not be read: ${(error as Error).message}`,
      'The studio can run on WASM instead.',
    );
  } finally {
    staging.destroy();
  }
}
