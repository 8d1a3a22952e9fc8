import { StudioError } from '../numerics';
import type {
  Detection,
  DetectorSpec,
  Device,
  DeviceFinding,
  ImageSet,
  InspectReport,
  Journal,
  MetricsArtifact,
  Model,
  ModelArtifact,
  OptionValues,
  QuantArtifact,
  RangesArtifact,
  StepContext,
  StepId,
  TrainingLook,
} from '../steps';
import { NO_JOURNAL, stepHash, wholeName } from '../steps';
import type { Prepared } from '../steps/quantize';
import { agreement } from './agreement';
import { type OpenJournal, openJournal } from './journal';
import { layersWatcher } from './layers-watcher';
import { stepOf } from './recipe';
import { STEP_META } from './table';
import type { ArtifactCache, Recipe, ResultRow, RunEnvironment, RunInput, RunResult } from './types';

/** Images whose detections stay with a result row as examples. */
const SAMPLES = 4;

interface Evaluated {
  readonly artifact: MetricsArtifact;
  readonly detections: readonly (readonly Detection[])[];
}

interface Target {
  readonly model: Model;
  readonly hash: string;
  readonly spec: DetectorSpec | null;
  readonly environment: 'FP32' | 'INT8, simulated';
}

export async function cached<T>(cache: ArtifactCache | undefined, key: string, make: () => Promise<T>): Promise<T> {
  const found = await cache?.get(key);
  if (found !== undefined) return found as T;
  const made = await make();
  await cache?.put(key, made);
  return made;
}

/** Runs the steps of a recipe, times them, and tells the caller as soon as something can be shown. */
export class Run {
  readonly seconds: Record<string, number> = {};
  readonly rows: ResultRow[] = [];
  readonly notes: string[] = [];
  readonly looks: TrainingLook[] = [];
  #teacher: Promise<ModelArtifact> | null = null;
  /** The user ended a training run of the step that goes on. */
  #cutShort = false;
  readonly #journals: OpenJournal[] = [];
  readonly ctx: StepContext;

  constructor(
    readonly recipe: Recipe,
    readonly input: RunInput,
    readonly env: RunEnvironment,
  ) {
    const { cancel, engine, gpu, prepare, resumed } = env;
    const control = env.control && {
      paused: () => env.control!.paused(),
      stopped: () => {
        const stopped = env.control!.stopped();
        if (stopped) this.#cutShort = true;
        return stopped;
      },
    };
    const look = (seen: TrainingLook) => {
      this.looks.push(seen);
      env.event?.({ type: 'look', look: seen });
    };
    this.ctx = { cancel, engine, gpu, prepare, control, resumed, look, seed: recipe.seed, progress: (p) => env.progress(p) };
  }

