/** What the analysis ranks by. */
import type { DetectorSpec } from '../../../models';
import type { RunTensor } from '../../../runtime';
import { type OutputError, outputError } from '../../output-error';

/** Axis of an output's channels: 1 of [N, C, H, W], the shorter one of [N, rows, columns]; null where values stand alone. */
function channelAxis(dims: readonly number[]): number | null {
  if (dims.length >= 4) return 1;
  if (dims.length === 3) return dims[2]! < dims[1]! ? 2 : 1;
  return null;
}

interface Scale {
  readonly name: string;
  readonly inner: number;
  readonly channels: number;
  readonly variances: readonly number[];
}

function variance(sum: number, squares: number, count: number): number {
  return squares / count - (sum / count) ** 2;
}

function scaleOf(name: string, { dims, data }: RunTensor): Scale {
  const axis = channelAxis(dims);
  const channels = axis === null ? 1 : dims[axis]!;
  const inner = axis === null ? data.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  const values = data as Float32Array;
  for (let i = 0; i < values.length; i++) {
    const c = Math.floor(i / inner) % channels;
    sums[c]! += values[i]!;
    squares[c]! += values[i]! ** 2;
  }
  const per = values.length / channels;
  const total = variance(
    sums.reduce((a, b) => a + b, 0),
    squares.reduce((a, b) => a + b, 0),
    values.length,
  );
  const whole = total > 0 ? total : 1;
  // A channel that never changes has no size of its own.
  const variances = [...sums].map((sum, c) => {
    const own = variance(sum, squares[c]!, per);
    return own > 1e-12 * (squares[c]! / per) && own > 0 ? own : whole;
  });
  return { name, inner, channels, variances };
}

/**
 * Error against `reference`: for detectors as repairs are judged (output-error.ts). Of other networks nothing is known
 * about which output matters, so each channel's mean squared error counts by its own variance: a small channel that is
 * lost isn't drowned by a large one beside it.
 */
export function analysisError(spec: DetectorSpec | null, reference: Readonly<Record<string, RunTensor>>): OutputError {
  if (spec) return outputError(spec, reference);
  const scales = Object.entries(reference).map(([name, tensor]) => scaleOf(name, tensor));
  return (other) => {
    let total = 0;
    for (const { name, inner, channels, variances } of scales) {
      const [a, b] = [reference[name]!.data as Float32Array, other[name]!.data as Float32Array];
      let sum = 0;
      for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2 / variances[Math.floor(i / inner) % channels]!;
      total += sum / a.length;
    }
    return total;
  };
}
