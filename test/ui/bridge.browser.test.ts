import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StudioError } from '../../src/numerics';
import { PRESETS, type RunEvent } from '../../src/pipeline';
import { openModel } from '../../src/steps/open';
import { PATIENCE_MS, PreviewWorker, StepWorker, WorkerLine } from '../../src/ui/bridge';
import type { EngineReport, JobCallbacks, JobSource, Progress } from '../../workers/wire';

const NAME = 'scenes-depthwise.onnx';
let bytes: Uint8Array;
beforeAll(async () => {
  const response = await fetch(`/models/${NAME}`);
  expect(response.ok).toBe(true);
  bytes = new Uint8Array(await response.arrayBuffer());
});

/** Every worker that a test starts, so that it can be counted, killed and ended. */
const workers: Worker[] = [];
const Original = globalThis.Worker;
beforeEach(() => {
  globalThis.Worker = class extends Original {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      workers.push(this);
    }
  };
});
afterEach(() => {
  globalThis.Worker = Original;
  for (const worker of workers.splice(0)) worker.terminate();
});

function source(scenes: number): JobSource {
  return {
    name: NAME,
    model: bytes,
    calibration: { kind: 'scenes', first: 1000, count: scenes },
    evaluation: { kind: 'scenes', first: 500_000, count: scenes },
  };
}

interface Heard {
  readonly progress: Progress[];
  readonly events: RunEvent[];
  readonly engines: EngineReport[];
  readonly on: JobCallbacks;
}

function listen(onProgress: (p: Progress) => void = () => {}): Heard {
  const progress: Progress[] = [];
  const events: RunEvent[] = [];
  const engines: EngineReport[] = [];
  const on: JobCallbacks = {
    progress: (p) => {
      progress.push(p);
      onProgress(p);
    },
    event: (event) => void events.push(event),
    engine: (report) => void engines.push(report),
    resumed: () => {},
  };
  return { progress, events, engines, on };
}

const failure = (promise: Promise<unknown>): Promise<StudioError> =>
  promise.then(
    () => Promise.reject(new Error('It should have failed.')),
    (error: StudioError) => error,
  );

describe('the worker of the long jobs', () => {
  it('inspects', async () => {
    const report = await new StepWorker().inspect(NAME, bytes);
    expect(report.family).toMatch(/yolox/i);
    expect(report.parameters).toBeGreaterThan(100_000);
    expect(report.layers.filter((layer) => layer.op === 'Conv').length).toBeGreaterThan(30);
  });

  it('prunes, quantizes, evaluates and exports the embedded detector', async () => {
    const heard = listen();
    const recipe = PRESETS['prune-10-int8']!();
    // By weights alone: trying each block on images takes a minute.
    const steps = recipe.steps.map((s) => (s.step === 'prune' ? { ...s, options: { ...s.options, importance: 'l2' } } : s));
    const cheap = { ...recipe, steps };
    const result = await new StepWorker().compress(cheap, source(4), 'wasm', heard.on, new AbortController().signal);

    const [fp32, pruned, int8] = result.rows;
    expect(result.rows.map((row) => row.id)).toEqual(['fp32', 'pruned', 'int8', 'int8-other']);
    expect(pruned!.macs).toBeLessThanOrEqual(0.905 * fp32!.macs);
    expect(int8!.weightBytes).toBeLessThan(pruned!.weightBytes / 2);
    expect(fp32!.samples[0]!.detections.length).toBeGreaterThan(0);
    for (const row of result.rows) expect(row.metrics, row.id).not.toBeNull();

    expect(heard.events.flatMap((e) => (e.type === 'row' ? [e.row.id] : []))).toEqual(['fp32', 'pruned', 'int8', 'int8-other']);
    expect(heard.engines).toEqual([expect.objectContaining({ backend: 'wasm' })]);
    expect(heard.engines[0]!.threads).toBeGreaterThan(1);
    expect(new Set(heard.progress.map((p) => p.step))).toEqual(new Set(['prune', 'calibrate', 'quantize', 'evaluate', 'export']));

    const paths = result.files.map((file) => file.path);
    for (const path of ['model.onnx', 'model.qdq.onnx', 'calib_set.npy', 'recipe.json', 'compile.py']) expect(paths).toContain(path);
    expect(result.zip.size).toBeGreaterThan(100_000);
    expect([...new Uint8Array(await result.zip.slice(0, 2).arrayBuffer())]).toEqual([0x50, 0x4b]);
    expect(workers).toHaveLength(1);
  });

  it('honours a cancel without being killed, and goes on with the next job', async () => {
    const step = new StepWorker();
    const controller = new AbortController();
    let aborted = 0;
    const heard = listen((p) => {
      if (aborted || p.step !== 'evaluate') return;
      aborted = performance.now();
      controller.abort();
    });
    const error = await failure(step.compress(PRESETS['int8-percentile']!(), source(24), 'wasm', heard.on, controller.signal));
    const waited = performance.now() - aborted;
    expect(error).toBeInstanceOf(StudioError);
    expect(error.code).toBe('cancelled');
    expect(waited).toBeLessThan(PATIENCE_MS / 2);
    expect((await step.inspect(NAME, bytes)).parameters).toBeGreaterThan(100_000);
    expect(workers).toHaveLength(1);
  });

  it('a job cancelled while it waits never starts', async () => {
    const step = new StepWorker();
    const controller = new AbortController();
    const heard = listen();
    const first = step.inspect(NAME, bytes);
    const second = failure(step.compress(PRESETS['int8-percentile']!(), source(2), 'wasm', heard.on, controller.signal));
    controller.abort();
    await first;
    expect((await second).code).toBe('cancelled');
    expect(heard.engines).toEqual([]);
  });

  it('a dead worker fails its job with a sentence and is replaced', async () => {
    const step = new StepWorker();
    const heard = listen((p) => {
      if (p.step === 'evaluate' && workers.length === 1) workers[0]!.dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }));
    });
    const job = step.compress(PRESETS['int8-percentile']!(), source(24), 'wasm', heard.on, new AbortController().signal);
    const error = await failure(job);
    expect(error.code).toBe('runtime');
    expect(error.message).toBe('The worker for compressing stopped (out of memory).');
    expect(error.hint).toBe('What was finished before is kept; start it again.');
    expect((await step.inspect(NAME, bytes)).parameters).toBeGreaterThan(100_000);
    expect(workers).toHaveLength(2);
  });

  it('errors keep their sentence, code and hint', async () => {
    const text = new TextEncoder().encode('# how to export\nRun export.py.\n');
    const here = await failure(openModel('readme.onnx', text));
    const there = await failure(new StepWorker().inspect('readme.onnx', text));
    expect(there).toBeInstanceOf(StudioError);
    expect([there.code, there.message, there.hint]).toEqual([here.code, here.message, here.hint]);
    expect(there.code).toBe('bad-file');
    expect(there.hint).not.toBe('');
  });
});

