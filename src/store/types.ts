/** What is kept between visits, and the interface that the page keeps it through. */

export interface StoredFile {
  /** With the folders it came in, parts joined by "/". */
  readonly path: string;
  readonly file: Blob;
}

/** A network as it was dropped in, once per content. */
export interface StoredModel {
  /** SHA-256 (hex) of `bytes`; with external data, of the whole network. */
  readonly id: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** External-data files by the name the model gives them. */
  readonly external: ReadonlyMap<string, Uint8Array>;
  /** Milliseconds since 1970, as every `at` here. */
  readonly at: number;
}

export interface StoredDataset {
  readonly id: string;
  readonly name: string;
  /** Copies; empty where `handles` lead to the files. */
  readonly files: readonly StoredFile[];
  /** The files or folders themselves, which stay where they are; absent where the browser gives none. */
  readonly handles?: readonly FileSystemHandle[];
  readonly at: number;
}

/** A step's result under its content hash (calibration, evaluation). */
export interface StoredArtifact {
  readonly id: string;
  readonly value: unknown;
  readonly at: number;
}

export interface StoredRun {
  readonly id: string;
  readonly name: string;
  /** The whole result as the pipeline gave it; the store doesn't look inside. */
  readonly value: unknown;
  readonly at: number;
}

/** What an unfinished step has worked out so far, under the hash of its inputs. */
export interface StoredCheckpoint {
  readonly id: string;
  readonly value: unknown;
}

/** A job that was started and hasn't ended: all that is needed to start it again. */
export interface StoredJob {
  readonly id: string;
  /** Name of the network, for people. */
  readonly name: string;
  /** Recipe, network and images as the page gave them; the store doesn't look inside. */
  readonly value: unknown;
  readonly at: number;
}

export interface StoredSetting {
  readonly id: string;
  readonly value: unknown;
}

export interface Tables {
  readonly models: StoredModel;
  readonly datasets: StoredDataset;
  readonly artifacts: StoredArtifact;
  readonly runs: StoredRun;
  readonly settings: StoredSetting;
  readonly checkpoints: StoredCheckpoint;
  readonly jobs: StoredJob;
}

export type TableName = keyof Tables;
export const TABLES = [
  'models',
  'datasets',
  'artifacts',
  'runs',
  'settings',
  'checkpoints',
  'jobs',
] as const satisfies readonly TableName[];

/** One record for one table. */
export type Write = { readonly [T in TableName]: { readonly table: T; readonly record: Tables[T] } }[TableName];

/** Bytes, as the browser estimates them. */
export interface Usage {
  readonly used: number;
  readonly available: number;
  /** Whether the browser promised not to evict it. */
  readonly persisted: boolean;
}

export interface Store {
  readonly kind: 'disk' | 'memory';
  get<T extends TableName>(table: T, id: string): Promise<Tables[T] | undefined>;
  /** Every record of a table, oldest first where they have a time. */
  all<T extends TableName>(table: T): Promise<readonly Tables[T][]>;
  /** As {@link all}, but the ids alone: records hold megabytes. */
  ids(table: TableName): Promise<readonly string[]>;
  /** All of them or none. */
  put(writes: readonly Write[]): Promise<void>;
  remove(table: TableName, id: string): Promise<void>;
  close(): void;
}
