/** onnxruntime-node: the CLI's and the tests' engine. Never imported by anything that the page bundles. */
import { availableParallelism } from 'node:os';
import * as ort from 'onnxruntime-node';
import { StudioError } from '../numerics';
import { createOrtEngine, type OrtModule } from './ort-engine';
import type { Engine } from './types';

export interface NodeEngineOptions {
  /** Threads inside one operator; default: the cores, at most 4. */
  readonly threads?: number;
}

/** Throws 'bad-option' for a thread count that is not a positive whole number. */
export async function createNodeEngine(options: NodeEngineOptions = {}): Promise<Engine> {
  const cores = availableParallelism();
  const asked = options.threads ?? Math.min(4, cores);
  if (!Number.isInteger(asked) || asked < 1)
    throw new StudioError('bad-option', `${asked} is not a number of threads.`, 'Give a whole number from 1.');
  const threads = Math.min(asked, cores);
  return createOrtEngine({
    ort: ort as unknown as OrtModule,
    backend: 'node',
    threads,
    note: threads < asked ? `${threads} of ${asked} threads: this machine has ${cores} cores` : '',
    version: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common} (${threads} thread${threads === 1 ? '' : 's'})`,
    device: null,
    sessionOptions: {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Spinning threads steal the cores from whatever else runs there (measured: slower on shared cores).
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    },
  });
}
