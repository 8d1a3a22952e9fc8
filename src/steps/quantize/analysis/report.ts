/** Measurements → the report: sums over images, ranking, and the verdicts of each layer with the one that gains most first. */
import { addPowers, cosineOf, NO_POWER, type Power, sqnrOf } from './distance';
import type { Measurements } from './measurements';
import type { Row, Rows } from './rows';
import type { AnalysisReport, Distance, Gain, LayerAnalysis, Verdict } from './types';
import type { Finding } from './verdicts';

export interface Diagnosis {
  readonly input: { readonly name: string; readonly feeds: readonly unknown[]; readonly spec: unknown };
  readonly rows: Rows;
  readonly cases: readonly { readonly row: Row; readonly finding: Finding; readonly key: string | null; readonly other: unknown }[];
  readonly measurements: Measurements;
}

function power(numbers: readonly number[], at: number): Power {
  const [signal, noise, product, energy] = numbers.slice(at, at + 4) as [number, number, number, number];
  return { signal, noise, product, energy };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

class Reader {
  readonly images: readonly number[];
  readonly #both: readonly number[];

  constructor(
    readonly measurements: Measurements,
    count: number,
  ) {
    this.images = Array.from({ length: count }, (_, i) => i);
    this.#both = this.images.map((i) => measurements.get(`whole|both|${i}`)![0]!);
  }

  all(key: string): readonly (readonly number[] | null)[] {
    return this.images.map((image) => this.measurements.get(`${key}|${image}`));
  }

  /**
   * Mean error over the images, from those that were measured: images differ by more than layers do, so what is missing
   * is taken in proportion to the error of the whole network on each.
   */
  error(key: string, at = 0): number | null {
    const found = this.all(key).flatMap((numbers, i) => (numbers ? [[numbers[at]!, this.#both[i]!] as const] : []));
    if (found.length === 0) return null;
    const own = mean(found.map(([error]) => error));
    const whole = mean(found.map(([, both]) => both));
    return found.length < this.images.length && whole > 0 ? (own / whole) * mean(this.#both) : own;
  }

  distance(part: string): Distance {
    const found = this.all(`whole|${part}`).map((numbers) => numbers!);
    const sum = found.map((numbers) => power(numbers, 1)).reduce(addPowers, NO_POWER);
    return { outputError: mean(found.map(([error]) => error!)), sqnrDb: sqnrOf(sum), cosine: cosineOf(sum) };
  }

  sum(key: string, at: number): Power | null {
    const found = this.all(key).flatMap((numbers) => (numbers ? [power(numbers, at)] : []));
    return found.length > 0 ? found.reduce(addPowers, NO_POWER) : null;
  }
}

/** Where a verdict's own gain is kept. */
export function layerKey(row: Row, { kind, evidence }: Finding): string {
  return `layer|${kind}|${evidence.role}|${row.node}`;
}

/** What a row is ranked by, as far as it is measured; −1 where nothing is. */
export function costOf({ input, measurements }: Diagnosis, row: Row): number {
  const reader = new Reader(measurements, input.feeds.length);
  const value = row.quantized ? reader.error(`value|${row.value}`) : null;
  const weight = row.hasWeights ? reader.error(`weight|${row.node}`) : null;
  return value === null && weight === null ? -1 : (value ?? 0) + (weight ?? 0);
}

/** Mended already: what the network would be without it is the worse side. */
function ordered(finding: Finding, base: number, other: number): Gain {
  return finding.unmended ? { before: other, after: base } : { before: base, after: other };
}

function verdictsOf(row: Row, { cases, measurements }: Diagnosis, reader: Reader, base: number): readonly Verdict[] {
  return cases
    .flatMap(({ row: owner, finding, key }) => {
      if (owner !== row) return [];
      const { unmended: _, values: __, ...verdict } = finding;
      const fitted = key === null ? null : measurements.get(`fitted|${key}`);
      const other = key === null ? null : (reader.error(`gain|${key}`) ?? (fitted && fitted.length > 0 ? mean(fitted) : null));
      const [before, after] = [0, 1].map((at) => reader.error(layerKey(row, finding), at));
      const layerGain = typeof before === 'number' && typeof after === 'number' ? ordered(finding, before, after) : null;
      return [{ ...verdict, gain: other === null ? null : ordered(finding, base, other), layerGain }];
    })
    .map((verdict, i) => ({ verdict, i, won: won(verdict) }))
    .sort((a, b) => b.won - a.won || a.i - b.i)
    .map(({ verdict }) => verdict);
}

/** What a repair wins in its own layer; unmeasured ones keep their place behind those that help. */
function won({ layerGain }: Verdict): number {
  return layerGain ? layerGain.before - layerGain.after : 0;
}

export function assemble(diagnosis: Diagnosis): AnalysisReport {
  const { input, rows, measurements } = diagnosis;
  const reader = new Reader(measurements, input.feeds.length);
  const whole = { weightsOnly: reader.distance('weights'), activationsOnly: reader.distance('activations'), both: reader.distance('both') };
  const layers = rows.rows.map((row, index): LayerAnalysis => {
    const alone = row.quantized ? reader.sum('taps', index * 8) : null;
    const accumulated = reader.sum('taps', index * 8 + 4)!;
    const weight = row.hasWeights ? reader.sum(`weight|${row.node}`, 1) : null;
    return {
      node: row.node,
      op: row.op,
      kind: row.kind,
      value: row.value,
      index,
      sqnrAloneDb: alone && sqnrOf(alone),
      cosineAlone: alone && cosineOf(alone),
      weightSqnrDb: weight && sqnrOf(weight),
      sqnrAccumulatedDb: sqnrOf(accumulated),
      cosineAccumulated: cosineOf(accumulated),
      sensitivity: row.quantized ? reader.error(`value|${row.value}`) : null,
      weightSensitivity: row.hasWeights ? reader.error(`weight|${row.node}`) : null,
      verdicts: verdictsOf(row, diagnosis, reader, whole.both.outputError),
    };
  });
  const cost = ({ sensitivity, weightSensitivity }: LayerAnalysis): number =>
    sensitivity === null && weightSensitivity === null ? -1 : (sensitivity ?? 0) + (weightSensitivity ?? 0);
  return {
    model: input.name,
    judgedBy: input.spec ? 'detections' : 'relative',
    whole,
    layers: layers.sort((a, b) => cost(b) - cost(a) || a.index - b.index),
    complete: !measurements.incomplete,
    seconds: measurements.state.seconds,
    images: input.feeds.length,
  };
}
