/** The page's side of the workers: one call at a time, cancel, and a new worker where one died. */
import * as Comlink from 'comlink';
import { SWITCHES, type SwitchFlags, type SwitchName } from '../../workers/cancel';
import type { DeviceProfile, LayerState, ModelFile } from '../../workers/device';
import type { GrowTable } from '../../workers/grow';
import type { PreviewTable } from '../../workers/preview';
import type { ShelfTable } from '../../workers/shelf';
import type { StepTable } from '../../workers/step';
import {
  type EngineChoice,
  type FrameRequest,
  type GrowCallbacks,
  type GrownDetector,
  type ImageSource,
  type InspectReport,
  type JobCallbacks,
  type JobResult,
  type JobSource,
  keepErrors,
  type LayerWeights,
  type PreviewModel,
  type SensitivityReport,
} from '../../workers/wire';
import { cancelled, StudioError } from '../numerics';
import type { AnalysisReport, Recipe, Story } from '../pipeline';
import type { Entry, StoredRun } from '../store';
import { whenReady } from './site';

keepErrors();

/** A cancelled worker that doesn't answer is ended after this; runs of one image take about 0.1 s. */
export const PATIENCE_MS = 2000;

/** The worker of a call stopped; what it had kept is still there. */
export class WorkerLost extends StudioError {}

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
    /** Resolves when a worker is gone: one that ends without a word fires no event. */
    private readonly alive?: (remote: Comlink.Remote<Table>) => Promise<void>,
  ) {}

  async #open(): Promise<Comlink.Remote<Table>> {
    if (!this.#remote) await whenReady();
    if (this.#remote) return this.#remote;
    const worker = this.start();
    const died = (event: Event) => {
      event.preventDefault();
      const detail = event instanceof ErrorEvent && event.message ? ` (${event.message})` : '';
      if (worker !== this.#worker) return;
      const hint = 'What was finished before is kept; start it again.';
      this.#lose(new WorkerLost('runtime', `The worker for ${this.what} stopped${detail}.`, hint));
    };
    worker.addEventListener('error', died);
    worker.addEventListener('messageerror', died);
    this.#worker = worker;
    this.#remote = Comlink.wrap<Table>(worker);
    void this.alive?.(this.#remote).then(() => died(new Event('gone')));
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
      const remote = await Promise.race([this.#open(), dead]);
      return await Promise.race([work(remote), dead]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** The page's hand on one job. */
export class JobSwitches {
  readonly flags: SwitchFlags = crossOriginIsolated ? new Int32Array(new SharedArrayBuffer(4 * SWITCHES.length)) : null;
  /** Sends a switch as a message, where there is no shared memory. */
  tell: (name: SwitchName, on: boolean) => void = () => {};

  turn(name: SwitchName, on: boolean): void {
    if (this.flags) Atomics.store(this.flags, SWITCHES.indexOf(name), on ? 1 : 0);
    else this.tell(name, on);
  }
}

interface Switchable {
  turn(name: SwitchName, on: boolean): void;
}

function callSwitched<Table extends Switchable, R>(
  line: WorkerLine<Table>,
  work: (remote: Comlink.Remote<Table>, flags: SwitchFlags) => Promise<R>,
  signal: AbortSignal,
  job = new JobSwitches(),
): Promise<R> {
  return line.call(
    (remote) => {
      job.tell = (name, on) => void (remote as unknown as Comlink.Remote<Switchable>).turn(name, on);
      return work(remote, job.flags);
    },
    signal,
    () => job.turn('cancel', true),
  );
}

const plainFile = ({ name, bytes, external }: ModelFile): ModelFile => ({ name, bytes, external });

/** A worker holds a lock as long as it lives; the page stands in the queue behind it. Never resolves where there are no locks. */
async function untilGone(remote: Comlink.Remote<StepTable>): Promise<void> {
  if (!navigator.locks) return new Promise(() => {});
  const lock = `bonsai-worker-${crypto.randomUUID()}`;
  await remote.live(lock);
  await navigator.locks.request(lock, () => {});
}

/** Compress, evaluate, inspect, analyse, scan, check for a device. */
export class StepWorker {
  readonly line = new WorkerLine<StepTable>(
    'compressing',
    () => new Worker(new URL('../../workers/step.ts', import.meta.url), { type: 'module', name: 'step' }),
    untilGone,
  );

  inspect(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Promise<InspectReport> {
    return this.line.call((remote) => remote.inspect(name, bytes, external) as Promise<InspectReport>);
  }

  weights(model: ModelFile, compressed: Uint8Array | null, quantized: Uint8Array | null): Promise<ReadonlyMap<string, LayerWeights>> {
    return this.line.call(
      (remote) => remote.weights(plainFile(model), compressed, quantized) as Promise<ReadonlyMap<string, LayerWeights>>,
    );
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

  /**
   * @param job pauses its training, or ends it early
   * @param id of the job: equal where one is started again
   * @throws StudioError, 'cancelled' after `signal` within two seconds at most
   */
  compress(
    recipe: Recipe,
    source: JobSource,
    choice: EngineChoice,
    on: JobCallbacks,
    signal: AbortSignal,
    job = new JobSwitches(),
    id?: string,
  ): Promise<JobResult> {
    return callSwitched(
      this.line,
      (remote, flags) => remote.compress(recipe, source, choice, flags, Comlink.proxy(on) as never, id) as unknown as Promise<JobResult>,
      signal,
      job,
    );
  }

  /** @throws as {@link compress} does */
  analyze(recipe: Recipe, source: JobSource, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<AnalysisReport> {
    return callSwitched(
      this.line,
      (remote, flags) => remote.analyze(recipe, source, choice, flags, Comlink.proxy(on) as never) as unknown as Promise<AnalysisReport>,
      signal,
    );
  }

  /** @throws as {@link compress} does */
  story(recipe: Recipe, source: JobSource, image: number, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<Story> {
    return callSwitched(
      this.line,
      (remote, flags) => remote.story(recipe, source, image, choice, flags, Comlink.proxy(on) as never) as unknown as Promise<Story>,
      signal,
    );
  }

  /** @throws as {@link compress} does */
  sensitivity(recipe: Recipe, source: JobSource, choice: EngineChoice, on: JobCallbacks, signal: AbortSignal): Promise<SensitivityReport> {
    return callSwitched(
      this.line,
      (remote, flags) =>
        remote.sensitivity(recipe, source, choice, flags, Comlink.proxy(on) as never) as unknown as Promise<SensitivityReport>,
      signal,
    );
  }
}

/** Grows a detector from random weights. */
export class GrowWorker {
  readonly line = new WorkerLine<GrowTable>(
    'growing',
    () => new Worker(new URL('../../workers/grow.ts', import.meta.url), { type: 'module', name: 'grow' }),
  );

  /** @throws as {@link StepWorker.compress} does */
  grow(on: GrowCallbacks, signal: AbortSignal, job: JobSwitches): Promise<GrownDetector> {
    return callSwitched(
      this.line,
      (remote, flags) => remote.grow(flags, Comlink.proxy(on) as never) as unknown as Promise<GrownDetector>,
      signal,
      job,
    );
  }
}

/** Reads earlier runs and the list of what is kept; null where what the page has lies in its memory. */
export class ShelfWorker {
  readonly line = new WorkerLine<ShelfTable>(
    'the library',
    () => new Worker(new URL('../../workers/shelf.ts', import.meta.url), { type: 'module', name: 'shelf' }),
  );

  runs(): Promise<readonly StoredRun[] | null> {
    return this.line.call(async (remote) => ((await remote.onDisk()) ? remote.runs() : null));
  }

  run(id: string): Promise<StoredRun | null | undefined> {
    return this.line.call(async (remote) => ((await remote.onDisk()) ? remote.run(id) : null));
  }

  entries(): Promise<readonly Entry[] | null> {
    return this.line.call(async (remote) => ((await remote.onDisk()) ? remote.entries() : null));
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
