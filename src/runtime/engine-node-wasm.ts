/** onnxruntime-web's WASM build in Node: a second, independent engine for the agreement report. */
import { createOrtEngine, type OrtModule } from './ort-engine';
import type { Engine } from './types';

/** One thread; loads the runtime on first use. */
export async function createNodeWasmEngine(): Promise<Engine> {
  const ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  return createOrtEngine({
    ort: ort as unknown as OrtModule,
    backend: 'wasm',
    threads: 1,
    note: '',
    version: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common} (wasm in Node, 1 thread)`,
    device: null,
    sessionOptions: { executionProviders: ['wasm'] },
  });
}