  /**
   * What `make` gives for this key: from the cache, else made now, with a journal that outlives the run until the result is
   * in the cache.
   * @param again told what was found in the cache, in place of what `make` tells on its way
   */
  async kept<T>(key: string, make: (ctx: StepContext) => Promise<T>, again?: (found: T) => void): Promise<T> {
    const { cache, checkpoints, job, now } = this.env;
    // What the user cut short isn't what the options ask for: only this very job goes on with it.
    const own = `${key}|${job}`;
    const found = (job && (await cache?.get(own))) ?? (await cache?.get(key));
    if (found !== undefined) {
      // A run may have died between its result and its last line.
      await checkpoints?.remove(key);
      again?.(found as T);
      return found as T;
    }
    const journal = checkpoints && (await openJournal(checkpoints, key, now));
    this.#cutShort = false;
    const made = await make(journal ? { ...this.ctx, journal } : this.ctx);
    if (!this.#cutShort) await cache?.put(key, made);
    else if (job) await cache?.put(own, made);
    await journal?.close();
    return made;
  }

  /** Tells of training that was done before. */
  tell(looks: readonly TrainingLook[]): void {
    for (const look of looks) this.ctx.look?.(look);
  }

  /** A journal of its own, kept until {@link end}. */
  async journal(key: string): Promise<Journal> {
    const { checkpoints, now } = this.env;
    if (!checkpoints) return NO_JOURNAL;
    const journal = await openJournal(checkpoints, key, now);
    this.#journals.push(journal);
    return journal;
  }

  /** All is done: forgets how far it was. */
  async end(): Promise<void> {
    for (const journal of this.#journals) await journal.close();
  }

  async step<T>(step: StepId, work: () => Promise<T>): Promise<T> {
    this.env.cancel.throwIfAborted();
    this.env.event?.({ type: 'step', step, state: 'started' });
    const start = performance.now();
    const result = await work();
    const seconds = (performance.now() - start) / 1000;
    this.seconds[step] = (this.seconds[step] ?? 0) + seconds;
    this.env.event?.({ type: 'step', step, state: 'done', seconds });
    return result;
  }

  options(id: 'prune' | 'recover' | 'calibrate' | 'quantize' | 'evaluate' | 'export') {
    return stepOf(this.recipe, id).options;
  }

  enabled(id: 'prune' | 'recover' | 'calibrate' | 'quantize' | 'evaluate' | 'export'): boolean {
    return stepOf(this.recipe, id).enabled;
  }

  calibrate(artifact: ModelArtifact): Promise<RangesArtifact> {
    return this.step('calibrate', async () => {
      const { calibrate } = await import('../steps/calibrate');
      const { calibration } = this.input;
      const inputs = [artifact.hash, JSON.stringify(artifact.spec?.preprocess ?? null), imagesKey(calibration), engineKey(this.env)];
      const key = await stepHash(STEP_META.calibrate, inputs, this.options('calibrate'));
      const { notes } = calibration;
      const found = await this.kept(`${key}|notes`, async (ctx) => {
        const before = notes.length;
        const ranges = await calibrate(artifact, calibration, this.options('calibrate'), ctx);
        return { ranges, notes: notes.slice(before) };
      });
      notes.push(...found.notes.filter((note) => !notes.includes(note)));
      return found.ranges;
    });
  }

  /** The float network as the quantize step's options want it, calibrated. */
  async ready(artifact: ModelArtifact, options: OptionValues = this.options('quantize')): Promise<Prepared> {
    const { prepareFloat, readOptions } = await import('../steps/quantize');
    return prepareFloat(artifact, readOptions(options), (network) => this.calibrate(network));
  }

  /** The network that teaches in the original's place, prepared as the calibration images say. */
  teacher(): Promise<ModelArtifact> {
    this.#teacher ??= (async () => {
      const { name, model, external } = this.input.teacher!;
      const { choosePreprocess, openModel } = await import('../steps/open');
      const opened = await openModel(name, model, external);
      return (await choosePreprocess(opened, this.input.calibration, this.recipe.preprocess, this.ctx)).artifact;
    })();
    return this.#teacher;
  }

  /** @param otherReading see quantize */
  quantize(artifact: ModelArtifact, ranges: RangesArtifact, otherReading: boolean): Promise<QuantArtifact> {
    return this.step('quantize', async () => {
      const { quantize } = await import('../steps/quantize');
      const { validator } = await import('./compress');
      const judge = validator(this, artifact);
      const { calibration: images, training = null } = this.input;
      const options = this.options('quantize');
      const inputs = [
        artifact.hash,
        JSON.stringify(artifact.spec?.preprocess ?? null),
        ranges.hash,
        ranges.backend,
        ...setsKey(this.input),
      ];
      const engines = [this.env.engine.version, engineKey(this.env)];
      const asked = { options, judged: this.options('evaluate'), seed: this.recipe.seed, otherReading };
      const key = await stepHash(STEP_META.quantize, [...inputs, ...engines], asked);
      const watch = this.env.watched ? layersWatcher(this, artifact, options) : undefined;
      const make = async (ctx: StepContext) => {
        const seen: TrainingLook[] = [];
        const look = (one: TrainingLook) => {
          seen.push(one);
          ctx.look?.(one);
        };
        const validate = (model: Model, held: ImageSet) => judge({ ...artifact, model }, held);
        const quant = await quantize(artifact, ranges, options, ctx, { ...ctx, look, images, training, validate, watch }, otherReading);
        return { quant, looks: seen };
      };
      const { quant } = await this.kept(key, make, ({ looks }) => this.tell(looks));
      this.notes.push(...quant.notes);
      return quant;
    });
  }

