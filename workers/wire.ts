/** What page and workers say to each other: plain types, and errors that keep their code and hint. */
import * as Comlink from 'comlink';
import type { Detection } from '../src/models';
import { type ErrorCode, REPORT_IT, StudioError } from '../src/numerics';
import type { RunEvent, RunResult } from '../src/pipeline';
import type { Progress, TrainingLook } from '../src/steps';

export type { Progress } from '../src/steps';
export type { InspectReport, LayerReport, LayerWeights, WeightSide } from '../src/steps/inspect';
export type { SensitivityReport } from '../src/steps/prune';

export interface SourceFile {
  readonly path: string;
  readonly file: Blob;
}

/** Where images come from; only names and handles cross to a worker, which decodes one image at a time. */
export type ImageSource =
  | { readonly kind: 'scenes'; readonly first: number; readonly count: number }
  | {
      readonly kind: 'files';
      readonly name: string;
      readonly files: readonly SourceFile[];
      /** The kept set whose folder these lie in, where the browser gives handles: they can be read from there again. */
      readonly folder?: string;
    };

export interface JobSource {
  readonly name: string;
  readonly model: Uint8Array;
  readonly external?: ReadonlyMap<string, Uint8Array>;
  readonly calibration: ImageSource;
  readonly evaluation: ImageSource | null;
  /** What recovery and QAT learn from; absent or null = the calibration images. */
  readonly training?: ImageSource | null;
  /** Another network that teaches; absent = the original. */
  readonly teacher?: { readonly name: string; readonly model: Uint8Array; readonly external?: ReadonlyMap<string, Uint8Array> };
}

export type EngineChoice = 'auto' | 'wasm' | 'webgpu';

/** What computes, as the page's chip shows it. */
export interface EngineReport {
  readonly backend: 'wasm' | 'webgpu' | 'node';
  readonly threads: number;
  /** Sentences: why not more threads, why not the GPU. */
  readonly notes: readonly string[];
  readonly version: string;
}

export interface JobCallbacks {
  progress(progress: Progress): void;
  event(event: RunEvent): void;
  engine(report: EngineReport): void;
  /** The training run that begins goes on from this step of its own. */
  resumed(step: number): void;
}

/** A look at training, as the page draws it; `rate` null = not told. */
export type CurveLook = Omit<TrainingLook, 'rate'> & { readonly rate: number | null };

export interface GrowCallbacks {
  /** What detections are drawn on; the receiver closes them. */
  scenes(pictures: readonly ImageBitmap[]): void;
  /** In image-steps. */
  progress(progress: Progress): void;
  /** A look, and what the detector finds in each scene. */
  look(look: CurveLook, found: readonly (readonly Detection[])[], classNames: readonly string[]): void;
}

export interface GrownDetector {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Image-step that was best on unseen scenes. */
  readonly step: number;
}

/** A run's result without the bundle's bytes, which stay in a blob. */
export type JobResult = Omit<RunResult, 'files'> & {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly zip: Blob;
  /** Id of its record in the store, where the worker has put it there. */
  readonly kept?: string;
};

export interface PreviewModel {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly external?: ReadonlyMap<string, Uint8Array>;
  /** Id or label of a preprocessing preset; the family's own by default. */
  readonly preprocess?: string;
}

export interface PreviewInfo extends EngineReport {
  readonly classNames: readonly string[];
  /** "BGR, 0–255, letterbox, image top-left"; '' for a network that takes no image. */
  readonly preprocess: string;
  /** False for a generic network: it runs, but there are no boxes to show. */
  readonly detector: boolean;
  /** Largest relative difference between WebGPU and WASM on a probe image; null where none was made. */
  readonly parity: number | null;
}

export interface PreviewSide {
  readonly detections: readonly Detection[];
  readonly ms: { readonly preprocess: number; readonly inference: number; readonly decode: number };
}

export type FrameRequest = { readonly bitmap: ImageBitmap } | { readonly scene: number } | { readonly image: number };

export interface PreviewFrame {
  /** What was computed on, for drawing; the receiver closes it. */
  readonly bitmap: ImageBitmap;
  readonly width: number;
  readonly height: number;
  readonly a: PreviewSide | null;
  readonly b: PreviewSide | null;
}

export interface ImagesInfo {
  readonly name: string;
  readonly fileNames: readonly string[];
  readonly labelled: boolean;
  readonly notes: readonly string[];
}

export interface ProbeAdvice {
  readonly note: string;
  /** Label of the preset that works; null when none does. */
  readonly preset: string | null;
}

/** Makes errors cross with what a user needs; call once on either side, before anything is exposed or wrapped. */
export function keepErrors(): void {
  const usual = Comlink.transferHandlers.get('throw')!;
  Comlink.transferHandlers.set('throw', {
    canHandle: usual.canHandle as (value: unknown) => value is unknown,
    serialize(thrown) {
      const { value } = thrown as { value: unknown };
      const known = value instanceof StudioError;
      const message = value instanceof Error ? value.message : String(value);
      const hint = known ? value.hint : REPORT_IT;
      return [{ code: known ? value.code : 'runtime', message, hint, stack: value instanceof Error ? value.stack : undefined }, []];
    },
    deserialize(plain): never {
      const { code, message, hint, stack } = plain as { code: ErrorCode; message: string; hint: string; stack?: string };
      throw Object.assign(new StudioError(code, message, hint), stack ? { stack } : {});
    },
  });
}
