/** Jobs that outlive their page: a record in the store while one runs, one lock over all tabs, and what another tab is at. */
import type { EngineChoice, JobSource, Progress } from '../../../workers/wire';
import type { Recipe } from '../../pipeline';
import { type Store, type StoredJob, storageUsage } from '../../store';
import { WorkerLost } from '../bridge';
import { fileSources, withFiles } from './sources';

const NAME = 'bonsai-job';
/** Milliseconds between two words to the other tabs. */
const TELL_EVERY = 500;

/** All that starting a job again needs. */
export interface JobRequest {
  readonly recipe: Recipe;
  readonly engine: EngineChoice;
  readonly source: JobSource;
  readonly embedded: boolean;
  readonly preprocess?: string;
}

export interface Job extends StoredJob {
  readonly value: JobRequest;
}

/** A job as tabs tell each other of it. */
export interface OtherJob {
  readonly name: string;
  readonly recipe: string;
  readonly at: number;
  readonly progress: Progress | null;
}

type Word = { readonly type: 'ask' } | { readonly type: 'job'; readonly job: OtherJob };

function isJob(record: StoredJob): record is Job {
  const value = record.value as Partial<JobRequest> | null;
  return value?.source?.model instanceof Uint8Array && value.recipe?.bonsai === 1;
}

/** A job as it is written down: files that stay in a folder are left there, whose handles the set keeps. */
function recordOf(job: Job): Job {
  const left = fileSources(job.value.source).filter(({ folder }) => folder !== undefined);
  const source = withFiles(job.value.source, new Map(left.map((set) => [set, { ...set, files: [] }])));
  return { ...job, value: { ...job.value, source } };
}

/** Bytes of the images that a record copies. */
function weightOf(source: JobSource): number {
  const files = new Set(fileSources(source).flatMap((set) => set.files.map(({ file }) => file)));
  return [...files].reduce((sum, { size }) => sum + size, 0);
}

export class JobsState {
  /** Begun by this page or an earlier one, not ended, and no tab is at it. */
  unfinished = $state.raw<Job | null>(null);
  /** What another tab is at: nothing else can be started meanwhile. */
  other = $state.raw<OtherJob | null>(null);
  #own: OtherJob | null = null;
  #told = 0;
  #waiting = false;
  /** null where pages can't see each other. */
  readonly #channel = typeof BroadcastChannel === 'undefined' || !navigator.locks ? null : new BroadcastChannel(NAME);

  constructor(
    private readonly store: () => Promise<Store>,
    /** Called where the images are too many to be kept with the job. */
    private readonly tooLarge: () => void,
  ) {
    this.#channel?.addEventListener('message', ({ data }: MessageEvent<Word>) => {
      if (data.type === 'ask') this.#tell();
      else if (!this.#own) this.#see(data.job);
    });
  }

  /** Looks for a job of another tab, or one that did not end. */
  async look(): Promise<void> {
    const held = this.#channel ? ((await navigator.locks.query()).held ?? []) : [];
    if (!this.#own && held.some(({ name }) => name === NAME)) {
      this.#channel!.postMessage({ type: 'ask' } satisfies Word);
      this.#waitForOther();
      return;
    }
    const last = (await (await this.store()).all('jobs')).findLast(isJob);
    if (!this.#own) this.unfinished = last ?? null;
  }

  #see(job: OtherJob): void {
    this.other = job;
    this.unfinished = null;
    this.#waitForOther();
  }

  /** The lock is free when the other tab's job has ended, and also when that tab has died. */
  #waitForOther(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    void navigator.locks
      .request(NAME, { mode: 'shared' }, () => {
        this.#waiting = false;
        this.other = null;
      })
      .then(() => this.look());
  }

  #tell(): void {
    if (this.#own) this.#channel?.postMessage({ type: 'job', job: this.#own } satisfies Word);
  }

  /** Tells the other tabs how far the job of this one is. */
  progress(progress: Progress): void {
    if (!this.#own) return;
    this.#own = { ...this.#own, progress };
    if (performance.now() - this.#told < TELL_EVERY) return;
    this.#told = performance.now();
    this.#tell();
  }

  /**
   * Runs a job under the lock. Its record is in the store until it ends in any way but with its worker lost.
   * @returns null where another tab was faster
   */
  async hold<T>(job: Job, work: () => Promise<T>): Promise<T | null> {
    if (!this.#channel) return this.#kept(job, work);
    return navigator.locks.request(NAME, { ifAvailable: true }, async (lock) => {
      if (lock) return this.#kept(job, work);
      await this.look();
      return null;
    });
  }

  async #kept<T>(job: Job, work: () => Promise<T>): Promise<T> {
    this.unfinished = null;
    this.#own = { name: job.name, recipe: job.value.recipe.name, at: job.at, progress: null };
    this.#tell();
    const writing = this.#write(job);
    try {
      const result = await work();
      await writing;
      await this.forget();
      return result;
    } catch (error) {
      await writing;
      if (error instanceof WorkerLost) this.unfinished = job;
      else await this.forget();
      throw error;
    } finally {
      this.#own = null;
    }
  }

  async #write(job: Job): Promise<void> {
    const store = await this.store();
    const usage = await storageUsage();
    const record = recordOf(job);
    if (usage && weightOf(record.value.source) > usage.available / 2) this.tooLarge();
    else {
      const old = (await store.ids('jobs')).filter((id) => id !== job.id);
      await store.put([{ table: 'jobs', record }]);
      for (const id of old) await store.remove('jobs', id);
    }
  }

  /** No job is offered any more. */
  async forget(): Promise<void> {
    this.unfinished = null;
    const store = await this.store();
    for (const id of await store.ids('jobs')) await store.remove('jobs', id);
  }
}