  evaluate(target: Target, reference: Evaluated | null, referenceModel: Model): Promise<Evaluated> {
    return this.step('evaluate', async () => {
      const { evaluate } = await import('../steps/evaluate');
      const images = this.input.evaluation ?? this.input.calibration;
      const preprocess = JSON.stringify(target.spec?.preprocess ?? null);
      const inputs = [target.hash, target.environment, preprocess, imagesKey(images), this.env.engine.version, `${this.recipe.seed}`];
      if (reference) inputs.push(reference.artifact.modelHash);
      const key = await stepHash(STEP_META.evaluate, inputs, this.options('evaluate'));
      return this.kept(key, (ctx) =>
        evaluate(target, images, this.options('evaluate'), ctx, { model: referenceModel, detections: reference?.detections ?? null }),
      );
    });
  }

  async addRow(id: ResultRow['id'], target: Target, evaluated: Evaluated | null, name: string): Promise<ResultRow> {
    const { analyzeModel, weightBytes } = await import('../steps/inspect');
    const { parameters, macs } = analyzeModel(target.model);
    const row: ResultRow = {
      id,
      model: name,
      environment: target.environment,
      parameters,
      macs,
      weightBytes: weightBytes(target.model),
      metrics: evaluated?.artifact.metrics ?? null,
      samples: (evaluated?.detections ?? []).slice(0, SAMPLES).map((detections, image) => ({ image, detections })),
    };
    this.rows.push(row);
    this.env.event?.({ type: 'row', row });
    return row;
  }
}

export function imagesKey(images: ImageSet): string {
  return `${images.name}:${images.fingerprint ?? ''}:${images.entries.map((entry) => `${entry.id}/${entry.fileName}/${entry.truths.length}`).join(',')}`;
}

/** Everything that steps may learn from. */
export function setsKey({ calibration, training }: RunInput): readonly string[] {
  return [imagesKey(calibration), training ? imagesKey(training) : ''];
}

export function engineKey(env: RunEnvironment): string {
  return (env.gpu ?? env.engine).version;
}

/**
 * Replays a recipe: open → evaluate FP32 → prune → calibrate → quantize → evaluate → export. Steps that are switched
 * off are left out. Deterministic for equal inputs, recipe and CPU engine.
 * @throws StudioError with one sentence for the user; 'cancelled' once `env.cancel` says so
 */
