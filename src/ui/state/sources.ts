/** Where a job's images come from. */
import type { ImageSource, JobSource } from '../../../workers/wire';

/** The user's files. */
export type FileSource = Extract<ImageSource, { kind: 'files' }>;

/** Scenes that the embedded detectors were trained on serve calibration; held-out ones judge. */
export const CALIBRATION_SCENES = { kind: 'scenes', first: 100_000, count: 32 } as const satisfies ImageSource;
export const EVALUATION_SCENES = { kind: 'scenes', first: 500_000, count: 48 } as const satisfies ImageSource;
/** More of them to train on, for a press. */
export const TRAINING_SCENES = { kind: 'scenes', first: 200_000, count: 300 } as const satisfies ImageSource;

export const imageCount = (source: ImageSource) =>
  source.kind === 'scenes' ? source.count : source.files.filter(({ path }) => !/\.json$/i.test(path)).length;

const isFiles = (source: ImageSource | null | undefined): source is FileSource => source?.kind === 'files';

/** Every set of files in a job's source, each once. */
export function fileSources({ calibration, evaluation, training }: JobSource): readonly FileSource[] {
  return [...new Set([calibration, evaluation, training])].filter(isFiles);
}

/** A job's source with other sets of files; what was one set stays one. */
export function withFiles<T extends JobSource>(source: T, changed: ReadonlyMap<FileSource, FileSource>): T {
  const { calibration, evaluation, training } = source;
  const now = <S extends ImageSource | null | undefined>(set: S) => (isFiles(set) ? (changed.get(set) ?? set) : set) as S;
  return { ...source, calibration: now(calibration), evaluation: now(evaluation), training: now(training) };
}
