/** onnxruntime-web on WebGPU, with a device of our own that the kernels share. Pages and workers only. */
import asyncifyFile from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import jspiFile from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url';
import { checkBufferSize, requestDevice } from '../kernels';
import { StudioError } from '../numerics';
import { createOrtEngine, type OrtModule } from './ort-engine';
import type { Engine } from './types';
import { loadRuntime } from './web-wasm';

export interface WebGpuEngineOptions {
  /** A device to use, which stays the caller's; by default one with all the adapter's limits, destroyed with the engine. */
  readonly device?: GPUDevice;
  /** Where the runtime's .wasm file is, if not where the build put it. */
  readonly wasmUrl?: string;
}

/**
 * ONNX Runtime's own device dies with its last session (measured on 1.30.0), hence ours. Throws 'unsupported' without
 * WebGPU, 'runtime' naming the URL of a missing runtime file. A lost device, a buffer over a limit and any error the
 * GPU reports make `run` reject with 'runtime' instead of answering zeros.
 */
export async function createWebGpuEngine(options: WebGpuEngineOptions = {}): Promise<Engine> {
  // The JSPI build is smaller and warms up faster, where the browser can suspend WebAssembly.
  const jspi = 'Suspending' in WebAssembly;
  const file = options.wasmUrl ?? (jspi ? jspiFile : asyncifyFile);
  if (!file)
    throw new StudioError(
      'unsupported',
      'The single file has WebGPU only for browsers that can suspend WebAssembly.',
      'Use a newer browser.',
    );
  const device = options.device ?? (await requestDevice());
  const ort = jspi ? await import('onnxruntime-web/jspi') : await import('onnxruntime-web/webgpu');
  const url = new URL(file, globalThis.location.href).href;
  ort.env.wasm.numThreads = 1;
  const close = options.device ? undefined : () => device.destroy();
  const engine = createOrtEngine({
    ort: ort as unknown as OrtModule,
    backend: 'webgpu',
    threads: 1,
    note: '',
    version: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common} (webgpu)`,
    device,
    sessionOptions: { executionProviders: [{ name: 'webgpu', device } as { name: 'webgpu' }] },
    guard: guardDevice(device),
    checkFeed: (name, tensor) => checkBufferSize(device, `Input "${name}"`, tensor.data.byteLength),
    close,
  });
  try {
    await loadRuntime(ort.env, engine, url);
  } catch (error) {
    close?.();
    throw error;
  }
  return engine;
}

/** Runs calls on `device` so that neither its loss nor an error that WebGPU only reports aside goes unnoticed. */
export function guardDevice(device: GPUDevice): <T>(call: () => Promise<T>) => Promise<T> {
  let lost: StudioError | null = null;
  const loss = device.lost.then((info): never => {
    lost = new StudioError('runtime', `The GPU device was lost (${info.message || info.reason}).`, 'The work goes on on WASM.');
    throw lost;
  });
  loss.catch(() => undefined);
  const filters = ['validation', 'out-of-memory', 'internal'] as const;
  return async (call) => {
    if (lost) throw lost;
    for (const filter of filters) device.pushErrorScope(filter);
    const outcome = await Promise.race([
      call().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      loss,
    ]);
    const reports = await Promise.race([Promise.all(filters.map(() => device.popErrorScope())), loss]);
    const report = reports.find((error) => error !== null);
    if (report)
      throw new StudioError('runtime', `The GPU reported an error: ${firstSentence(report.message)}.`, 'The work goes on on WASM.');
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };
}

const firstSentence = (text: string): string => text.split('\n')[0]!.trim().replace(/\.$/, '');
