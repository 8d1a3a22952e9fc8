import type { CurveLook, ImageSource, JobSource, Progress } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import type { PruneStage } from '../../pipeline';
import type { Store } from '../../store';
import type { JobSwitches } from '../bridge';
import { type Given, sortFiles } from '../intake';
import { t } from '../text';
import { imageSteps, segmentsOf } from '../training/curves';
import { Hand } from './hand.svelte';
import { TRAINING_SCENES } from './sources';
import type { Studio } from './studio.svelte';

type Teacher = NonNullable<JobSource['teacher']>;

/** Training runs of the job that goes on, or of the result on show: their curves, and the user's hand on them. */
export class TrainingState extends Hand {
  /** A run that goes on from a checkpoint; `run` is known with its first look. */
  #resumed = $state.raw<{ readonly step: number; readonly run: string | null } | null>(null);
  #progress = $state.raw<Progress | null>(null);

  /** What recovery and QAT learn from; null = the calibration images. */
  images = $state.raw<ImageSource | null>(null);
  /** null = the original. */
  teacher = $state.raw<Teacher | null>(null);

  looks = $state.raw<readonly CurveLook[]>([]);
  stages = $state.raw<readonly PruneStage[]>([]);
  /** What ended the last job before its time, null when nothing did. */
  trouble = $state.raw<unknown>(null);

  segments = $derived.by(() => segmentsOf(this.looks));
  /** A training run goes on (or pauses) now. */
  active = $derived.by(() => this.#progress !== null && this.#progress.label === this.looks.at(-1)?.run);
  progress = $derived.by(() => (this.active ? this.#progress : null));
  /** Image-step that the run that goes on now started from; null where it began anew. */
  resumedFrom = $derived.by(() => {
    const look = this.looks.at(-1);
    if (!this.progress || !look || this.#resumed === null || this.#resumed.run !== this.progress.label) return null;
    return imageSteps(this.#resumed.step, this.progress.total, look);
  });

  constructor(
    private readonly studio: Studio,
    private readonly store: () => Promise<Store>,
  ) {
    super();
  }

  /** Goes on with the images and the teacher of the last visit. @throws StudioError 'missing-data' where their folder is gone */
  async last(): Promise<void> {
    const store = await this.store();
    const id = (await store.get('settings', 'teacher'))?.value;
    const teacher = typeof id === 'string' ? await store.get('models', id) : undefined;
    if (teacher) this.teacher = { name: teacher.name, model: teacher.bytes, external: teacher.external };
    if ((await store.get('settings', 'training'))?.value === TRAINING_SCENES.kind) this.images = TRAINING_SCENES;
    else {
      this.images = await this.studio.imageSets.last('training');
    }
  }

  /** Images of their own for recovery and QAT. @throws StudioError 'bad-data' where there are none */
  async takeImages({ files, handles }: Given): Promise<void> {
    const { images } = await sortFiles(files);
    if (!images) throw new StudioError('bad-data', t('training.noImages'), t('training.noImagesHint'));
    this.images = await this.studio.imageSets.keep('training', images, handles);
  }

  async useScenes(): Promise<void> {
    this.images = TRAINING_SCENES;
    await (await this.store()).put([{ table: 'settings', record: { id: 'training', value: TRAINING_SCENES.kind } }]);
  }

  /** Learns from the calibration images again. */
  async leaveImages(): Promise<void> {
    this.images = null;
    await this.studio.imageSets.leave('training');
  }

  /** Another network that teaches. @throws StudioError 'bad-file' where it is none */
  async takeTeacher({ files }: Given): Promise<void> {
    const { model } = await sortFiles(files);
    if (!model) throw new StudioError('bad-file', t('training.noTeacher'), t('training.noTeacherHint'));
    const { name, bytes, external } = model;
    const { hash } = await this.studio.inspect(name, bytes, external);
    this.teacher = { name, model: bytes, external };
    const id = await this.studio.library.keep(model, hash);
    await (await this.store()).put([{ table: 'settings', record: { id: 'teacher', value: id } }]);
  }

  /** Learns from the original again. */
  async leaveTeacher(): Promise<void> {
    this.teacher = null;
    await (await this.store()).remove('settings', 'teacher');
  }

  /** A job begins. */
  begin(job: JobSwitches): void {
    this.take(job);
    this.#resumed = this.#progress = null;
    this.looks = [];
    this.stages = [];
    this.trouble = null;
  }

  /** Notes how far it is; the time left goes by the pace of steps, pauses and resumed ones left out. */
  note(p: Progress): Progress {
    this.#progress = p;
    if (!this.active) return p;
    this.#progress = this.timed(p);
    return this.#progress;
  }

  look(look: CurveLook): void {
    if (!this.job) return;
    if (this.#resumed?.run === null) this.#resumed = { ...this.#resumed, run: look.run };
    if (look.run !== this.looks.at(-1)?.run) this.stopping = false;
    this.looks = [...this.looks, look];
  }

  stage(stage: PruneStage): void {
    if (!this.job) return;
    this.stopping = false;
    this.stages = [...this.stages, stage];
  }

  resumed(step: number): void {
    if (this.job) this.#resumed = { step, run: null };
  }

  /** The job ended; what was seen of it stays. */
  end(trouble: unknown = null): void {
    this.take(null);
    this.#progress = null;
    this.trouble = trouble;
  }

  /** Training of an earlier run, unless one goes on; runs of older versions have none. */
  show(looks: readonly CurveLook[] = [], stages: readonly PruneStage[] = []): void {
    if (this.job) return;
    this.looks = looks;
    this.stages = stages;
    this.trouble = null;
  }
}
