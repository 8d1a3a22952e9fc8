/** The page's entry to this room, apart from index.ts because it names the runtime's .wasm files by URL. */
import { findGpu } from '../kernels';
import { describeError } from '../numerics';
import type { Engine } from './types';
import { createWebGpuEngine } from './web-gpu';
import { createWasmEngine, type WasmEngineOptions } from './web-wasm';

export { createWebGpuEngine, type WebGpuEngineOptions } from './web-gpu';
export { createWasmEngine, type WasmEngineOptions } from './web-wasm';

export type EnginePreference = 'auto' | 'wasm' | 'webgpu';

export interface Engines {
  /** WASM: every accuracy figure. */
  readonly engine: Engine;
  /** WebGPU for float passes, null where there is none or it isn't worth it. */
  readonly gpu: Engine | null;
  /** What the page shows about the choice, as sentences. */
  readonly notes: readonly string[];
}

/**
 * 'auto' takes WebGPU where a hardware adapter offers it; 'webgpu' takes a software adapter too. A GPU that can't be
 * had never fails: it is noted. Each network still has to pass its parity check. Throws what createWasmEngine throws.
 */
export async function chooseEngines(preference: EnginePreference, options: WasmEngineOptions = {}): Promise<Engines> {
  const engine = await createWasmEngine(options);
  const notes = engine.note ? [engine.note] : [];
  if (preference === 'wasm') return { engine, gpu: null, notes };
  try {
    const gpu = await findGpu();
    if (!gpu) return { engine, gpu: null, notes: [...notes, 'This browser offers no WebGPU: everything runs on WASM.'] };
    if (gpu.software && preference === 'auto')
      return { engine, gpu: null, notes: [...notes, `The only GPU is emulated in software (${gpu.label}): WASM is faster.`] };
    return { engine, gpu: await createWebGpuEngine(), notes };
  } catch (error) {
    return { engine, gpu: null, notes: [...notes, `WebGPU could not be used: ${describeError(error)}`] };
  }
}
