import type { CurveLook, ImageSource, JobSource, Progress } from '../../../workers/wire';
import type { PruneStage } from '../../pipeline';
import type { JobSwitches } from '../bridge';
import { imageSteps, secondsLeft, segmentsOf } from '../training/curves';

type Teacher = NonNullable<JobSource['teacher']>;

/** Training runs of the job that goes on, or of the result on show: their curves, and the user's hand on them. */
export class TrainingState {
  #job: JobSwitches | null = null;
  /** Where the pace is measured from: the first step after a start or a pause. */
  #pace: { readonly label: string; readonly done: number; readonly at: number } | null = null;
  /** A run that goes on from a checkpoint; `run` is known with its first look. */
  #resumed = $state.raw<{ readonly step: number; readonly run: string | null } | null>(null);
  #progress = $state.raw<Progress | null>(null);

  /** What recovery and QAT learn from; null = the calibration images. */
  images = $state.raw<ImageSource | null>(null);
  /** null = the original. */
  teacher = $state.raw<Teacher | null>(null);

  looks = $state.raw<readonly CurveLook[]>([]);
  stages = $state.raw<readonly PruneStage[]>([]);
  paused = $state(false);
  /** "Stop and keep the best" was pressed, the last look is on its way. */
  stopping = $state(false);
  /** What ended the last job before its time, as a sentence; '' when nothing did. */
  trouble = $state('');

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

  /** A job begins. */
  begin(job: JobSwitches): void {
    this.#job = job;
    this.#pace = this.#resumed = this.#progress = null;
    this.looks = [];
    this.stages = [];
    this.paused = this.stopping = false;
    this.trouble = '';
  }

  /** Notes how far it is; the time left goes by the pace of steps, pauses and resumed ones left out. */
  note(p: Progress): Progress {
    this.#progress = p;
    if (!this.active) return p;
    const now = { label: p.label, done: p.done, at: performance.now() };
    if (this.#pace?.label !== p.label || this.#pace.done > p.done) this.#pace = now;
    const left = secondsLeft(this.#pace, now, p.total);
    this.#progress = { ...p, secondsLeft: left === undefined ? undefined : left / 1000 };
    return this.#progress;
  }

  look(look: CurveLook): void {
    if (!this.#job) return;
    if (this.#resumed?.run === null) this.#resumed = { ...this.#resumed, run: look.run };
    if (look.run !== this.looks.at(-1)?.run) this.stopping = false;
    this.looks = [...this.looks, look];
  }

  stage(stage: PruneStage): void {
    if (!this.#job) return;
    this.stopping = false;
    this.stages = [...this.stages, stage];
  }

  resumed(step: number): void {
    if (this.#job) this.#resumed = { step, run: null };
  }

  /** The job ended; what was seen of it stays. */
  end(trouble = ''): void {
    this.#job = null;
    this.#progress = null;
    this.paused = this.stopping = false;
    this.trouble = trouble;
  }

  /** Training of an earlier run, unless one goes on; runs of older versions have none. */
  show(looks: readonly CurveLook[] = [], stages: readonly PruneStage[] = []): void {
    if (this.#job) return;
    this.looks = looks;
    this.stages = stages;
    this.trouble = '';
  }

  pause(on: boolean): void {
    this.paused = on;
    this.#pace = null;
    this.#job?.turn('pause', on);
  }

  /** Ends the training run that goes on with the best so far; the job goes on. */
  stop(): void {
    this.stopping = true;
    this.#job?.turn('stop', true);
    if (this.paused) this.pause(false);
  }
}