export async function runRecipe(recipe: Recipe, input: RunInput, env: RunEnvironment): Promise<RunResult> {
  const run = new Run(recipe, input, env);
  if (run.enabled('export')) (await import('../steps/export')).deviceById(recipe.device); // Refused now, not after the work.
  const { choosePreprocess, openModel, serialized } = await import('../steps/open');
  const opened = await run.step('open', () => openModel(input.name, input.model, input.external));
  run.notes.push(...opened.model.notes);
  const { artifact: original, choice } = await choosePreprocess(opened, input.calibration, recipe.preprocess, run.ctx);
  if (choice.note) run.notes.push(choice.note);

  const judged = run.enabled('evaluate');
  const float: Target = { ...original, environment: 'FP32' };
  const baseline = judged ? await run.evaluate(float, null, original.model) : null;
  await run.addRow('fp32', float, baseline, original.name);

  const { artifact: compressed, stages } = await pruned(run, original, baseline);
  const quant = run.enabled('quantize') ? await quantized(run, compressed, original, baseline) : null;

  const layerError: Record<string, number> = {};
  if (quant) Object.assign(layerError, await measureLayers(run, quant.float, quant.artifact));
  const exported = quant?.float ?? compressed;

  const finished: Recipe = {
    ...recipe,
    record: {
      model: original.name,
      modelHash: original.hash,
      engine: env.engine.version,
      preprocess: choice.name,
      images: input.calibration.entries.length,
    },
  };
  const models = {
    original: serialized(original.model),
    compressed: serialized(exported.model),
    quantized: quant ? serialized(quant.artifact.model) : null,
  };
  const files = await bundle(run, finished, { original, float: exported, quant: quant?.artifact ?? null }, models);
  run.notes.push(...input.calibration.notes, ...(input.evaluation?.notes ?? []));
  await run.end();
  return {
    recipe: finished,
    rows: run.rows,
    seconds: run.seconds,
    models,
    files,
    quant: quant?.artifact.plan ?? [],
    pareto: quant?.artifact.pareto ?? [],
    stages,
    looks: run.looks,
    ranges: quant?.ranges ?? null,
    preprocess: { name: choice.name, proposed: choice.proposed },
    layerError,
    notes: [...new Set(run.notes)],
  };
}

async function pruned(run: Run, original: ModelArtifact, baseline: Evaluated | null) {
  if (!run.enabled('prune') && !run.enabled('recover')) return { artifact: original, stages: [] };
  const { compress } = await import('./compress');
  const result = await compress(run, original);
  const target: Target = { ...result.artifact, environment: 'FP32' };
  const evaluated = baseline ? await run.evaluate(target, baseline, original.model) : null;
  await run.addRow('pruned', target, evaluated, `${original.name}, ${run.enabled('prune') ? 'pruned' : 'trained'}`);
  return result;
}

async function quantized(run: Run, compressed: ModelArtifact, original: ModelArtifact, baseline: Evaluated | null) {
  const { checkQuantization, deviceById } = await import('../steps/export');
  const device = run.enabled('export') ? deviceById(run.recipe.device) : null;
  if (device) refuseSixteenBit(device, run.options('quantize'));
  const { artifact: float, ranges, notes } = await run.ready(compressed);
  run.notes.push(...notes);
  run.env.event?.({ type: 'ranges', ranges });
  // Compilers round weights by scales of their own: where nobody says how many a layer has, both answers are shown.
  const silent = baseline !== null && device?.scheme.weightGranularity.value === null;
  const artifact = await run.quantize(float, ranges, silent);
  const target: Target = { ...artifact, environment: 'INT8, simulated' };
  const evaluated = baseline ? await run.evaluate(target, baseline, original.model) : null;
  const suffix = run.enabled('prune') ? 'pruned, INT8' : 'INT8';
  const row = await run.addRow('int8', target, evaluated, `${original.name}, ${suffix}`);
  if (device)
    run.notes.push(
      ...deviceNotes(device.title, checkQuantization(float.model, device, { plan: artifact.plan, options: run.options('quantize') })),
    );
  if (baseline && artifact.reading) {
    const { weights, model, hash } = artifact.reading;
    const other: Target = { model, hash, spec: artifact.spec, environment: 'INT8, simulated' };
    const each = weights === 'per-tensor' ? 'one weight scale a layer' : 'one weight scale a channel';
    const otherRow = await run.addRow(
      'int8-other',
      other,
      await run.evaluate(other, baseline, original.model),
      `${original.name}, ${suffix}, ${each}`,
    );
    run.notes.push(readingNote(device!.title, row, otherRow, each));
  }
  return { artifact, ranges, float };
}

