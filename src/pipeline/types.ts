/** The recipe (what to do) and the run (what came of it), as the page, the CLI and the store share them. */
import type {
  CancelToken,
  Detection,
  DetectionMetrics,
  Engine,
  ImageSet,
  OptionValues,
  ParetoPoint,
  PrepareImage,
  Progress,
  RangesArtifact,
  StepId,
  TensorQuant,
  TrainingControl,
  TrainingLook,
} from '../steps';

export interface RecipeStep {
  readonly step: Exclude<StepId, 'open' | 'inspect'>;
  /** Switched-off steps stay in the recipe. */
  readonly enabled: boolean;
  /** Only keys that the step's meta declares; missing ones take their default. */
  readonly options: OptionValues;
}

/** recipe.json. Replayed by `npm run bonsai -- run recipe.json`. */
export interface Recipe {
  readonly bonsai: 1;
  readonly name: string;
  readonly seed: number;
  readonly device: string;
  /** How images become the input: 'auto' (the family's, probed on calibration images) or a preset's name. */
  readonly preprocess: string;
  readonly steps: readonly RecipeStep[];
  /** Recorded by a run: hashes and engine, so that a replay can be compared. Ignored on input. */
  readonly record?: Readonly<Record<string, unknown>>;
}

export interface RunInput {
  readonly name: string;
  readonly model: Uint8Array;
  /** External-data files by the name the model gives them. */
  readonly external?: ReadonlyMap<string, Uint8Array>;
  readonly calibration: ImageSet;
  /** null = judged on the calibration images by agreement with FP32. */
  readonly evaluation: ImageSet | null;
  /** What recovery and QAT learn from; absent or null = the calibration images. Labels aren't used. */
  readonly training?: ImageSet | null;
  /** Another network that teaches; absent = the original. */
  readonly teacher?: { readonly name: string; readonly model: Uint8Array; readonly external?: ReadonlyMap<string, Uint8Array> };
}

export interface RunEnvironment {
  readonly engine: Engine;
  readonly gpu: Engine | null;
  readonly cancel: CancelToken;
  /** Another CPU engine for the agreement report, opened when it is needed; the run disposes it. */
  readonly witness?: () => Promise<Engine>;
  /** Decodes and preprocesses beside the network's runs, where another worker can. */
  readonly prepare?: PrepareImage;
  progress(p: Progress): void;
  /** Keeps artifacts by hash, so that going back to earlier options is instant. */
  readonly cache?: ArtifactCache;
  /** Pauses or ends training runs. */
  readonly control?: TrainingControl;
  /** Where unfinished steps keep what they have worked out, so that a run that dies can go on. */
  readonly checkpoints?: Checkpoints;
  /** A training run goes on from this step of its own. */
  resumed?(step: number): void;
  /** Of the job: what the user cut short is kept for this job alone. */
  readonly job?: string;
  /** Of journals, in milliseconds; for tests. */
  now?(): number;
  /** Somebody looks on: a few runs more show what quantizing does to one image ('layers' events). Absent: no. */
  readonly watched?: boolean;
  /** Called as soon as something can be shown. */
  event?(e: RunEvent): void;
}

export interface ArtifactCache {
  get(hash: string): Promise<unknown>;
  put(hash: string, artifact: unknown): Promise<void>;
}

/** Records of unfinished steps by key. What is put is copied before the promise resolves. */
export interface Checkpoints {
  get(key: string): Promise<unknown>;
  put(key: string, checkpoint: unknown): Promise<void>;
  remove(key: string): Promise<void>;
}

export type RunEvent =
  | { readonly type: 'row'; readonly row: ResultRow }
  | { readonly type: 'ranges'; readonly ranges: RangesArtifact }
  | { readonly type: 'look'; readonly look: TrainingLook }
  | { readonly type: 'stage'; readonly stage: PruneStage }
  | LayersEvent
  | { readonly type: 'step'; readonly step: StepId; readonly state: 'started' | 'done'; readonly seconds?: number };

/** One image's detections while layers are quantized, in graph order; the first event of a pass is the float network. */
export interface LayersEvent {
  readonly type: 'layers';
  /** Index into the evaluation images, or the calibration images where there are none. */
  readonly image: number;
  readonly quantized: number;
  readonly layers: number;
  /** False on the pass before repairs. */
  readonly repaired: boolean;
  readonly detections: readonly Detection[];
}

/** A pruning step and its recovery. */
export interface PruneStage {
  /** Percent of the original's MACs that are gone. */
  readonly reduction: number;
  readonly macs: number;
  /** Percent: mAP against the original's own detections on images held back, right after the cut and after the recovery; null = n/a. */
  readonly raw: number | null;
  readonly mAP: number | null;
  /** False where no training step was better than the cut network. */
  readonly changed: boolean;
}

/** One line of the result table (the seed's table). */
export interface ResultRow {
  /** 'int8-other': the quantized network as the device's other possible reading of the weights' scales gives it. */
  readonly id: 'fp32' | 'pruned' | 'int8' | 'int8-other';
  readonly model: string;
  readonly environment: 'FP32' | 'INT8, simulated';
  readonly parameters: number;
  /** Bytes of the weights as stored (float32: 4 each; int8: 1 each plus scales). */
  readonly weightBytes: number;
  readonly macs: number;
  readonly metrics: DetectionMetrics | null;
  /** Detections of the first few evaluated images, for the examples. */
  readonly samples: readonly { readonly image: number; readonly detections: readonly Detection[] }[];
}

export interface RunResult {
  readonly recipe: Recipe;
  readonly rows: readonly ResultRow[];
  readonly seconds: Readonly<Record<string, number>>;
  /** Serialized: the prepared original, the compressed float network and (if quantized) the QDQ network. */
  readonly models: { readonly original: Uint8Array; readonly compressed: Uint8Array; readonly quantized: Uint8Array | null };
  /** Bundle files by path; without the export step only the models and recipe.json. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly quant: readonly TensorQuant[];
  /** Error against cost, layer by layer put into 16 bits; empty where none was. */
  readonly pareto: readonly ParetoPoint[];
  /** Pruning steps with their recoveries; empty without recovery. */
  readonly stages: readonly PruneStage[];
  /** Looks at training runs, in order. */
  readonly looks: readonly TrainingLook[];
  readonly ranges: RangesArtifact | null;
  /** What the run preprocessed with, and whether that was the family's assumption or the probe's proposal. */
  readonly preprocess: { readonly name: string; readonly proposed: boolean };
  /** Per-layer error of the quantized model where measured: node name to SQNR in dB. */
  readonly layerError: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}
