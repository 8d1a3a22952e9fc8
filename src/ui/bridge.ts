/** The page's side of the workers: one call at a time, cancel, and a new worker where one died. */
import * as Comlink from 'comlink';
import type { CancelFlag } from '../../workers/cancel';
import type { DeviceProfile, LayerState, ModelFile } from '../../workers/device';
import type { PreviewTable } from '../../workers/preview';
import type { StepTable } from '../../workers/step';
import {
  type EngineChoice,
  type FrameRequest,
  type ImageSource,
  type InspectReport,
  type JobCallbacks,
  type JobResult,
  type JobSource,
  keepErrors,
  type PreviewModel,
} from '../../workers/wire';
import { cancelled, StudioError } from '../numerics';
import type { AnalysisReport, Recipe, Story } from '../pipeline';

keepErrors();

/** A cancelled worker that doesn't answer is ended after this; runs of one image take about 0.1 s. */
export const PATIENCE_MS = 2000;

/** One worker of a kind, started when first needed. Calls are queued; a dead worker fails its call and is replaced. */
export class WorkerLine<Table> {
  #worker: Worker | null = null;
  #remote: Comlink.Remote<Table> | null = null;
  #fail: (error: StudioError) => void = () => {};
  #queue: Promise<unknown> = Promise.resolve();
  /** Called when a worker was lost or ended, with all that it held, before the next one starts. */
  onLost: () => void = () => {};

  constructor(
    readonly what: string,
    private readonly start: () => Worker,
  ) {}

  #open(): Comlink.Remote<Table> {
    if (this.#remote) return this.#remote;
    const worker = this.start();
    const died = (event: Event) => {
      event.preventDefault();
      const detail = event instanceof ErrorEvent && event.message ? ` (${event.message})` : '';
      if (worker !== this.#worker) return;
      const hint = 'What was finished before is kept; start it again.';
      this.#lose(new StudioError('runtime', `The worker for ${this.what} stopped${detail}.`, hint));
    };
    worker.addEventListener('error', died);
    worker.addEventListener('messageerror', died);
    this.#worker = worker;
    this.#remote = Comlink.wrap<Table>(worker);
    return this.#remote;
  }

  #lose(error: StudioError): void {
    this.#worker?.terminate();
    this.#worker = this.#remote = null;
    this.#fail(error);
    this.onLost();
  }

  /** Ends the worker at once; the call in progress is rejected as cancelled, the next call starts another worker. */
  end(): void {
    this.#lose(cancelled());
  }

  /** Runs `work` when the calls before it have ended. */
  call<R>(work: (remote: Comlink.Remote<Table>) => Promise<R>, signal?: AbortSignal, onCancel?: () => void): Promise<R> {
    const result = this.#queue.then(() => this.#run(work, signal, onCancel));
    this.#queue = result.catch(() => {});
    return result;
  }

  async #run<R>(work: (remote: Comlink.Remote<Table>) => Promise<R>, signal?: AbortSignal, onCancel?: () => void): Promise<R> {
    if (signal?.aborted) throw cancelled();
    const dead = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abort = () => {
      onCancel?.();
      timer = setTimeout(() => this.end(), PATIENCE_MS);
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work(this.#open()), dead]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

const plainFile = ({ name, bytes, external }: ModelFile): ModelFile => ({ name, bytes, external });

/** Compress, evaluate, inspect, analyse, check for a device. */
export class StepWorker {
  readonly line = new WorkerLine<StepTable>(
    'compressing',
    () => new Worker(new URL('../../workers/step.ts', import.meta.url), { type: 'module', name: 'step' }),
  );

  inspect(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Promise<InspectReport> {
    return this.line.call((remote) => remote.inspect(name, bytes, external) as Promise<InspectReport>);
  }

  devices(): Promise<readonly DeviceProfile[]> {
    return this.line.call((remote) => remote.devices() as Promise<readonly DeviceProfile[]>);
  }

  checkDevice(model: ModelFile, device: string): Promise<readonly LayerState[]> {
    return this.line.call((remote) => remote.checkDevice(plainFile(model), device) as Promise<readonly LayerState[]>);
  }

  cut(model: ModelFile, values: readonly string[]): Promise<Uint8Array> {
    return this.line.call((remote) => remote.cut(plainFile(model), values) as Promise<Uint8Array>);
  }

  /** @throws StudioError, 'cancelled' after `signal` within two seconds at most */
  compress(recipe: Recipe, source: JobSource, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<JobResult> {
    return this.#cancellable(
      (remote, flag) => remote.compress(recipe, source, choice, flag, Comlink.proxy(on) as never) as unknown as Promise<JobResult>,
      signal,
    );
  }

  /** @throws as {@link compress} does */
  analyze(recipe: Recipe, source: JobSource, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<AnalysisReport> {
    return this.#cancellable(
      (remote, flag) => remote.analyze(recipe, source, choice, flag, Comlink.proxy(on) as never) as unknown as Promise<AnalysisReport>,
      signal,
    );
  }

  /** @throws as {@link compress} does */
  story(recipe: Recipe, source: JobSource, image: number, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<Story> {
    return this.#cancellable(
      (remote, flag) => remote.story(recipe, source, image, choice, flag, Comlink.proxy(on) as never) as unknown as Promise<Story>,
      signal,
    );
  }

  #cancellable<R>(work: (remote: Comlink.Remote<StepTable>, flag: CancelFlag) => Promise<R>, signal: AbortSignal): Promise<R> {
    const flag = crossOriginIsolated ? new Int32Array(new SharedArrayBuffer(4)) : null;
    let current: Comlink.Remote<StepTable> | null = null;
    const cancel = () => {
      if (flag) Atomics.store(flag, 0, 1);
      else void current?.cancel();
    };
    return this.line.call(
      (remote) => {
        current = remote;
        return work(remote, flag);
      },
      signal,
      cancel,
    );
  }
}

/** Two networks on the same frame. */
export class PreviewWorker {
  readonly line = new WorkerLine<PreviewTable>(
    'the preview',
    () => new Worker(new URL('../../workers/preview.ts', import.meta.url), { type: 'module', name: 'preview' }),
  );

  setOriginal(model: PreviewModel | null, choice: EngineChoice) {
    return this.line.call((remote) => remote.setOriginal(model, choice));
  }

  setCompressed(model: PreviewModel | null, choice: EngineChoice) {
    return this.line.call((remote) => remote.setCompressed(model, choice));
  }

  setImages(source: ImageSource) {
    return this.line.call((remote) => remote.setImages(source));
  }

  advise() {
    return this.line.call((remote) => remote.advise());
  }

  frame(request: FrameRequest, scoreThreshold: number) {
    const given = 'bitmap' in request ? Comlink.transfer(request, [request.bitmap]) : request;
    return this.line.call((remote) => remote.frame(given, scoreThreshold));
  }
}
