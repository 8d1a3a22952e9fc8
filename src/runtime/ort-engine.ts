/** The engine itself, over whichever onnxruntime package its caller loaded. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { describeError, REPORT_IT, StudioError } from '../numerics';
import { createQueue } from './queue';
import { fromOrt, type TensorConstructor, toOrt } from './tensors';
import type { Backend, Engine, GpuTensor, RunTensor, Session, SessionOptions, Tensors } from './types';

export interface OrtModule {
  readonly InferenceSession: { create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession> };
  readonly Tensor: TensorConstructor;
}

/** What differs between the packages. */
export interface EngineParts {
  readonly ort: OrtModule;
  readonly backend: Backend;
  readonly threads: number;
  readonly note: string;
  readonly version: string;
  readonly device: GPUDevice | null;
  readonly sessionOptions: InferenceSession.SessionOptions;
  /** Wraps each call into ONNX Runtime: turns a lost device or a GPU error into a StudioError. */
  guard?<T>(call: () => Promise<T>): Promise<T>;
  /** Refuses feeds that the backend can't hold. */
  checkFeed?(name: string, tensor: RunTensor): void;
  /** Runs once, after the last session is released. */
  close?(): void;
}

/** First sentence of what ONNX Runtime said, without its error-code prefix. */
function reason(error: unknown): string {
  const text = describeError(error)
    .replace(/^.*?ErrorCode:\s*\w+\s*-\s*/s, '')
    .replace(/^\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
    .replace(/^.*?ERROR_MESSAGE:\s*"?/s, '')
    .split('\n')[0]!
    .replace(/["\s.]+$/, '');
  return text || 'it gave no reason';
}

function wrap(error: unknown, sentence: (why: string) => string): StudioError {
  if (error instanceof StudioError) return error;
  return new StudioError('runtime', sentence(reason(error)), 'Try WASM as the engine; if it comes back, export the model again.');
}

/** Sessions of one engine share one queue; see {@link createQueue}. */
export function createOrtEngine(parts: EngineParts): Engine {
  const { ort, backend } = parts;
  const queue = createQueue();
  const guard = parts.guard ?? (<T>(call: () => Promise<T>) => call());
  const live = new Set<Session>();
  let disposed: Promise<void> | null = null;

  async function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const base: InferenceSession.SessionOptions = {
      logSeverityLevel: 3,
      ...parts.sessionOptions,
      graphOptimizationLevel: options.optimization ?? 'all',
    };
    // Where outputs land is fixed when a session is created, so each place has its own, opened when it is asked for.
    const opened: { cpu?: InferenceSession; gpu?: InferenceSession } = {};
    const open = async (place: 'cpu' | 'gpu'): Promise<InferenceSession> =>
      (opened[place] ??= await guard(() =>
        ort.InferenceSession.create(model, place === 'gpu' ? { ...base, preferredOutputLocation: 'gpu-buffer' } : base),
      ).catch((error: unknown) => {
        throw wrap(error, (why) => `ONNX Runtime could not load the model: ${why}.`);
      }));
    const { inputNames, outputNames } = await open(backend === 'webgpu' ? (options.outputs ?? 'cpu') : 'cpu');
    let released: Promise<void> | null = null;

    // Asked when a call is handed in: runs queued before the release still happen.
    const enqueue = async <T>(job: () => Promise<T>): Promise<T> => {
      if (released) throw new StudioError('runtime', 'This session was released and can no longer run.', REPORT_IT);
      return queue(job);
    };
    const feedsFor = (feeds: Tensors): Record<string, Tensor> => {
      const missing = inputNames.find((name) => !feeds[name]);
      if (missing !== undefined)
        throw new StudioError('bad-data', `Input "${missing}" was not given.`, 'Use a network with one image input.');
      const ready: Record<string, Tensor> = {};
      for (const name of inputNames) {
        const feed = feeds[name]!;
        parts.checkFeed?.(name, feed);
        ready[name] = toOrt(ort.Tensor, name, feed);
      }
      return ready;
    };
    const checkFetches = (fetches: readonly string[]) => {
      const unknown = fetches.find((name) => !outputNames.includes(name));
      if (unknown !== undefined)
        throw new StudioError(
          'runtime',
          `"${unknown}" is not an output of this session (${outputNames.slice(0, 8).join(', ')}).`,
          REPORT_IT,
        );
    };
    const execute = (target: InferenceSession, feeds: Record<string, Tensor>, fetches: readonly string[]) =>
      guard(() => target.run(feeds, fetches)).catch((error: unknown) => {
        throw wrap(error, (why) => `ONNX Runtime failed while running the model: ${why}.`);
      });

    const session: Session = {
      backend,
      inputNames,
      outputNames,
      run: (feeds, fetches = outputNames) =>
        enqueue(async () => {
          const ready = feedsFor(feeds);
          checkFetches(fetches);
          const outputs = await execute(await open('cpu'), ready, fetches);
          return Object.fromEntries(fetches.map((name) => [name, fromOrt(name, outputs[name]!)]));
        }),
      runOnGpu: (feeds, fetches = outputNames) =>
        enqueue(async () => {
          if (backend !== 'webgpu')
            throw new StudioError('unsupported', `Outputs can stay on the GPU only on WebGPU, not on ${backend}.`, REPORT_IT);
          const ready = feedsFor(feeds);
          checkFetches(fetches);
          const outputs = await execute(await open('gpu'), ready, fetches);
          return Object.fromEntries(fetches.map((name) => [name, gpuTensor(name, outputs[name]!)]));
        }),
      release: () =>
        (released ??= queue(async () => {
          live.delete(session);
          await guard(async () => {
            await opened.cpu?.release();
            await opened.gpu?.release();
          }).catch((error: unknown) => {
            // A lost device took along what the session held there.
            if (!(error instanceof StudioError)) throw error;
          });
        })),
    };
    live.add(session);
    return session;
  }

  return {
    backend,
    threads: parts.threads,
    note: parts.note,
    version: parts.version,
    device: parts.device,
    create: (model, options = {}) =>
      queue(async () => {
        if (disposed) throw new StudioError('runtime', 'This engine was disposed and can no longer load models.', 'Reload the page.');
        return createSession(model, options);
      }),
    get liveSessions() {
      return live.size;
    },
    dispose: () =>
      (disposed ??= (async () => {
        // A create that was queued before is allowed to end, so that its session is released too.
        await queue(async () => undefined);
        await Promise.all([...live].map((session) => session.release()));
        parts.close?.();
      })()),
  };
}

function gpuTensor(name: string, tensor: Tensor): GpuTensor {
  if (tensor.type !== 'float32' || tensor.location !== 'gpu-buffer')
    throw new StudioError(
      'unsupported',
      `Output "${name}" is ${tensor.type} on ${tensor.location}: only float32 values can stay on the GPU.`,
      'Choose WASM as the engine.',
    );
  return {
    dims: [...tensor.dims],
    elements: tensor.size,
    buffer: tensor.gpuBuffer as unknown as GPUBuffer,
    dispose: () => tensor.dispose(),
  };
}
