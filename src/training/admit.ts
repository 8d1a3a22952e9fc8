/** Which engine trains: the GPU where its gradients are the CPU's and its steps are faster. */
import { StudioError } from '../numerics';
import type { Engine } from '../runtime';
import type { GraphObjective } from './objective';
import type { Variable } from './optimizers';
import type { Values } from './trainer';

export interface TrainingEngines {
  /** CPU engine, the reference. */
  readonly engine: Engine;
  /** null where there is none, or where the network itself failed its parity check. */
  readonly gpu: Engine | null;
}

/** Least cosine of all gradients together: a step in float32 on a GPU rounds, and may not do more. */
const LEAST_COSINE = 0.999;
/** Largest relative difference of the losses. */
const MOST_LOSS = 0.01;

/** Cosine of the angle between two gradients, all variables together. */
export function gradientCosine(a: Values, b: Values): number {
  let [dot, left, right] = [0, 0, 0];
  for (const [name, x] of Object.entries(a)) {
    const y = b[name];
    for (let i = 0; i < x.length; i++) {
      const v = y?.[i] ?? Number.NaN;
      dot += x[i]! * v;
      left += x[i]! ** 2;
      right += v ** 2;
    }
  }
  return left === 0 && right === 0 ? 1 : dot / Math.sqrt(left * right);
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const start = performance.now();
  const value = await work();
  return { value, ms: performance.now() - start };
}

/**
 * Opens an objective on the engine that shall train. Both engines take two steps without changing anything: the first is
 * compared, the second is timed.
 * @param note takes a sentence for the user where there is a GPU
 * @throws StudioError as `open` does on the CPU engine
 */
export async function openAdmitted(
  open: (engine: Engine) => Promise<GraphObjective>,
  { engine, gpu }: TrainingEngines,
  variables: readonly Variable[],
  note: (text: string) => void,
): Promise<GraphObjective> {
  const cpu = await open(engine);
  if (!gpu) return cpu;
  const values = Object.fromEntries(variables.map(({ name, data }) => [name, data]));
  let other: GraphObjective | null = null;
  try {
    other = await open(gpu);
    const [exact, found] = [await cpu.gradients(values, 0), await other.gradients(values, 0)];
    const cosine = gradientCosine(exact.gradients, found.gradients);
    const agrees = cosine >= LEAST_COSINE && Math.abs(found.loss - exact.loss) <= MOST_LOSS * Math.abs(exact.loss);
    if (!agrees) note(`Training runs on the CPU: the GPU's gradients differ from its (cosine ${cosine.toFixed(4)}).`);
    else {
      const own = await timed(() => cpu.gradients(values, 1));
      const its = await timed(() => other!.gradients(values, 1));
      const times = `${its.ms.toFixed(0)} ms a step there, ${own.ms.toFixed(0)} ms on the CPU`;
      if (its.ms < own.ms) {
        note(`Training runs on the GPU, whose gradients agree with the CPU's (${times}).`);
        await cpu.release();
        return other;
      }
      note(`Training runs on the CPU: the GPU agrees with it but is slower (${times}).`);
    }
  } catch (error) {
    if (!(error instanceof StudioError)) {
      await cpu.release();
      throw error;
    }
    note(`Training runs on the CPU: the GPU could not run the training graph (${error.message})`);
  }
  await other?.release();
  return cpu;
}
