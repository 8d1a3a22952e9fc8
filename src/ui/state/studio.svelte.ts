import type {
  EngineChoice,
  EngineReport,
  ImagesInfo,
  InspectReport,
  JobResult,
  JobSource,
  Progress,
  SensitivityReport,
} from '../../../workers/wire';
import { StudioError } from '../../numerics';
import type { AnalysisReport, Recipe, ResultRow, RunEvent, Story } from '../../pipeline';
import { openStore, type Store, type StoredModel } from '../../store';
import { JobSwitches, ShelfWorker, StepWorker, WorkerLost } from '../bridge';
import { type Given, type Intake, sortFiles } from '../intake';
import { siteUrl } from '../site';
import { coreWords, t } from '../text';
import { goBack } from '../training/go-back';
import { Alerts } from './alerts.svelte';
import { CatalogState } from './catalog.svelte';
import { CausesState } from './causes.svelte';
import { DevicesState } from './devices.svelte';
import { GraphState } from './graph.svelte';
import { GrowState } from './grow.svelte';
import { History } from './history.svelte';
import { ImageSetsState } from './image-sets.svelte';
import { type Job, JobsState } from './jobs.svelte';
import { LibraryState } from './library.svelte';
import { PreviewState } from './preview.svelte';
import { RecipeState } from './recipe.svelte';
import { SensitivityState } from './sensitivity.svelte';
import { CALIBRATION_SCENES, EVALUATION_SCENES, type FileSource, imageCount } from './sources';
import { TourState } from './tour.svelte';
import { TrainingState } from './training.svelte';
import { WeightsState } from './weights.svelte';

export interface OpenModel {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly external?: ReadonlyMap<string, Uint8Array>;
  /** Preprocessing preset that the user accepted; else the family's. */
  readonly preprocess?: string;
  readonly embedded: boolean;
  /** Id of its record, where it is kept already. */
  readonly kept?: string;
}

export interface Embedded {
  readonly file: string;
  readonly title: string;
}

export type Tab = 'results' | 'training' | 'causes' | 'layers' | 'graph' | 'device' | 'grow' | 'library';

