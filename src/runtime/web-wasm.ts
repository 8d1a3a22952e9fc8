/** onnxruntime-web on WASM: the page's engine for every number that is scored. Pages and workers only. */
import type { Env } from 'onnxruntime-web';
import wasmFile from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { createOrtEngine, type OrtModule } from './ort-engine';
import { probeModel } from './probe';
import type { Engine } from './types';
import { openWasm, pageThreads } from './wasm-file';

export interface WasmEngineOptions {
  /** Default: the cores, at most 4; always 1 without cross-origin isolation. Fixed by the first engine of a worker. */
  readonly threads?: number;
  /** Where the runtime's .wasm file is, if not where the build put it. */
  readonly wasmUrl?: string;
}

/**
 * Loads the runtime, so that a first session doesn't have to wait for it.
 * Throws 'runtime' naming the URL of a runtime file that is missing or isn't WebAssembly.
 */
export async function createWasmEngine(options: WasmEngineOptions = {}): Promise<Engine> {
  const ort = await import('onnxruntime-web/wasm');
  const url = new URL(options.wasmUrl ?? wasmFile, globalThis.location.href).href;
  const { threads, note } = pageThreads(options.threads, globalThis.crossOriginIsolated, navigator.hardwareConcurrency);
  ort.env.wasm.numThreads = threads;
  const engine = createOrtEngine({
    ort: ort as unknown as OrtModule,
    backend: 'wasm',
    threads,
    note,
    version: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common} (wasm, ${threads} thread${threads === 1 ? '' : 's'})`,
    device: null,
    sessionOptions: { executionProviders: ['wasm'] },
  });
  await loadRuntime(ort.env, engine, url);
  return engine;
}

/** Files that a runtime was made of; it keeps its first one for good. */
const loaded = new Set<string>();

/** Fetches the runtime file, and opens and closes the smallest network. Throws as fetchWasm does. */
export async function loadRuntime({ wasm }: Env, engine: Engine, file: string): Promise<void> {
  if (loaded.has(file)) return;
  const url = URL.createObjectURL(await openWasm(file));
  try {
    wasm.wasmPaths = { wasm: url };
    await (await engine.create(probeModel())).release();
    loaded.add(file);
  } finally {
    URL.revokeObjectURL(url);
  }
}
