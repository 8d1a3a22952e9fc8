/**
 * One interface over onnxruntime-web and onnxruntime-node. Numbers are scored on 'node' or 'wasm'; 'webgpu' serves
 * float passes that a parity check admits.
 */
import type { DType } from '../numerics';

/** A tensor that goes into or comes out of a session: storage as in TensorData, strings excluded. */
export interface RunTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data:
    | Float32Array
    | Float64Array
    | Uint16Array
    | Int8Array
    | Uint8Array
    | Int16Array
    | Int32Array
    | Uint32Array
    | BigInt64Array
    | BigUint64Array;
}

export type Tensors = Readonly<Record<string, RunTensor>>;

/** A tensor that stays on the GPU: float32, `elements` values from offset 0. The receiver disposes it. */
export interface GpuTensor {
  readonly dims: readonly number[];
  readonly elements: number;
  readonly buffer: GPUBuffer;
  dispose(): void;
}

export type Backend = 'node' | 'wasm' | 'webgpu';

export interface SessionOptions {
  /** ONNX Runtime's graph optimization level. Accuracy is always scored at 'disabled'; default 'all'. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Where outputs are wanted first; the other way works too, but opens the model a second time. Default 'cpu'. */
  readonly outputs?: 'cpu' | 'gpu';
}

export interface Session {
  readonly backend: Backend;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Runs once; calls on one engine are queued, never overlapped. `fetches` defaults to every output. */
  run(feeds: Tensors, fetches?: readonly string[]): Promise<Record<string, RunTensor>>;
  /** WebGPU only: outputs stay on the device. Throws StudioError 'unsupported' on other backends. */
  runOnGpu(feeds: Tensors, fetches?: readonly string[]): Promise<Record<string, GpuTensor>>;
  /** Idempotent; waits for queued runs. */
  release(): Promise<void>;
}

export interface Engine {
  readonly backend: Backend;
  /** Threads in use (1 without cross-origin isolation), and why if fewer than asked. */
  readonly threads: number;
  readonly note: string;
  /** e.g. "onnxruntime-web 1.30.0 (wasm, 2 threads)"; goes into the recipe and reports. */
  readonly version: string;
  /** The shared device; null unless backend is 'webgpu'. */
  readonly device: GPUDevice | null;
  create(model: Uint8Array, options?: SessionOptions): Promise<Session>;
  /** Sessions created and not yet released. */
  readonly liveSessions: number;
  dispose(): Promise<void>;
}