describe('a line of calls', () => {
  const silent = () => new Worker(URL.createObjectURL(new Blob(['onmessage = () => {}'], { type: 'text/javascript' })));
  const broken = () => new Worker(URL.createObjectURL(new Blob(['throw new Error("no runtime")'], { type: 'text/javascript' })));
  const line = (start: () => Worker) => new WorkerLine<{ work(): number }>('testing', start);

  it('ends a worker that does not answer a cancel', async () => {
    const calls = line(silent);
    let lost = 0;
    calls.onLost = () => lost++;
    const controller = new AbortController();
    const start = performance.now();
    const call = failure(calls.call((remote) => remote.work(), controller.signal));
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort();
    expect((await call).code).toBe('cancelled');
    expect(performance.now() - start).toBeGreaterThanOrEqual(PATIENCE_MS - 20);
    expect(lost).toBe(1);
  });

  it('tells what a worker died of', async () => {
    expect((await failure(line(broken).call((remote) => remote.work()))).message).toMatch(
      /^The worker for testing stopped \(.*no runtime\)\.$/,
    );
  });

  it('ended from outside, its call is cancelled', async () => {
    const calls = line(silent);
    const call = failure(calls.call((remote) => remote.work()));
    await new Promise((resolve) => setTimeout(resolve, 50));
    calls.end();
    expect((await call).code).toBe('cancelled');
  });
});

describe('the worker of the preview', () => {
  it('shows two networks on the same frame', async () => {
    const preview = new PreviewWorker();
    const info = await preview.setOriginal({ name: NAME, bytes }, 'wasm');
    expect(info?.classNames).toContain('banana');
    expect(info?.detector).toBe(true);
    const scene = { scene: 500_001 };
    const alone = await preview.frame(scene, 0.3);
    expect(alone!.b).toBeNull();
    expect(alone!.a!.detections.length).toBeGreaterThan(0);

    await preview.setCompressed({ name: NAME, bytes }, 'wasm');
    const both = await preview.frame(scene, 0.3);
    expect(both!.b!.detections).toEqual(both!.a!.detections);
    expect(both!.a!.detections).toEqual(alone!.a!.detections);
    expect([both!.bitmap.width, both!.bitmap.height]).toEqual([both!.width, both!.height]);
    expect(both!.a!.ms.inference).toBeGreaterThan(0);

    // The same picture as the camera would give it: boxes in its pixels.
    const again = await preview.frame({ bitmap: both!.bitmap }, 0.3);
    expect(again!.a!.detections.length).toBe(both!.a!.detections.length);
    const fewer = await preview.frame(scene, 1);
    expect(fewer!.a!.detections).toEqual([]);
  });

  it('opens images by name and says what is wrong with them', async () => {
    const preview = new PreviewWorker();
    const broken = new Blob([new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3])], { type: 'image/jpeg' });
    const opened = await preview.setImages({ kind: 'files', name: 'mine', files: [{ path: 'a.jpg', file: broken }] });
    expect(opened.fileNames).toEqual(['a.jpg']);
    // A network opens nevertheless.
    expect((await preview.setOriginal({ name: NAME, bytes }, 'wasm'))?.detector).toBe(true);
    const error = await failure(preview.frame({ image: 0 }, 0.3));
    expect(error).toBeInstanceOf(StudioError);
    expect(error.message).toContain('a.jpg');
  });
});
