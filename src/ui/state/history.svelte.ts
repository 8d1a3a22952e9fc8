import type { JobResult } from '../../../workers/wire';
import type { Store, StoredRun } from '../../store';
import type { ShelfWorker } from '../bridge';
import { Comparison, type NamedRun } from './comparison.svelte';

export interface RunSummary {
  readonly id: string;
  readonly model: string;
  /** The recipe's name, until the run is given one of its own. */
  readonly recipe: string;
  readonly at: number;
  /** mAP before and after, percent; null = n/a. */
  readonly before: number | null;
  readonly after: number | null;
  readonly parameters: number;
  readonly macs: number;
  readonly weightBytes: number;
}

interface KeptRun {
  readonly model: string;
  readonly recipe: string;
  readonly result: JobResult;
}

/** Runs kept on this machine; older ones make room. */
const KEEP = 12;

/** Earlier runs, newest last. */
export class History {
  #store: Store | null = null;
  list = $state.raw<readonly RunSummary[]>([]);
  readonly comparison = new Comparison((id) => this.#read(id));

  constructor(private readonly shelf: ShelfWorker) {}

  async open(store: Store): Promise<void> {
    this.#store = store;
    const runs = (store.kind === 'disk' ? await this.shelf.runs() : null) ?? (await store.all('runs'));
    this.list = runs.flatMap(({ id, name, at, value }) => (isRun(value) ? [summary(id, name, at, value)] : []));
  }

  async add(model: string, recipe: string, result: JobResult): Promise<void> {
    const at = Date.now();
    const id = result.kept ?? `${at}`;
    const value: KeptRun = { model, recipe, result };
    this.list = [...this.list, summary(id, recipe, at, value)];
    if (!result.kept) await this.#store?.put([{ table: 'runs', record: { id, name: recipe, value, at } }]);
    for (const old of this.list.slice(0, -KEEP)) await this.remove(old.id);
  }

  async #record(id: string): Promise<StoredRun | undefined> {
    const onDisk = this.#store?.kind === 'disk' ? await this.shelf.run(id) : null;
    return onDisk ?? (await this.#store?.get('runs', id));
  }

  async #read(id: string): Promise<NamedRun | null> {
    const record = await this.#record(id);
    return record && isRun(record.value) ? { id, name: record.name, result: record.value.result } : null;
  }

  async get(id: string): Promise<JobResult | null> {
    return (await this.#read(id))?.result ?? null;
  }

  async remove(id: string): Promise<void> {
    await this.#store?.remove('runs', id);
    this.list = this.list.filter((run) => run.id !== id);
    if (this.comparison.picked.includes(id)) await this.comparison.toggle(id);
  }
}

/** A workspace's file can hold anything as a run's value. */
function isRun(value: unknown): value is KeptRun {
  const { model, recipe, result } = (value ?? {}) as Partial<Record<keyof KeptRun, unknown>>;
  const rows = (result as Partial<JobResult> | null | undefined)?.rows;
  return typeof model === 'string' && typeof recipe === 'string' && Array.isArray(rows) && rows.every((row) => row instanceof Object);
}

function summary(id: string, name: string, at: number, { model, result }: KeptRun): RunSummary {
  const last = result.rows.findLast(({ id }) => id !== 'int8-other');
  return {
    id,
    at,
    model,
    recipe: name,
    before: result.rows[0]?.metrics?.mAP ?? null,
    after: last?.metrics?.mAP ?? null,
    parameters: last?.parameters ?? 0,
    macs: last?.macs ?? 0,
    weightBytes: last?.weightBytes ?? 0,
  };
}