/** @throws StudioError 'unsupported' when the device takes no single layers in 16 bits and the recipe asks for some */
function refuseSixteenBit(device: Device, options: OptionValues): void {
  const { scope, note } = device.precision.sixteenBit;
  if (options.sixteenBit !== undefined && options.sixteenBit !== 'off' && scope.value !== 'layer')
    throw new StudioError('unsupported', `${device.title}: ${note}`, 'Switch 16 bit off in the quantize step, or choose another device.');
}

/** What the device makes of the quantization: one sentence for each reason, however many layers it concerns. */
function deviceNotes(title: string, findings: readonly DeviceFinding[]): readonly string[] {
  const groups = new Map<string, DeviceFinding[]>();
  for (const finding of findings) {
    const group = groups.get(finding.reason);
    if (group) group.push(finding);
    else groups.set(finding.reason, [finding]);
  }
  return [...groups.values()].map((group) => {
    const { node, state, reason, advice } = group[0]!;
    const others = group.length === 1 ? '' : ` and ${group.length - 1} other${group.length === 2 ? '' : 's'}`;
    return `${title}, "${node}"${others}, ${state}: ${`${reason} ${advice}`.trim()}`;
  });
}

/** Which reading is the worse one, in words. */
function readingNote(device: string, row: ResultRow, other: ResultRow, each: string): string {
  const figure = ({ metrics }: ResultRow): number => metrics?.mAP ?? metrics?.sqnr ?? Number.NaN;
  const unit = row.metrics?.kind === 'sqnr' ? ' dB' : ' % mAP';
  const said = `${device}'s documents don't say whether weights have one scale a channel or one a layer, so both were evaluated`;
  const worse =
    figure(other) < figure(row)
      ? `with ${each} it is ${figure(other).toFixed(1)}${unit}`
      : `${figure(row).toFixed(1)}${unit} is the worse one`;
  return `${said}: ${worse}. Expect no more than that until the compiled file has been measured.`;
}

async function measureLayers(run: Run, float: ModelArtifact, quant: QuantArtifact): Promise<Readonly<Record<string, number>>> {
  const { layerSqnr } = await import('../steps/quantize');
  const images = run.input.calibration;
  const key = await stepHash(STEP_META.quantize, ['layers', float.hash, quant.hash, imagesKey(images), run.env.engine.version], {});
  const errors = { ...(await run.step('quantize', () => run.kept(key, (ctx) => layerSqnr(float, quant, images, ctx)))) };
  // A layer that was cut is as good as its worst part.
  for (const [node, dB] of Object.entries(errors)) {
    const whole = wholeName(node);
    if (whole !== node) errors[whole] = Math.min(errors[whole] ?? dB, dB);
  }
  return errors;
}

async function bundle(
  run: Run,
  recipe: Recipe,
  networks: { readonly original: ModelArtifact; readonly float: ModelArtifact; readonly quant: QuantArtifact | null },
  models: RunResult['models'],
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (!run.enabled('export')) {
    const files = new Map([['model.onnx', models.compressed]]);
    if (models.quantized) files.set('model.qdq.onnx', models.quantized);
    return files.set('recipe.json', new TextEncoder().encode(`${JSON.stringify(recipe, null, 2)}\n`));
  }
  return run.step('export', async () => {
    const { exportBundle } = await import('../steps/export');
    const input = { ...networks, calibration: run.input.calibration, rows: run.rows, recipe, device: recipe.device };
    const { files } = await exportBundle(input, run.options('export'), run.ctx);
    const { quant } = networks;
    const agreed = quant && (await agreement(quant, run.input, run.env, run.ctx));
    if (!agreed) return files;
    run.notes.push(agreed.note);
    return new Map([...files, ...agreed.files]);
  });
}

/** Opens and inspects a model. Throws as {@link runRecipe} does. */
export async function inspectModel(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Promise<InspectReport> {
  const { openModel } = await import('../steps/open');
  const { inspect } = await import('../steps/inspect');
  return inspect(await openModel(name, bytes, external));
}
