/** Looks at training runs as curves: runs in a row are segments of one axis, counted in image-steps. */
import type { CurveLook } from '../../../workers/wire';

/** One training run on the common axis. */
export interface Segment {
  /** 1, 2, 3… */
  readonly number: number;
  readonly run: string;
  /** Image-steps of the runs before it. */
  readonly offset: number;
  /** Image-steps that were looked at, and those it was to have. */
  readonly length: number;
  readonly total: number;
  readonly looks: readonly CurveLook[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One line of a chart: a stretch for each run that has values. */
export interface Line {
  readonly name: string;
  /** Place in the palette: colour, dashes and mark, so that lines differ without colours too. */
  readonly style: number;
  readonly stretches: readonly (readonly Point[])[];
}

/** @param looks in the order in which they came */
export function segmentsOf(looks: readonly CurveLook[]): readonly Segment[] {
  const segments: Segment[] = [];
  for (const look of looks) {
    const last = segments.at(-1);
    // A run that goes on from a checkpoint tells its looks from the first on: those before it belong to its broken-off half.
    const goesOn = last && last.run === look.run && look.step > last.length;
    const known = goesOn ? segments.pop()! : null;
    segments.push({
      number: segments.length + 1,
      run: look.run,
      offset: known?.offset ?? (last ? last.offset + last.length : 0),
      length: look.step,
      total: look.total,
      looks: [...(known?.looks ?? []), look],
    });
  }
  return segments;
}

/** Where the axis ends: what was looked at, and while a run goes on all that it is to have. */
export function endOf(segments: readonly Segment[], running: boolean): number {
  const last = segments.at(-1);
  return last ? Math.max(1, last.offset + (running ? Math.max(last.length, last.total) : last.length)) : 1;
}

/** @param value null where a look doesn't have it */
export function lineOf(name: string, style: number, segments: readonly Segment[], value: (look: CurveLook) => number | null): Line {
  const stretches = segments.map(({ offset, looks }) =>
    looks.flatMap((look): Point[] => {
      const y = value(look);
      return y === null || !Number.isFinite(y) ? [] : [{ x: offset + look.step, y }];
    }),
  );
  return { name, style, stretches: stretches.filter((points) => points.length > 0) };
}

/** Names of a loss's parts, in the order in which they first appear. */
export function partNames(segments: readonly Segment[]): readonly string[] {
  return [...new Set(segments.flatMap(({ looks }) => looks.flatMap(({ parts }) => Object.keys(parts))))];
}

/** The look that a run's result comes from: least loss on unseen images. */
export function bestLook({ looks }: Segment): CurveLook {
  return looks.reduce((best, look) => (look.unseen < best.unseen ? look : best));
}

/** A step of a run, given in changes of the weights, in image-steps. */
export function imageSteps(step: number, total: number, look: CurveLook): number {
  return step * Math.max(1, Math.round(look.total / Math.max(1, total)));
}

/** Seconds left by the pace since `start`; undefined until there is one. */
export function secondsLeft(
  start: { readonly done: number; readonly at: number },
  now: { readonly done: number; readonly at: number },
  total: number,
): number | undefined {
  const done = now.done - start.done;
  return done > 0 && total > now.done ? ((now.at - start.at) / done) * (total - now.done) : undefined;
}