/** The page's state: what is open, the job, its result. */
export class Studio {
  readonly alerts = new Alerts();
  readonly recipe = new RecipeState();
  readonly preview = new PreviewState(this.alerts);
  readonly #shelf = new ShelfWorker();
  readonly history = new History(this.#shelf);
  readonly #steps = new StepWorker();
  readonly devices = new DevicesState(this.#steps);
  readonly weights = new WeightsState(this.#steps);
  readonly causes = new CausesState(this);
  readonly sensitivity = new SensitivityState(this);
  readonly grow = new GrowState();
  readonly tour = new TourState(this);
  readonly graph = new GraphState(this);
  readonly jobs = new JobsState(
    () => this.#store,
    () => this.alerts.info(() => t('job.tooLarge')),
  );
  readonly imageSets = new ImageSetsState(
    () => this.#store,
    (name) => this.alerts.info(() => t('library.noRoom', { name })),
  );
  readonly training = new TrainingState(this, () => this.#store);
  readonly library = new LibraryState(this, () => this.#store, this.#shelf);
  readonly catalog = new CatalogState(this);
  #store: Promise<Store>;
  #abort: AbortController | null = null;
  /** Images kept of the camera, where those are open. */
  #cameraFrames: FileSource | null = null;

  model = $state.raw<OpenModel | null>(null);
  embedded = $state.raw<readonly Embedded[]>([]);
  report = $state.raw<InspectReport | null>(null);
  imageFiles = $state.raw<FileSource | null>(null);
  labelled = $state(false);
  engineChoice = $state<EngineChoice>('auto');
  jobEngine = $state.raw<EngineReport | null>(null);
  running = $state(false);
  progress = $state.raw<Progress | null>(null);
  rows = $state.raw<readonly ResultRow[]>([]);
  result = $state.raw<JobResult | null>(null);
  /** Name of the layer selected anywhere. */
  layer = $state<string | null>(null);
  doneIn = $state(0);
  tab = $state<Tab>('results');
  /** Files are being dragged over the page. */
  dragging = $state(false);
  /** A long job of any kind is on its way; another one waits for its end. */
  busy = $derived.by(
    () => this.running || this.jobs.other !== null || this.causes.running !== null || this.sensitivity.running || this.grow.running,
  );
  deviceTitle = $derived.by(() => coreWords(this.devices.profile(this.recipe.current.device)?.title ?? this.recipe.current.device));
  /** The images that a story can be told of. */
  storyImages = $derived.by(() => {
    const { calibration, evaluation } = this.#images();
    const images = evaluation ?? calibration;
    return { source: images, count: imageCount(images) };
  });
  /** How many images recovery and QAT learn from. */
  trainingCount = $derived.by(() => imageCount(this.training.images ?? this.#images().calibration));

  constructor() {
    this.preview.onLost = () => this.attempt(() => this.#restorePreview());
    this.#store = openStore((loss) => this.alerts.info(() => t('alerts.memory', { why: t(`alerts.lost.${loss.reason}`) })));
  }

  async start(): Promise<void> {
    const store = await this.#store;
    const opened = this.history.open(store);
    this.attempt(() => this.devices.load());
    const choice = (await store.get('settings', 'engine'))?.value;
    if (choice === 'wasm' || choice === 'webgpu') this.engineChoice = choice;
    this.embedded = await (await fetch(await siteUrl('models/embedded.json'))).json();
    const last = (await store.get('settings', 'model'))?.value;
    const kept = typeof last === 'string' ? await store.get('models', last) : undefined;
    if (kept) await this.#openStored(kept);
    else await this.openEmbedded(typeof last === 'string' && last.startsWith('embedded:') ? last.slice(9) : this.embedded[0]!.file);
    await this.#lastImages().catch((error) => this.alerts.error(error));
    const recipe = (await store.get('settings', 'recipe'))?.value;
    if (recipe) this.attempt(() => this.recipe.load(recipe));
    await opened;
    const run = this.history.list.at(-1);
    if (run && run.model === this.model?.name) await this.showRun(run.id);
    await this.jobs.look();
    if (location.hash === '#tour') await this.tour.begin();
    else if (this.recipe.takeLink()) this.alerts.info(() => t('recipe.linkOpened', { name: this.recipe.current.name }));
  }

  /** Runs `work`; what it throws becomes an alert. */
  attempt(work: () => void | Promise<void>): void {
    try {
      const running = work();
      if (running) running.catch((error) => this.alerts.error(error));
    } catch (error) {
      this.alerts.error(error);
    }
  }

  async openEmbedded(file: string): Promise<void> {
    const response = await fetch(await siteUrl(`models/${file}`));
    if (!response.ok) throw new StudioError('runtime', t('embeddedLost', { url: response.url }), t('embeddedLostHint'));
    await this.open({ name: file, bytes: new Uint8Array(await response.arrayBuffer()), embedded: true });
    await this.#remember('model', `embedded:${file}`);
  }

  /** A network that was dropped in on an earlier visit. Throws StudioError 'missing-data' where it is gone. */
  async openKept(id: string): Promise<void> {
    const kept = await (await this.#store).get('models', id);
    if (!kept) throw new StudioError('missing-data', t('library.gone'), t('library.goneHint'));
    await this.#openStored(kept);
  }

  #openStored({ id, name, bytes, external }: StoredModel): Promise<void> {
    return this.open({ name, bytes, external, embedded: false, kept: id });
  }

  /** What a network is made of, without opening it. */
  inspect(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Promise<InspectReport> {
    return this.#steps.inspect(name, bytes, external);
  }

  /** Opens a network; the one before stays if it can't be opened. */
  async open(model: OpenModel): Promise<void> {
    this.cancel();
    const report = await this.#steps.inspect(model.name, model.bytes, model.external);
    this.model = model;
    this.report = report;
    this.result = null;
    this.rows = [];
    this.layer = null;
    this.recipe.shown = null;
    this.causes.reset();
    this.sensitivity.reset();
    this.training.show();
    await this.preview.open(model, this.engineChoice);
    if (!model.embedded) await this.#remember('model', await this.library.keep(model, report.hash));
  }

  async takeFiles({ files, handles }: Given): Promise<void> {
    await this.#take(await sortFiles(files), handles);
  }

  /** The user's images: on show, and what the recipe calibrates on. */
  async openImages(source: FileSource): Promise<ImagesInfo> {
    const info = await this.preview.worker.setImages(source);
    this.imageFiles = source;
    this.labelled = info.labelled;
    this.preview.images = info;
    await this.preview.show('images');
    return info;
  }

  async #lastImages(): Promise<void> {
    const images = await this.imageSets.last('images');
    if (images) await this.openImages(images);
    await this.training.last();
  }

  async #take({ workspace, model, recipe, images }: Intake, handles: Given['handles']): Promise<void> {
    if (workspace) await this.library.import(workspace);
    if (recipe) {
      this.recipe.load(recipe.json);
      this.alerts.info(() => t('alerts.recipeOpened', { name: this.recipe.current.name }));
    }
    if (images) {
      const info = await this.openImages({ kind: 'files', ...images });
      const opened = { name: info.name, count: info.fileNames.length };
      this.alerts.info(() => t(info.labelled ? 'alerts.labelledOpened' : 'alerts.unlabelledOpened', opened));
      for (const note of info.notes) this.alerts.info(() => coreWords(note));
      this.imageFiles = await this.imageSets.keep('images', images, handles);
      await this.#advise();
    }
    if (model) {
      await this.open({ ...model, embedded: false });
      this.alerts.info(() => t('alerts.opened', { name: model.name }));
    }
  }

  /** Keeps the camera's frame as an image of the calibration set. */
  async capture(): Promise<void> {
    const file = await this.preview.still();
    if (!file) return;
    const before = this.imageFiles === this.#cameraFrames ? (this.#cameraFrames?.files ?? []) : [];
    const files = [...before, { path: `frame-${String(before.length + 1).padStart(3, '0')}.png`, file }];
    this.imageFiles = this.#cameraFrames = { kind: 'files', name: t('preview.cameraFrames'), files };
    this.labelled = false;
    await this.imageSets.keep('images', this.#cameraFrames, null, 'camera');
    this.alerts.info(() => t('preview.captured', { count: files.length }));
  }

  /** Feeds the network in another way: shown at once, and part of the recipe. */
  async usePreprocess(preset: string): Promise<void> {
    if (!this.model) return;
    this.recipe.set({ ...this.recipe.current, preprocess: preset });
    this.model = { ...this.model, preprocess: preset === 'auto' ? undefined : preset };
    await this.preview.open(this.model, this.engineChoice);
    if (this.result) await this.#show(this.result);
  }

  /** Offers another preprocessing where the assumed one finds nothing. */
  async #advise(): Promise<void> {
    const advice = await this.preview.worker.advise();
    if (!advice) return;
    const { preset } = advice;
    const action = preset ? { label: () => t('alerts.useIt'), run: () => this.attempt(() => this.usePreprocess(preset)) } : undefined;
    this.alerts.info(() => coreWords(advice.note), action);
  }

  /** What starting the job again would need. */
  #newJob(model: OpenModel): Job {
    const { bytes: _, name, embedded, preprocess } = model;
    const value = { recipe: this.recipe.current, engine: this.engineChoice, source: this.#source(model), embedded, preprocess };
    return { id: crypto.randomUUID(), name, value, at: Date.now() };
  }

  /** Starts a job that did not end again, with its own network, images and recipe. */
  async goOn(job: Job): Promise<void> {
    const { recipe, engine, embedded, preprocess } = job.value;
    const source = await this.imageSets.filled(job.value.source);
    const { name, model: bytes, external, calibration, evaluation, training = null, teacher = null } = source;
    this.engineChoice = engine;
    await this.open({ name, bytes, external, embedded, preprocess });
    this.recipe.set(recipe);
    this.imageFiles = calibration.kind === 'files' ? calibration : null;
    this.labelled = calibration.kind === 'files' && evaluation !== null;
    this.preview.images = this.imageFiles && (await this.preview.worker.setImages(this.imageFiles));
    [this.training.images, this.training.teacher] = [training, teacher];
    await this.run({ ...job, value: { ...job.value, source } });
  }

  /** Runs the recipe; null when it couldn't begin, was cancelled or failed. @param again a job that did not end */
  async run(again: Job | null = null): Promise<JobResult | null> {
    const { model } = this;
    if (!model || this.busy) return null;
    const started = again ?? this.#newJob(model);
    this.running = true;
    this.progress = null;
    this.rows = [];
    this.#abort = new AbortController();
    const { recipe } = started.value;
    const begun = performance.now();
    try {
      await this.#remember('recipe', recipe);
      const result = await this.jobs.hold(started, () => this.#compress(started));
      if (!result) return null;
      this.training.end();
      this.doneIn = (performance.now() - begun) / 1000;
      this.recipe.shown = recipe;
      await this.#show(result);
      await this.history.add(model.name, recipe.name, result);
      return result;
    } catch (error) {
      const cancelled = error instanceof StudioError && error.code === 'cancelled';
      this.training.end(cancelled ? null : error);
      if (cancelled) this.alerts.info(() => t('job.cancelled'));
      else this.alerts.error(error);
      return null;
    } finally {
      this.running = false;
      this.progress = null;
      this.preview.live.end();
    }
  }

  /** A worker that stops is replaced once, and the job goes on. */
  async #compress(job: Job, again = false): Promise<JobResult> {
    const { recipe, engine, source } = job.value;
    const switches = new JobSwitches();
    this.rows = [];
    this.training.begin(switches);
    const images = this.storyImages;
    this.preview.live.begin((index) => this.pictureOf(index, images));
    try {
      return await this.#steps.compress(recipe, source, engine, this.#callbacks(), this.#abort!.signal, switches, job.id);
    } catch (error) {
      if (again || !(error instanceof WorkerLost)) throw error;
    }
    this.alerts.info(() => t('job.restarted'));
    return this.#compress(job, true);
  }

  /** Runs the shown result's recipe again, only as far as a point of its pruning curve. */
  async goBackTo(stage: number): Promise<void> {
    const recipe = this.recipe.shown && goBack(this.recipe.shown, stage);
    if (!recipe || this.busy) return;
    this.recipe.set(recipe);
    await this.run();
  }

  /** What a job works on. */
  #source(model: OpenModel): JobSource {
    return {
      name: model.name,
      model: model.bytes,
      external: model.external,
      ...this.#images(),
      training: this.training.images,
      ...(this.training.teacher ? { teacher: this.training.teacher } : {}),
    };
  }

  #images(): Pick<JobSource, 'calibration' | 'evaluation'> {
    const { imageFiles } = this;
    if (!imageFiles) return { calibration: CALIBRATION_SCENES, evaluation: EVALUATION_SCENES };
    return { calibration: imageFiles, evaluation: this.labelled ? imageFiles : null };
  }

  /** @throws StudioError as the worker does */
  analyze(recipe: Recipe, progress: (p: Progress) => void, signal: AbortSignal): Promise<AnalysisReport> {
    return this.#steps.analyze(recipe, this.#source(this.model!), this.engineChoice, this.#callbacks(progress), signal);
  }

  /** @throws StudioError as the worker does */
  tell(recipe: Recipe, image: number, progress: (p: Progress) => void, signal: AbortSignal): Promise<Story> {
    return this.#steps.story(recipe, this.#source(this.model!), image, this.engineChoice, this.#callbacks(progress), signal);
  }

  /** @throws StudioError as the worker does */
  scanSensitivity(progress: (p: Progress) => void, signal: AbortSignal): Promise<SensitivityReport> {
    const source = this.#source(this.model!);
    return this.#steps.sensitivity(this.recipe.current, source, this.engineChoice, this.#callbacks(progress), signal);
  }

  /** Image `index` of those that stories are told of. */
  async pictureOf(index: number, { source } = this.storyImages): Promise<ImageBitmap | null> {
    // The preview doesn't know the frames that were kept of the camera.
    if (source.kind === 'files' && source === this.#cameraFrames) return createImageBitmap(source.files[index]!.file);
    const request = source.kind === 'scenes' ? { scene: source.first + index } : { image: index };
    return (await this.preview.worker.frame(request, 1))?.bitmap ?? null;
  }

  /** Ends the network where a device's finding offers it, and opens what is left. */
  async cutHere(values: readonly string[]): Promise<void> {
    const { model } = this;
    if (!model) return;
    const bytes = await this.#steps.cut(model, values);
    await this.open({ name: model.name.replace(/(-cut)?(\.onnx)?$/i, '-cut.onnx'), bytes, embedded: false });
    this.alerts.info(() => t('device.wasCut', { count: values.length }), {
      label: () => t('device.undoCut'),
      run: () => this.attempt(() => this.open(model)),
    });
  }

  #callbacks(
    progress = (p: Progress) => {
      this.progress = this.training.note(p);
      this.jobs.progress(p);
    },
  ) {
    return {
      progress,
      event: (event: RunEvent) => {
        if (event.type === 'row') this.rows = [...this.rows, event.row];
        else if (event.type === 'look') this.training.look(event.look);
        else if (event.type === 'stage') this.training.stage(event.stage);
        else if (event.type === 'layers') this.preview.live.take(event);
      },
      resumed: (step: number) => this.training.resumed(step),
      engine: (report: EngineReport) => {
        this.jobEngine = report;
      },
    };
  }

  async #show(result: JobResult): Promise<void> {
    this.result = result;
    this.rows = result.rows;
    this.training.show(result.looks, result.stages);
    const bytes = result.models.quantized ?? result.models.compressed;
    await this.preview.compare({ name: 'compressed', bytes }, this.engineChoice);
  }

  /** A new preview worker knows nothing yet. */
  async #restorePreview(): Promise<void> {
    if (this.imageFiles) this.preview.images = await this.preview.worker.setImages(this.imageFiles);
    if (this.model) await this.preview.open(this.model, this.engineChoice);
    if (this.result) await this.#show(this.result);
  }

  async showRun(id: string): Promise<void> {
    const run = await this.history.get(id);
    if (run) await this.showResult(run.recipe, run);
  }

  /** Shows what a recipe once made. */
  async showResult(recipe: Recipe, result: JobResult): Promise<void> {
    this.recipe.shown = recipe;
    this.doneIn = 0;
    await this.#show(result);
  }

  /** Shows the original alone; results stay in the history. */
  async clearResult(): Promise<void> {
    this.result = this.recipe.shown = null;
    this.rows = [];
    this.training.show();
    await this.preview.compare(null, this.engineChoice);
  }

  /** Goes back from somebody's images to the scenes. */
  async useScenes(): Promise<void> {
    this.imageFiles = null;
    this.labelled = false;
    this.preview.images = null;
    await this.imageSets.leave('images');
    await this.preview.show('scenes');
  }

  /** Leaves nothing behind of this visit, and begins the tour again. */
  async nextVisitor(): Promise<void> {
    location.hash = 'tour';
    await this.library.forget();
  }

  cancel(): void {
    this.#abort?.abort();
  }

  async chooseEngine(choice: EngineChoice): Promise<void> {
    this.engineChoice = choice;
    await this.#remember('engine', choice);
    await this.#restorePreview();
  }

  async #remember(id: string, value: unknown): Promise<void> {
    await (await this.#store).put([{ table: 'settings', record: { id, value } }]);
  }
}
